"""Files of folders and of archives, read by name."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from naru.client.copying.files import (
    FolderFiles,
    TarFiles,
    compression_of,
    open_archive,
    read_document,
    spooled,
    write_whole,
)
from naru.errors import CorruptDataError, FaultError, NotFoundError, NotSupportedError

DATA = bytes(range(256)) * 9000


def archive(*members: tuple[str, bytes | str]) -> bytes:
    """Return a tar of files, and of symbolic links where a text stands."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as writer:
        for name, data in members:
            info = tarfile.TarInfo(name)
            if isinstance(data, str):
                info.type, info.linkname = tarfile.SYMTYPE, data
                writer.addfile(info)
            else:
                info.size = len(data)
                writer.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


ARCHIVE = archive(("./a/data", DATA), ("b/link", "../a/data"), ("loop", "loop"), ("out", "/etc/x"))


def test_members_are_found_however_they_are_spelled_and_through_links(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(ARCHIVE)
    files = open_archive(str(path))
    for name in ("a/data", "/a//data", "b/link"):
        assert files.size(name) == len(DATA)
        assert b"".join(files.pieces(name)) == DATA
    assert compression_of(files, "a/data") == ""
    for name in ("loop", "out", "none", "a"):
        assert files.size(name) is None
        with pytest.raises(NotFoundError, match=f"has no {name}"):
            list(files.pieces(name))
    files.close()
    files.close()


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_archive_is_one(
    tmp_path: Path, compress: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(compress)
    (tmp_path / "spool").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "spool"))
    path = tmp_path / "x.tar.z"
    packed = compress(ARCHIVE)
    path.write_bytes(packed)
    files = open_archive(str(path))
    assert b"".join(files.pieces("b/link")) == DATA
    files.close()
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(CorruptDataError):
        open_archive(str(path))
    assert os.listdir(tmp_path / "spool") == []


def test_zstd_is_refused_with_advice(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\x28\xb5\x2f\xfd" + bytes(20))
    with pytest.raises(NotSupportedError) as raised:
        open_archive(str(tmp_path / "x"))
    assert "zstd -d" in raised.value.hint


def test_a_pipe_is_an_archive_too(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    if os.fork() == 0:
        with os.fdopen(writing, "wb") as writer:
            writer.write(ARCHIVE)
        os._exit(0)
    os.close(writing)
    files = open_archive(f"/proc/self/fd/{reading}")
    os.close(reading)
    os.wait()
    assert b"".join(files.pieces("a/data")) == DATA
    files.close()


def test_what_is_no_archive_says_so(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"words" * 1000)
    with pytest.raises(CorruptDataError, match="is no tar archive"):
        open_archive(str(path))
    with pytest.raises(NotFoundError, match="none: no such file"):
        open_archive(str(tmp_path / "none"))
    with pytest.raises(FaultError, match="is a directory"):
        open_archive(str(tmp_path))
    path.write_bytes(ARCHIVE[: len(DATA) // 2])
    with pytest.raises(CorruptDataError), open_file(path) as file:
        list(TarFiles(file, "x").pieces("a/data"))


def open_file(path: Path) -> io.BufferedReader:
    return path.open("rb")


def test_a_document_is_small(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"")
    os.truncate(tmp_path / "big", (16 << 20) + 1)
    files = FolderFiles(str(tmp_path))
    with pytest.raises(CorruptDataError, match="a document is smaller"):
        read_document(files, "big")
    with pytest.raises(NotFoundError, match="has no none"):
        read_document(files, "none")
    with pytest.raises(NotFoundError, match="no such folder"):
        FolderFiles(str(tmp_path / "big"))


def test_a_spool_that_is_not_filled_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    def pieces() -> Iterator[bytes]:
        yield ARCHIVE[:1000]
        raise FaultError("cut")

    with pytest.raises(FaultError, match="cut"):
        spooled(pieces(), "x")
    assert os.listdir(tmp_path) == []
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    with pytest.raises(FaultError, match=r"/none/.*: no such file or directory"):
        spooled([ARCHIVE], "x")


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path, temporary = tmp_path / "x", tmp_path / "t"
    write_whole(str(path), str(temporary), [b"one", b"", b"two"], 0o600)
    assert path.read_bytes() == b"onetwo"
    assert path.stat().st_mode & 0o777 == 0o600

    def pieces() -> Iterator[bytes]:
        yield b"new"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(str(path), str(temporary), pieces(), 0o600)
    assert path.read_bytes() == b"onetwo"
    assert os.listdir(tmp_path) == ["x"]
