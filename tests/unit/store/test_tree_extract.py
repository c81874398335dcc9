"""Users' archives into trees that are there already."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.requirements import requires
from naru.errors import InvalidInputError
from naru.store.tree_extract import extract
from suites import raw_tar

pytestmark = requires("root")


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """Give a root with a directory `to` in it, and something outside that must not change."""
    (tmp_path / "root" / "to").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    yield tmp_path / "root"
    assert list((tmp_path / "outside").iterdir()) == []
    assert sorted(os.listdir(tmp_path)) == ["outside", "root"]


def _extract(
    root: Path,
    *members: bytes,
    place: bytes = b"to",
    keeps_types: bool = False,
    owner: tuple[int, int] | None = None,
) -> None:
    archive = io.BytesIO(raw_tar.archive(*members))
    descriptor = os.open(root, os.O_PATH)
    try:
        extract(archive, descriptor, place, keeps_types=keeps_types, owner=owner)
    finally:
        os.close(descriptor)


def test_names_that_hide_in_layers_are_plain_names_here(root: Path) -> None:
    (root / "to" / "foo").touch()
    _extract(root, raw_tar.member(".wh.foo", b"x"), raw_tar.member(".wh..wh..opq"))
    assert sorted(os.listdir(root / "to")) == [".wh..wh..opq", ".wh.foo", "foo"]


def test_names_cannot_leave_the_directory(root: Path) -> None:
    with pytest.raises(InvalidInputError, match=r'"\.\./out" is outside of "/to"'):
        _extract(root, raw_tar.member("../out", b"x"))
    with pytest.raises(InvalidInputError, match='is outside of "/to"'):
        _extract(root, raw_tar.hard_link("h", "../../outside"))
    _extract(root, raw_tar.member("/abs", b"x"))
    assert sorted(os.listdir(root)) == ["to"]
    assert os.listdir(root / "to") == ["abs"]


def test_links_lead_nowhere_but_inside_the_root(root: Path) -> None:
    outside = root.parent / "outside"
    (root / "there").mkdir()
    _extract(
        root,
        raw_tar.symlink("up", "../../../../there"),
        raw_tar.member("up/a", b"x"),
        raw_tar.symlink("abs", str(outside)),
        raw_tar.member("abs2", b"x"),
    )
    assert (root / "there" / "a").exists()
    with pytest.raises(InvalidInputError):
        _extract(root, raw_tar.member("abs/b", b"x"))


def test_the_directory_itself_stays_as_it_is(root: Path) -> None:
    (root / "to").chmod(0o700)
    _extract(root, raw_tar.directory(".", mode=0o777), raw_tar.member("./f", b"x"))
    assert (root / "to").stat().st_mode & 0o777 == 0o700
    assert (root / "to" / "f").read_text() == "x"


def test_kinds_are_kept_where_asked(root: Path) -> None:
    (root / "to" / "d").mkdir()
    (root / "to" / "f").touch()
    with pytest.raises(InvalidInputError) as caught:
        _extract(root, raw_tar.member("d", b"x"), keeps_types=True)
    assert caught.value.message == 'cannot overwrite directory "/to/d" with non-directory "/to"'
    with pytest.raises(InvalidInputError) as caught:
        _extract(root, raw_tar.directory("f"), keeps_types=True)
    assert caught.value.message == 'cannot overwrite non-directory "/to/f" with directory "/to"'
    _extract(root, raw_tar.member("d", b"x"), raw_tar.directory("f"))
    assert (root / "to" / "d").is_file()
    assert (root / "to" / "f").is_dir()


def test_an_owner_takes_the_place_of_the_archives(root: Path) -> None:
    member = raw_tar.member("f", b"x", uid=5, gid=6)
    _extract(root, raw_tar.directory("d", uid=5, gid=6), member, owner=(1000, 50))
    for name in ("d", "f"):
        status = (root / "to" / name).stat()
        assert (status.st_uid, status.st_gid) == (1000, 50)


def test_roots_files_are_roots_in_a_directory_that_hands_its_group_on(root: Path) -> None:
    os.chown(root / "to", 0, 50)
    (root / "to").chmod(0o2775)
    _extract(root, raw_tar.member("f", b"x"), raw_tar.directory("d"))
    assert (root / "to" / "f").stat().st_gid == 0
    assert (root / "to" / "d").stat().st_mode & 0o7777 == 0o755


def test_a_broken_archive_is_the_senders_fault(root: Path) -> None:
    descriptor = os.open(root, os.O_PATH)
    cut = raw_tar.member("f", b"x" * 4000)[:2000]
    try:
        with pytest.raises(InvalidInputError, match="'f': cut off within its data"):
            extract(io.BytesIO(cut), descriptor, b"to")
        with pytest.raises(InvalidInputError, match="tar: "):
            extract(io.BytesIO(b"no tar at all" * 100), descriptor, b"to")
        extract(io.BytesIO(b""), descriptor, b"to")
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("call", ["open", "mkdir", "stat", "chown", "mknod", "fchown"])
def test_a_name_that_becomes_a_link_between_two_steps_is_not_followed(
    root: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    outside = root.parent / "outside"
    before = outside.stat()
    original = getattr(os, call)
    swaps_now: list[bool] = []

    def swapping(*args: object, **options: object) -> object:
        result = original(*args, **options)
        if swaps_now:
            return result
        swaps_now.append(True)
        for name in ("d", "f", "p"):
            if (root / "to" / name).exists() and not (root / "to" / name).is_symlink():
                (root / "to" / name).rename(root / f"{name}-{len(os.listdir(root))}")
                (root / "to" / name).symlink_to(outside)
        swaps_now.clear()
        return result

    fifo = raw_tar.member("p", kind=b"6", mode=0o4666)
    for member in (
        raw_tar.directory("d", mode=0o1777),
        raw_tar.member("f", b"x", mode=0o4755),
        fifo,
    ):
        (root / "to" / "d").mkdir(exist_ok=True)
        with monkeypatch.context() as patched:
            patched.setattr(os, call, swapping)
            with contextlib.suppress(InvalidInputError):
                _extract(root, member, raw_tar.member("d/inner", b"x"))
        for path in (root / "to").iterdir():
            if path.is_symlink():
                path.unlink()
    after = outside.stat()
    assert (after.st_mode, after.st_uid, after.st_mtime_ns) == (
        before.st_mode,
        before.st_uid,
        before.st_mtime_ns,
    )
