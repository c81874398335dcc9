"""Garbage collection: what nobody can reach any more, found by marking and then swept.

Marking is pure. Sweeping decides inside one database transaction, in which blobs are only renamed
and snapshots only marked; space is freed after it. Whoever needs content takes a lease first
(`db.leases`) and looks whether it is there second, so pulls and loads go on meanwhile.

A thousand images take some tenths of a second to mark, during which others would wait for the
database. So marking comes before the transaction, and counts if no row has changed since.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from naru.db.database import Database
from naru.db.leases import Leases
from naru.errors import CorruptDataError, NotFoundError, NotSupportedError
from naru.faults import fault_point
from naru.oci import mediatype
from naru.oci.digest import ChainId, Digest
from naru.oci.image_config import MAX_CONFIG_SIZE, chain_ids, parse_image_config
from naru.oci.manifest import MAX_MANIFEST_SIZE, Index, parse_manifest
from naru.store.content import ContentStore
from naru.store.snapshotter import SnapshotInfo, Snapshotter

_BEFORE_SWEEP = fault_point("store.gc.before_sweep")
_AFTER_TRANSACTION = fault_point("store.gc.after_transaction")
# On an engine where something always changes, marking ends up inside the transaction.
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Roots:
    """What is in use by itself.

    `manifests` are digests of manifests, indexes or image configs; all that they name is in use
    as well. `snapshots` are names and keys, such as those of containers.
    """

    manifests: Collection[Digest]
    snapshots: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Reachable:
    """All that the roots lead to."""

    blobs: frozenset[Digest]
    snapshots: frozenset[str]


@dataclass(frozen=True, slots=True)
class Collected:
    """What was removed, and the bytes that its blobs took."""

    blobs: tuple[Digest, ...]
    snapshots: tuple[str, ...]
    ingests: tuple[str, ...]
    size: int


@dataclass(frozen=True, slots=True)
class Links:
    """What one blob names: further blobs, and the layers of an image config, each by itself.

    A layer whose row is lost does not take those below it with it.
    """

    blobs: tuple[Digest, ...] = ()
    chain: tuple[ChainId, ...] = ()


def mark(
    roots: Iterable[Digest],
    snapshot_roots: Iterable[str],
    *,
    links: Callable[[Digest], Links],
    parents: dict[str, str | None],
) -> Reachable:
    """Follow every link from the roots. Pure; `parents` says what each snapshot is built on."""
    blobs: set[Digest] = set()
    snapshots: set[str] = set()
    wanted = list(snapshot_roots)
    pending = list(roots)
    while pending:
        digest = pending.pop()
        if digest in blobs:
            continue
        blobs.add(digest)
        found = links(digest)
        pending.extend(found.blobs)
        wanted.extend(found.chain)
    for name in wanted:
        following: str | None = name
        while following is not None and following not in snapshots:
            snapshots.add(following)
            following = parents.get(following)
    return Reachable(frozenset(blobs), frozenset(snapshots))


class LinkReader:
    """Reads what blobs name, and remembers: a blob never changes.

    Layers are not opened: what is larger than a config can be is no manifest either.
    """

    def __init__(self, content: ContentStore) -> None:
        self._content = content
        self._known: dict[Digest, Links] = {}

    def __call__(self, digest: Digest) -> Links:
        """Return the links of a blob; none if it is absent, or neither manifest nor config."""
        known = self._known.get(digest)
        if known is not None:
            return known
        links = self._read(digest)
        if links is None:
            return Links()
        self._known[digest] = links
        return links

    def forget_others(self, digests: Collection[Digest]) -> None:
        """Drop what is remembered of blobs that are gone."""
        self._known = {key: links for key, links in self._known.items() if key in digests}

    def _read(self, digest: Digest) -> Links | None:
        try:
            with self._content.open(digest) as stream:
                is_json = stream.read(64).lstrip().startswith(b"{")
            if not is_json:
                return Links()
            raw = self._content.read(digest, max(MAX_CONFIG_SIZE, MAX_MANIFEST_SIZE))
        except NotFoundError:
            return None
        except CorruptDataError:
            # Its links are unreadable to everybody else, too.
            return Links()
        return links_of(raw)


def links_of(raw: bytes) -> Links:
    """Return what a manifest, an index or an image config names; any other JSON names nothing."""
    try:
        manifest = parse_manifest(raw)
    except (CorruptDataError, NotSupportedError):
        try:
            config = parse_image_config(raw)
        except CorruptDataError:
            return Links()
        return Links(chain=tuple(chain_ids(config.diff_ids)))
    subject = (manifest.subject.digest,) if manifest.subject else ()
    if isinstance(manifest, Index):
        return Links((*(entry.digest for entry in manifest.manifests), *subject))
    layers = tuple(
        layer.digest for layer in manifest.layers if layer.media_type != mediatype.OCI_EMPTY
    )
    return Links((manifest.config.digest, *layers, *subject))


def collect(
    database: Database,
    content: ContentStore,
    snapshots: Snapshotter,
    *,
    roots: Callable[[], Roots],
    links: LinkReader,
    now_ns: int,
) -> Collected:
    """Remove every blob, committed snapshot and ingest that no root and no lease leads to.

    `roots` is asked before the transaction that decides, and again inside it if rows have changed.
    Active snapshots and views belong to containers and to work in progress, and are left alone.
    Idempotent; a crash leaves what `ContentStore.repair` and `Snapshotter.repair` finish.

    Raises:
        FaultError: the disk fails.
    """
    collected, free = sweep(database, content, snapshots, roots=roots, links=links, now_ns=now_ns)
    free()
    return collected


def sweep(
    database: Database,
    content: ContentStore,
    snapshots: Snapshotter,
    *,
    roots: Callable[[], Roots],
    links: LinkReader,
    now_ns: int,
    settle: Callable[[Iterable[Digest]], object] = lambda _: None,
) -> tuple[Collected, Callable[[], None]]:
    """Do as `collect` does, but leave freeing the space to the function that is returned.

    `settle` is told which blobs go, and makes sure that those it may have been removed in favour
    of are on the disk by then.

    What was removed is out of sight already. The function may run in any thread, at any time;
    it is idempotent, and raises FaultError.
    """
    leases = Leases(database)
    leases.expire(now_ns)

    def look() -> _Garbage:
        return _garbage(content, snapshots, leases, roots(), links)

    seen, found = database.changes, look()
    for _ in range(_TRIES):
        if database.changes == seen:
            break
        seen, found = database.changes, look()
    _BEFORE_SWEEP()
    with database.write():
        if database.changes != seen:
            found = look()
        for digest, _ in found.blobs:
            content.discard(digest)
        discarded = _discard_snapshots(snapshots, found.snapshots)
        leased = leases.items("ingest")
    blobs = found.blobs
    if blobs or discarded:
        settle([digest for digest, _ in blobs])
        # After a power cut, what refers to them must be gone if they are.
        database.sync()
    _AFTER_TRANSACTION()

    def free() -> None:
        content.empty_trash(digest for digest, _ in blobs)
        for number in discarded.values():
            snapshots.purge(number)

    ingests = [
        key for key, _ in content.ingests() if key not in leased and content.abort_ingest(key)
    ]
    links.forget_others(found.reachable.blobs)
    collected = Collected(
        blobs=tuple(digest for digest, _ in blobs),
        snapshots=tuple(discarded),
        ingests=tuple(ingests),
        size=sum(size for _, size in blobs),
    )
    return collected, free


@dataclass(frozen=True, slots=True)
class _Garbage:
    """What is reachable, and what is there and is not: blobs with their sizes, and snapshots."""

    reachable: Reachable
    blobs: list[tuple[Digest, int]]
    snapshots: dict[str, SnapshotInfo]


def _garbage(
    content: ContentStore, snapshots: Snapshotter, leases: Leases, roots: Roots, links: LinkReader
) -> _Garbage:
    known = list(snapshots.walk())
    in_use = [info.key for info in known if info.kind != "committed"]
    reachable = mark(
        [*roots.manifests, *(Digest(item) for item in leases.items("blob"))],
        [*roots.snapshots, *leases.items("snapshot"), *in_use],
        links=links,
        parents={info.key: info.parent for info in known},
    )
    return _Garbage(
        reachable,
        [(digest, size) for digest, size in content.walk() if digest not in reachable.blobs],
        {
            info.key: info
            for info in known
            if info.kind == "committed" and info.key not in reachable.snapshots
        },
    )


def _discard_snapshots(snapshots: Snapshotter, garbage: dict[str, SnapshotInfo]) -> dict[str, int]:
    """Take away what is unreachable, from the top of each stack down."""
    garbage = dict(garbage)
    discarded: dict[str, int] = {}
    # Nothing reachable stands on garbage, so each round frees the layers below the last one.
    while garbage:
        tops = set(garbage) - {info.parent for info in garbage.values()}
        if not tops:
            break
        for key in tops:
            del garbage[key]
            number = snapshots.discard(key)
            if number is not None:
                discarded[key] = number
    return discarded
