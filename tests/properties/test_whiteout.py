"""Laws of whiteouts: their place in a layer does not matter, nor who carries them out."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.requirements import requires
from naru.errors import CorruptDataError
from naru.linux import fs, mount
from naru.linux.mount import MS_RDONLY, Mount
from naru.store import tar_apply, whiteout
from suites import raw_tar as raw
from suites.snapshotter_suite import listing

TOPS = ("x", "y")
lower_names = st.sets(st.sampled_from(["x/a", "x/b", "x/s/a", "y/a", "y/s/b"]))
new_names = st.sets(st.sampled_from(["x/a", "x/n", "x/s/n", "y/a", "y/s/n"]))
markers = st.sets(
    st.sampled_from(
        ["x/.wh.a", "x/.wh.s", "x/.wh..wh..opq", "y/.wh..wh..opq", "y/.wh.s", "y/s/.wh.b"]
    )
)


def directories(names: set[str]) -> list[str]:
    found = {parent for name in names for parent in map(str, Path(name).parents) if parent != "."}
    return sorted(found | set(TOPS))


def layer(names: set[str], content: bytes) -> list[bytes]:
    made = [raw.directory(name) for name in directories(names)]
    return made + [raw.member(name, content) for name in sorted(names) if "/.wh." not in name]


def apply(root: Path, members: list[bytes], *, alone: bool = False) -> None:
    tar_apply.apply(io.BytesIO(raw.archive(*members)), root, alone=alone)


@given(st.binary(min_size=1, max_size=20).filter(lambda name: b"/" not in name))
def test_a_marker_hides_exactly_its_name(name: bytes) -> None:
    try:
        hidden = whiteout.hidden_name(whiteout.PREFIX + name)
    except CorruptDataError:
        assert name in (b".", b"..")
        return
    assert hidden == name or (hidden is None and name.startswith(b".wh."))


@given(lower_names, new_names, markers)
def test_the_place_of_markers_in_a_layer_changes_nothing(
    lower: set[str], new: set[str], marks: set[str]
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        results = []
        entries = layer(new | marks, b"new")
        marked = [raw.member(mark) for mark in sorted(marks)]
        for number, members in enumerate(([*marked, *entries], [*entries, *marked])):
            root = Path(scratch, str(number))
            root.mkdir()
            apply(root, layer(lower, b"old"))
            apply(root, members)
            results.append(listing(root))
        assert results[0] == results[1]
        for name in new:
            assert name in results[0]


@requires("root")
@settings(max_examples=40)
@given(lower_names, new_names, markers)
def test_the_kernels_whiteouts_mean_what_deletions_mean(
    lower: set[str], new: set[str], marks: set[str]
) -> None:
    upper_layer = [*layer(new | marks, b"new"), *(raw.member(mark) for mark in sorted(marks))]
    with tempfile.TemporaryDirectory() as scratch:
        merged, below, above, work = (
            Path(scratch, n) for n in ("merged", "below", "above", "work")
        )
        for root in (merged, below, above, work):
            root.mkdir()
        apply(merged, layer(lower, b"old"))
        apply(merged, upper_layer)
        apply(below, layer(lower, b"old"))
        writable = f"lowerdir={below},upperdir={above},workdir={work}"
        tar_apply.apply_to_mounts(
            io.BytesIO(raw.archive(*upper_layer)),
            [Mount(type="overlay", source="overlay", data=writable)],
        )
        stack = Mount(
            type="overlay", source="overlay", flags=MS_RDONLY, data=f"lowerdir={above}:{below}"
        )
        with mount.detached([stack]) as root_fd:
            assert listing(Path(f"/proc/self/fd/{root_fd}")) == listing(merged)
        for root in (above, work):
            fs.remove_tree(root)


@requires("root")
@settings(max_examples=40)
@given(lower_names, new_names)
def test_a_layer_that_only_adds_may_be_applied_alone(lower: set[str], new: set[str]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        merged, below, above = (Path(scratch, name) for name in ("merged", "below", "above"))
        for root in (merged, below, above):
            root.mkdir()
        apply(merged, layer(lower, b"old"))
        apply(merged, layer(new, b"new"))
        apply(below, layer(lower, b"old"))
        apply(above, layer(new, b"new"), alone=True)
        stack = Mount(
            type="overlay", source="overlay", flags=MS_RDONLY, data=f"lowerdir={above}:{below}"
        )
        with mount.detached([stack]) as root_fd:
            assert listing(Path(f"/proc/self/fd/{root_fd}")) == listing(merged)
