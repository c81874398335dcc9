"""Law of checking layers: what was unpacked just now is what its layer says."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from harness.requirements import requires
from naru.db.database import Database
from naru.errors import NaruError
from naru.linux import fs
from naru.store import tar_apply
from naru.store.layer_check import deviations
from naru.store.native import NativeSnapshotter
from naru.store.numbered import NumberedSnapshots
from naru.store.overlay import OverlaySnapshotter
from suites import raw_tar as raw
from suites.snapshotter_suite import chain

pytestmark = requires("root")

KINDS = ("file", "directory", "symlink", "hard_link", "fifo", "whiteout", "opaque")
# Few names, so that they meet often.
names = st.sampled_from(("a", "b", "d", "d/a", "d/e", "d/e/f", "l", "l/a"))
edits = st.lists(st.tuples(st.sampled_from(KINDS), names, names), min_size=1, max_size=7)
stacks = st.lists(edits, min_size=1, max_size=3)
Edit = tuple[str, str, str]


def encoded(edit: Edit, turn: int) -> bytes:
    kind, name, target = edit
    parent, _, last = name.rpartition("/")
    match kind:
        case "file":
            return raw.member(name, f"turn {turn}".encode(), mtime=turn)
        case "directory":
            return raw.directory(name, mode=0o700 + turn % 8, mtime=turn)
        case "symlink":
            return raw.symlink(name, "d")
        case "hard_link":
            return raw.hard_link(name, target)
        case "fifo":
            return raw.member(name, kind=b"6")
        case "whiteout":
            return raw.member(f"{parent}/.wh.{last}")
        case _:
            return raw.member(f"{parent}/.wh..wh..opq")


def fills_what_becomes_a_link(layer: list[Edit]) -> bool:
    """Say whether a layer puts something below a name that it makes a link of afterwards."""
    linked = [name for kind, name, _ in layer if kind in {"symlink", "hard_link"}]
    return any(name.startswith(f"{link}/") for _, name, _ in layer for link in linked)


@contextlib.contextmanager
def store(make: type[NumberedSnapshots]) -> Iterator[NumberedSnapshots]:
    with tempfile.TemporaryDirectory() as scratch:
        database = Database(Path(scratch, "naru.db"))
        yield make(Path(scratch, "snapshots"), database)
        database.close()
        fs.remove_tree(Path(scratch, "snapshots"))


@pytest.mark.parametrize("make", [OverlaySnapshotter, NativeSnapshotter])
@settings(max_examples=60)
@given(stack=stacks)
@example(stack=[[("file", "d/a", "")], [("whiteout", "d", ""), ("file", "d/e", "")]])
@example(stack=[[("file", "d/a", "")], [("file", "d", "")], [("directory", "d", "")]])
@example(stack=[[("file", "a", "")], [("hard_link", "b", "a")]])
@example(stack=[[("directory", "d", ""), ("symlink", "l", "")], [("file", "l/a", "")]])
@example(stack=[[("file", "d/a", ""), ("file", "d", "")]])
@example(stack=[[("file", "d/a", "")], [("file", "d", ""), ("directory", "d", "")]])
@example(stack=[[("file", "a", "")], [("hard_link", "b", "a"), ("file", "b", "")]])
@example(stack=[[("file", "d/a", "")], [("opaque", "d/a", ""), ("file", "d/e", "")]])
def test_a_fresh_tree_never_deviates(
    make: type[NumberedSnapshots], stack: list[list[Edit]]
) -> None:
    assume(not any(fills_what_becomes_a_link(layer) for layer in stack))
    with store(make) as snapshots:
        parent = None
        for turn, layer in enumerate(stack, start=1):
            data = raw.archive(*(encoded(edit, turn) for edit in layer))
            mounts = snapshots.prepare("k", parent)
            try:
                tar_apply.apply_to_mounts(io.BytesIO(data), mounts)
            except NaruError:
                return
            name = chain(f"{turn}")
            snapshots.commit(name, "k")
            with snapshots.opened(name) as tree:
                stream = io.BytesIO(data)
                assert deviations(stream, tree.root, tree.changes, contents=True) == []
            parent = name
