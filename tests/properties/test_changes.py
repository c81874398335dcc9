"""Laws of changes: a layer made of them makes the same tree again, however it was found."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.requirements import requires
from naru.db.database import Database
from naru.linux import fs, mount
from naru.oci.digest import ChainId, digest_bytes
from naru.store import tar_apply
from naru.store.changes import Change
from naru.store.native import NativeSnapshotter
from naru.store.numbered import NumberedSnapshots
from naru.store.overlay import OverlaySnapshotter
from naru.store.tar_create import write_layer
from naru.store.tar_read import DIRECTORY, Entry, TarReader
from suites import raw_tar as raw

pytestmark = requires("root")

NAMES = ("a", "b", "d", "d/a", "d/e", "d/e/f", "e", "e/a", "é" * 60, "d/" + "x" * 120)
names = st.sampled_from(NAMES)
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK
KINDS = ("write", "mkdir", "symlink", "remove", "rename", "chmod", "chown", "link", "fifo", "xattr")
steps = st.lists(st.tuples(st.sampled_from(KINDS), names, names), max_size=14)
BELOW = raw.archive(
    raw.directory("d", mode=0o750),
    raw.member("d/a", b"old"),
    raw.directory("d/e"),
    raw.member("d/e/f", b"deep", mode=0o4755),
    raw.member("b", b"plain", uid=5),
    raw.directory("e"),
    raw.symlink("e/a", "../d"),
)
ABOVE = raw.archive(raw.member(".wh.b"), raw.directory("d"), raw.member("d/b", b"second"))


def do(root: Path, step: tuple[str, str, str], turn: int) -> None:
    """Do one step as a container would; what cannot be done is left."""
    kind, name, other = step
    path = root / name
    moment = (1_700_000_000 + turn) * 10**9
    try:
        match kind:
            case "write":
                # A fifo without a reader refuses, and is not waited for.
                descriptor = os.open(path, _WRITE, 0o644)
                os.write(descriptor, f"turn {turn}".encode())
                os.close(descriptor)
                os.utime(path, ns=(moment, moment))
            case "mkdir":
                path.mkdir(mode=0o700)
            case "symlink":
                path.symlink_to(f"{other}-{turn}")
                os.utime(path, ns=(moment, moment), follow_symlinks=False)
            case "remove":
                fs.remove_tree(path)
            case "rename":
                if not path.is_dir() or path.is_symlink():
                    path.rename(root / other)
            case "chmod":
                path.chmod(0o600 + turn)
            case "chown":
                os.lchown(path, turn, turn + 1)
            case "link":
                if path.lstat().st_nlink == 1:
                    os.link(path, root / other, follow_symlinks=False)
            case "fifo":
                os.mkfifo(path)
                os.utime(path, ns=(moment, moment))
            case "xattr":
                os.setxattr(path, "user.turn", str(turn).encode(), follow_symlinks=False)
    except OSError:
        return


def listing(root: int) -> dict[str, tuple[object, ...]]:
    """Return all that tells one tree from another, hard links included."""
    top = Path(f"/proc/self/fd/{root}")
    found: dict[str, tuple[object, ...]] = {}
    first: dict[int, str] = {}
    for directory, directories, files in os.walk(top):
        for name in sorted((*directories, *files)):
            path = Path(directory, name)
            status = path.lstat()
            shown = str(path.relative_to(top))
            content = ""
            if path.is_symlink():
                content = os.readlink(path)
            elif path.is_file():
                content = path.read_text()
            is_file = not path.is_dir() or path.is_symlink()
            found[shown] = (
                oct(status.st_mode),
                (status.st_uid, status.st_gid),
                int(status.st_mtime) if is_file else 0,
                {
                    key: os.getxattr(path, key, follow_symlinks=False)
                    for key in os.listxattr(path, follow_symlinks=False)
                    if key.startswith("user.")
                },
                first.setdefault(status.st_ino, shown) if is_file and status.st_nlink > 1 else "",
                content,
            )
    return found


def without_links(tree: dict[str, tuple[object, ...]]) -> dict[str, tuple[object, ...]]:
    return {name: (*facts[:4], facts[5]) for name, facts in tree.items()}


@contextmanager
def scratch(make: Callable[[Path, Database], NumberedSnapshots]) -> Iterator[NumberedSnapshots]:
    with tempfile.TemporaryDirectory() as place:
        snapshots = make(Path(place, "snapshots"), Database(Path(place, "naru.db")))
        try:
            yield snapshots
        finally:
            fs.remove_tree(snapshots.root)


def chain(name: str) -> ChainId:
    return ChainId(digest_bytes(name.encode()))


def grow(snapshots: NumberedSnapshots, key: str, parent: str | None, layer: bytes) -> None:
    mounts = snapshots.prepare(key, chain(parent) if parent else None)
    tar_apply.apply_to_mounts(io.BytesIO(layer), mounts)


def change(
    snapshots: NumberedSnapshots, todo: list[tuple[str, str, str]]
) -> tuple[list[Change], bytes, dict[str, tuple[object, ...]], dict[str, tuple[object, ...]]]:
    """Return the changes, their layer, the tree that has them, and the one made by the layer."""
    grow(snapshots, "k1", None, BELOW)
    snapshots.commit(chain("one"), "k1")
    grow(snapshots, "k2", "one", ABOVE)
    snapshots.commit(chain("two"), "k2")
    with mount.detached(snapshots.prepare("c", chain("two"))) as root:
        for turn, step in enumerate(todo, start=1):
            do(Path(f"/proc/self/fd/{root}"), step, turn)
        wanted = listing(root)
    pieces: list[bytes] = []
    with snapshots.difference("c") as found:
        write_layer(found.root, found.changes, pieces.append)
        changes = found.changes
    layer = b"".join(pieces)
    grow(snapshots, "again", "two", layer)
    with mount.detached(snapshots.mounts("again")) as root:
        made = listing(root)
    with mount.detached(snapshots.look("c")) as root:
        assert listing(root) == wanted
    return changes, layer, wanted, made


def entries(layer: bytes) -> list[tuple[Entry, bytes]]:
    """Return what is in a layer, but for when its directories were changed: that is now."""
    reader = TarReader(io.BytesIO(layer))
    found = []
    while (entry := reader.next()) is not None:
        if entry.kind == DIRECTORY:
            entry.mtime_ns = 0
        found.append((entry, reader.read_data(1 << 20)))
    return found


@settings(max_examples=40)
@given(steps)
@example([("remove", "d", ""), ("mkdir", "d", ""), ("write", "d/e", "")])
@example([("remove", "e", ""), ("write", "e", ""), ("remove", "d/e/f", "")])
@example([("remove", "d/e", ""), ("mkdir", "d/e", ""), ("write", "d/e/f", "")])
@example([("link", "d/a", "a"), ("write", "b", ""), ("link", "b", "e/b")])
@example([("rename", "d/e/f", "d/b"), ("chmod", "d", ""), ("xattr", "d/a", "")])
def test_a_layer_of_changes_makes_the_tree_again(todo: list[tuple[str, str, str]]) -> None:
    with scratch(OverlaySnapshotter) as overlay, scratch(NativeSnapshotter) as native:
        changes, layer, wanted, made = change(overlay, todo)
        assert made == wanted
        others, other_layer, other_tree, made = change(native, todo)
        assert without_links(made) == without_links(other_tree)
        # Inode numbers, and so the first of equal files, are each filesystem's own.
        assert without_links(other_tree) == without_links(wanted)
        assert others == changes
        has_links = "link" in {kind for kind, _, _ in todo}
        assert has_links or entries(other_layer) == entries(layer)
