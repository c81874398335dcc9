"""Laws of marking: everything reachable is kept, and nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from naru.oci.digest import ChainId, Digest
from naru.store.gc import Links, mark

nodes = st.integers(0, 12)
graphs = st.dictionaries(nodes, st.lists(nodes, max_size=4))
stacks = st.dictionaries(nodes, nodes)


def blob(number: int) -> Digest:
    return Digest(f"sha256:{number:064x}")


def chain(number: int) -> ChainId:
    return ChainId(Digest(f"sha256:{number + 1000:064x}"))


@given(graphs, st.lists(nodes, max_size=3), stacks, st.dictionaries(nodes, nodes), st.lists(nodes))
def test_exactly_the_reachable_is_kept(
    graph: dict[int, list[int]],
    roots: list[int],
    parents: dict[int, int],
    configs: dict[int, int],
    containers: list[int],
) -> None:
    numbers = {blob(number): number for number in range(13)}

    def links(digest: Digest) -> Links:
        number = numbers[digest]
        named = configs.get(number)
        return Links(
            tuple(blob(child) for child in graph.get(number, ())),
            () if named is None else (chain(named),),
        )

    reachable = mark(
        [blob(number) for number in roots],
        [chain(number) for number in containers],
        links=links,
        parents={chain(child): chain(parent) for child, parent in parents.items()},
    )
    kept, snapshots = set(roots), set(containers)
    for _ in range(30):
        kept |= {child for number in kept for child in graph.get(number, ())}
        snapshots |= {configs[number] for number in kept if number in configs}
        snapshots |= {parents[number] for number in snapshots if number in parents}
    assert reachable.blobs == {blob(number) for number in kept}
    assert reachable.snapshots == {chain(number) for number in snapshots}
