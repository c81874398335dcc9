"""Whatever happened to an unpacked tree is found, and named by its path."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.requirements import requires
from naru.errors import CorruptDataError
from naru.store import tar_apply
from naru.store.changes import overlay_changes
from naru.store.layer_check import deviations
from suites import raw_tar as raw

pytestmark = requires("root")

DATA = b"0123456789" * 1000
LAYER = raw.archive(
    raw.directory("d", mode=0o750, mtime=100),
    raw.member("d/file", DATA, mode=0o640, uid=7, gid=8, mtime=200),
    raw.hard_link("d/link", "d/file"),
    raw.symlink("l", "d/file"),
    raw.member("pipe", kind=b"6", mtime=300),
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "fs"
    root.mkdir()
    tar_apply.apply(io.BytesIO(LAYER), root)
    return root


def found(tree: Path, *, contents: bool = False, layer: bytes = LAYER) -> dict[str, str]:
    root = os.open(tree, os.O_RDONLY | os.O_DIRECTORY)
    try:
        changes = overlay_changes(root, None, keeps_mountpoints=True)
        result = deviations(io.BytesIO(layer), root, changes, contents=contents)
    finally:
        os.close(root)
    return {os.fsdecode(one.path): one.what for one in result}


@contextlib.contextmanager
def times_kept(path: Path) -> Iterator[None]:
    """Let a change go unnoticed by who looks at times only, as a failing disk does."""
    status = path.stat()
    yield
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def rotten(tree: Path) -> None:
    with times_kept(tree / "d/file"), (tree / "d/file").open("r+b") as stream:
        stream.seek(5000)
        stream.write(b"x")


def cut_off(tree: Path) -> None:
    with times_kept(tree / "d/file"):
        os.truncate(tree / "d/file", 10)


def parted(tree: Path) -> None:
    data = (tree / "d/file").read_bytes()
    (tree / "d/link").unlink()
    (tree / "d/link").write_bytes(data)


def replaced(tree: Path) -> None:
    (tree / "pipe").unlink()
    (tree / "pipe").touch()


def redirected(tree: Path) -> None:
    (tree / "l").unlink()
    (tree / "l").symlink_to("elsewhere")


DAMAGES: list[tuple[Callable[[Path], object], str, str]] = [
    (lambda tree: (tree / "d/file").unlink(), "d/file", "is missing"),
    (cut_off, "d/file", "has 10 bytes, not 10000"),
    (lambda tree: (tree / "d/file").chmod(0o600), "d/file", "has mode 600, not 640"),
    (lambda tree: os.chown(tree / "d/file", 0, 8), "d/file", "belongs to 0:8, not 7:8"),
    (lambda tree: os.utime(tree / "pipe", (1, 1)), "pipe", "was changed at another time"),
    (lambda tree: (tree / "d").chmod(0o755), "d", "has mode 755, not 750"),
    (parted, "d/link", "is no link to /d/file"),
    (replaced, "pipe", "is of another kind"),
    (redirected, "l", "leads to elsewhere, not d/file"),
    (lambda tree: (tree / "d/more").touch(), "d/more", "is not in the layer"),
]


@pytest.mark.parametrize(("damage", "path", "what"), DAMAGES)
def test_damage_is_found_by_looking(
    tree: Path, damage: Callable[[Path], object], path: str, what: str
) -> None:
    assert found(tree) == {}
    damage(tree)
    assert found(tree)[path] == what


def test_rotten_bytes_are_found_by_comparing_contents(tree: Path) -> None:
    rotten(tree)
    assert found(tree) == {}
    assert found(tree, contents=True) == {"d/file": "holds other bytes from 0 on"}


def test_of_two_entries_with_one_name_the_last_counts(tree: Path) -> None:
    layer = raw.archive(raw.member("d/file", b"first", mtime=1), LAYER[:-1024])
    assert found(tree, contents=True, layer=layer) == {}


def test_a_layer_that_is_cut_off_is_no_layer(tree: Path) -> None:
    with pytest.raises(CorruptDataError):
        found(tree, layer=LAYER[:700])
