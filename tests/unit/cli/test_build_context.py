"""The archive of a context: what is in it, and that any tar can read it."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from harness.archives import files
from naru.cli.build_context import ContextFolder, single_file
from naru.cli.failure import CommandFailedError


def packed(context: ContextFolder) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(b"".join(context.archive()))) as archive:
        return {info.name: info for info in archive}


def test_all_kinds_of_files_are_packed(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_text("x" * 1000)
    os.link(tmp_path / "d" / "f", tmp_path / "d" / "g")
    (tmp_path / "l").symlink_to("nowhere")
    os.mkfifo(tmp_path / "p")
    (tmp_path / ("long" * 60)).write_text("")
    (tmp_path / os.fsdecode(b"\xff")).write_text("")
    os.chown(tmp_path / "d" / "f", 7, 7) if os.geteuid() == 0 else None
    found = packed(ContextFolder(str(tmp_path), "Dockerfile"))
    assert found["d"].isdir()
    assert (found["d/f"].size, found["d/f"].uid) == (1000, 0)
    assert found["d/g"].linkname == "d/f"
    assert found["l"].linkname == "nowhere"
    assert found["p"].isfifo()
    assert "long" * 60 in found
    assert os.fsdecode(b"\xff") in found


def test_what_is_ignored_stays_here_but_for_what_the_engine_needs(tmp_path: Path) -> None:
    (tmp_path / "d" / "e").mkdir(parents=True)
    for name in ("Dockerfile", "d/keep", "d/drop", "d/e/drop", "x"):
        (tmp_path / name).write_text("")
    (tmp_path / ".dockerignore").write_text("*\n!d/keep\n")
    found = packed(ContextFolder(str(tmp_path), "Dockerfile"))
    assert set(found) == {".dockerignore", "Dockerfile", "d/keep"}
    reads_stdin = packed(ContextFolder(str(tmp_path), "Dockerfile", reads_stdin=True))
    assert set(reads_stdin) == {".dockerignore", "d/keep"}


def test_a_dockerfile_from_elsewhere_goes_along_and_is_ignored(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text("x")
    context = ContextFolder(str(tmp_path), "Dockerfile")
    context.add_dockerfile(".dockerfile.1", b"FROM a\n")
    packed_files = files(b"".join(context.archive()))
    assert list(packed_files) == [".dockerfile.1", ".dockerignore"]
    assert packed_files[".dockerignore"] == b"x\n.dockerignore\n.dockerfile.1\n"


def test_a_single_file_is_a_context() -> None:
    with tarfile.open(fileobj=io.BytesIO(single_file("Dockerfile", b"FROM a"))) as archive:
        assert archive.getnames() == ["Dockerfile"]


def test_an_ignore_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text("[")
    with pytest.raises(CommandFailedError, match="syntax error in pattern"):
        ContextFolder(str(tmp_path), "Dockerfile")
