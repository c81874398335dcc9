"""What counts as a change, and how it is told. The laws are in `tests/properties`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from naru.linux import tree_copy
from naru.store.changes import ChangeKind, tree_changes


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "old"
    (path / "d" / "e").mkdir(parents=True)
    (path / "d" / "e" / "f").write_text("f")
    (path / "d" / "g").write_text("g")
    (path / "h").write_text("h")
    return path


@pytest.fixture
def new(tmp_path: Path, old: Path) -> Path:
    path = tmp_path / "new"
    path.mkdir()
    tree_copy.copy_tree(old, path)
    return path


def shown(new: Path, old: Path | None, *, keeps_mountpoints: bool = False) -> list[str]:
    """Return changes as `docker diff` prints them."""
    trees = [os.open(path, os.O_RDONLY) for path in (new, old) if path]
    try:
        found = tree_changes(
            trees[0], trees[1] if old else None, keeps_mountpoints=keeps_mountpoints
        )
    finally:
        for tree in trees:
            os.close(tree)
    return [f"{'CAD'[change.kind]} {os.fsdecode(change.path)}" for change in found]


def test_a_copy_is_no_change(new: Path, old: Path) -> None:
    os.utime(new / "d", ns=(1, 1))
    new.chmod(0o711)
    assert shown(new, old) == []


def test_what_holds_a_change_is_changed_itself(new: Path, old: Path) -> None:
    (new / "d/e/f").write_text("longer")
    assert shown(new, old) == ["C d", "C d/e", "C d/e/f"]


def test_only_the_top_of_a_deleted_tree_is_told(new: Path, old: Path) -> None:
    (new / "d/e/f").unlink()
    (new / "d/e").rmdir()
    (new / "d/g").unlink()
    (new / "d").rmdir()
    assert shown(new, old) == ["D d"]


def test_a_directory_in_place_of_a_file_is_a_change_and_not_a_deletion(
    new: Path, old: Path
) -> None:
    (new / "h").unlink()
    (new / "h").mkdir()
    (new / "h/x").touch()
    (new / "d/e/f").unlink()
    (new / "d/e").rmdir()
    (new / "d/e").touch()
    assert shown(new, old) == ["C d", "C d/e", "C h", "A h/x"]


def test_places_to_mount_on_are_no_change(new: Path, old: Path) -> None:
    for name in ("proc", "sys", "dev/pts", "dev/shm", "etc"):
        (new / name).mkdir(parents=True)
    for name in ("etc/hosts", "etc/resolv.conf", "etc/hostname"):
        (new / name).touch()
    assert shown(new, old) == []
    assert "A etc/hosts" in shown(new, old, keeps_mountpoints=True)


def test_what_was_put_beside_places_to_mount_on_is_a_change(new: Path, old: Path) -> None:
    (new / "etc").mkdir()
    (new / "etc/hosts").touch()
    (new / "etc/passwd").touch()
    (new / "etc/hostname").write_text("somebody's")
    assert shown(new, old) == ["C etc", "A etc/hostname", "A etc/passwd"]


def test_everything_is_new_over_nothing(old: Path) -> None:
    assert shown(old, None) == ["A d", "A d/e", "A d/e/f", "A d/g", "A h"]


def test_a_new_name_for_an_old_file_changes_both(new: Path, old: Path) -> None:
    os.link(new / "h", new / "i")
    assert shown(new, old) == ["C h", "A i"]


def test_the_numbers_are_those_of_the_api() -> None:
    assert [int(kind) for kind in ChangeKind] == [0, 1, 2]
