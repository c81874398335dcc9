"""Archives of containers onto this machine: nothing leaves the directory that was asked for."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from naru.cli.copy_rules import Placement
from naru.cli.failure import CommandFailedError
from naru.cli.local_archive import archive
from naru.cli.local_extract import extract
from suites import raw_tar


@pytest.fixture
def to(tmp_path: Path) -> Iterator[Path]:
    """Give a directory; what stands beside it must not change."""
    (tmp_path / "to").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "f").write_text("kept")
    yield tmp_path / "to"
    assert sorted(os.listdir(tmp_path)) == ["outside", "to"]
    assert os.listdir(tmp_path / "outside") == ["f"]
    assert (tmp_path / "outside" / "f").read_text() == "kept"
    assert (tmp_path / "outside" / "f").stat().st_nlink == 1


def _extract(to: Path, *members: bytes) -> None:
    stream = io.BytesIO(raw_tar.archive(*members))
    extract(stream, Placement(str(to)), keeps_owners=False)


@pytest.mark.parametrize("target", ["../outside", "{outside}"])
def test_links_in_the_archive_are_not_followed(to: Path, target: str) -> None:
    target = target.format(outside=to.parent / "outside")
    for evil in ("l/f", "l/new", "l/sub/new"):
        with pytest.raises(CommandFailedError):
            _extract(to, raw_tar.symlink("l", target), raw_tar.member(evil, b"evil"))
    with pytest.raises(CommandFailedError):
        _extract(to, raw_tar.symlink("l", target), raw_tar.hard_link("h", "l/f"))
    with pytest.raises(CommandFailedError):
        _extract(to, raw_tar.symlink("l", target), raw_tar.directory("l", mode=0o777))
    _extract(to, raw_tar.symlink("m", f"{target}/f"), raw_tar.member("m", b"mine"))
    assert (to / "m").read_text() == "mine"


@pytest.mark.parametrize("name", ["../outside/f", "a/../../outside/f", ".."])
def test_names_do_not_lead_out(to: Path, name: str) -> None:
    with pytest.raises(CommandFailedError, match="is outside of"):
        _extract(to, raw_tar.member(name, b"evil"))
    _extract(to, raw_tar.member("/abs", b"inside"))
    assert (to / "abs").read_text() == "inside"


def test_hard_links_do_not_lead_out(to: Path) -> None:
    for target in ("../outside/f", "/../outside/f"):
        with pytest.raises(CommandFailedError, match="is outside of"):
            _extract(to, raw_tar.hard_link("h", target))
    (to / "mine").symlink_to("../outside/f")
    _extract(to, raw_tar.hard_link("h", "mine"), raw_tar.member("h", b"new"))
    assert (to / "h").read_text() == "new"


def test_links_that_were_there_are_replaced_not_followed(to: Path) -> None:
    (to / "f").symlink_to("../outside/f")
    _extract(to, raw_tar.member("f", b"mine"))
    assert not (to / "f").is_symlink()
    (to / "d").symlink_to("../outside")
    with pytest.raises(CommandFailedError, match="cannot overwrite non-directory"):
        _extract(to, raw_tar.directory("d"))
    with pytest.raises(CommandFailedError):
        _extract(to, raw_tar.member("d/f", b"evil"))


def test_a_broken_stream_is_an_error(to: Path) -> None:
    whole = raw_tar.archive(raw_tar.member("f", b"x" * 5000))
    for stream in (whole[:2000], b"no tar" * 500):
        with pytest.raises(CommandFailedError, match="unexpected EOF"):
            extract(io.BytesIO(stream), Placement(str(to)), keeps_owners=False)


def test_a_tree_that_goes_out_and_in_again_is_the_same(to: Path) -> None:
    source = to / "source"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "f").write_bytes(b"x" * 700_000)
    (source / "sub" / "f").chmod(0o4750)
    os.link(source / "sub" / "f", source / "same")
    (source / "link").symlink_to("nowhere")
    os.mkfifo(source / "fifo", 0o640)
    (source / os.fsdecode(b"raw\xff")).touch()
    (source / ("long" * 50)).touch()
    os.utime(source / "sub", (5, 1_000_000))
    stream = io.BytesIO(b"".join(archive(str(source), "copy", keeps_owners=False)))
    extract(stream, Placement(str(to)), keeps_owners=False)
    copy = to / "copy"
    assert sorted(map(os.fsencode, os.listdir(copy))) == sorted(
        map(os.fsencode, os.listdir(source))
    )
    assert (copy / "sub" / "f").read_bytes() == b"x" * 700_000
    assert (copy / "sub" / "f").stat().st_mode & 0o7777 == 0o4750
    assert (copy / "same").stat().st_ino == (copy / "sub" / "f").stat().st_ino
    assert os.readlink(copy / "link") == "nowhere"
    assert (copy / "fifo").is_fifo()
    assert (copy / "sub").stat().st_mtime == 1_000_000
