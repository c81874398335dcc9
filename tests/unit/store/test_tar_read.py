"""The tar reader: dialects it reads, and lies it catches."""

from __future__ import annotations

import io
import os
import tarfile

import pytest

from naru.errors import CorruptDataError, NotSupportedError
from naru.store.tar_read import DIRECTORY, MAX_REST, Entry, Readable, TarReader
from suites import raw_tar as raw


def entries(data: bytes) -> list[Entry]:
    reader = TarReader(io.BytesIO(data))
    found = []
    while (entry := reader.next()) is not None:
        found.append(entry)
    return found


def only(data: bytes) -> Entry:
    (entry,) = entries(data)
    return entry


class TrickleStream:
    """Gives out a few bytes at a time, and has no readinto."""

    def __init__(self, data: bytes, step: int) -> None:
        self._stream, self._step = io.BytesIO(data), step

    def read(self, count: int, /) -> bytes:
        return self._stream.read(min(count, self._step))


@pytest.mark.parametrize("format_", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_dialect_that_python_writes_is_read_back(format_: int) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format_) as archive:
        for name in (
            "a",
            "d" * 90 + "/" + "e" * 90,
            "ü" if format_ != tarfile.USTAR_FORMAT else "u",
        ):
            info = tarfile.TarInfo(name)
            info.size, info.uid, info.gid, info.mtime, info.mode = 5, 1000, 1001, 1234567, 0o4755
            archive.addfile(info, io.BytesIO(b"hello"))
    found = entries(buffer.getvalue())
    assert [entry.name.decode() for entry in found][1] == "d" * 90 + "/" + "e" * 90
    assert {(e.size, e.uid, e.gid, e.mtime_ns, e.mode) for e in found} == {
        (5, 1000, 1001, 1234567 * 10**9, 0o4755)
    }


@pytest.mark.parametrize("step", [1, 7, 511, 513, 4096])
def test_the_size_of_reads_changes_nothing(step: int) -> None:
    data = raw.archive(raw.member("a", b"x" * 1000), raw.member("b", b"y" * 3), raw.directory("d"))
    reader = TarReader(TrickleStream(data, step))
    names, contents = [], []
    while (entry := reader.next()) is not None:
        names.append(entry.name)
        contents.append(reader.read_data(5000))
    assert names == [b"a", b"b", b"d/"]
    assert contents == [b"x" * 1000, b"y" * 3, b""]


def test_pieces_of_an_entry_add_up_to_it() -> None:
    reader = TarReader(io.BytesIO(raw.archive(raw.member("a", b"abc" * 1000), raw.member("b"))))
    assert reader.next() is not None
    data = b""
    while piece := reader.read_piece(700):
        data += bytes(piece)
    assert data == b"abc" * 1000
    following = reader.next()
    assert following is not None
    assert following.name == b"b"


def test_pax_overrides_the_header() -> None:
    entry = only(
        raw.archive(
            raw.pax(
                {
                    b"path": b"long/" * 200 + b"x",
                    b"size": b"3",
                    b"uid": b"4000000",
                    b"mtime": b"12.5",
                    b"SCHILY.xattr.user.a": b"b\n=\0c",
                }
            ),
            raw.member("short", b"abc"),
        )
    )
    assert entry.name == b"long/" * 200 + b"x"
    assert (entry.size, entry.uid, entry.mtime_ns) == (3, 4000000, 12_500_000_000)
    assert entry.xattrs == {b"user.a": b"b\n=\0c"}


def test_a_global_pax_header_renames_nothing() -> None:
    assert only(raw.archive(raw.pax({b"path": b"evil"}, b"g"), raw.member("a"))).name == b"a"


def test_numbers_may_be_base_256() -> None:
    entry = only(
        raw.archive(raw.member("a", uid=raw.base256(3_000_000, 8), mtime=raw.base256(-5, 12)))
    )
    assert (entry.uid, entry.mtime_ns) == (3_000_000, -5 * 10**9)


def test_a_name_with_a_slash_at_its_end_is_a_directory() -> None:
    assert only(raw.archive(raw.member("d/", kind=b"\0"))).kind == DIRECTORY


def test_links_have_no_data_whatever_they_say() -> None:
    data = raw.header(b"l", b"2", link=b"x", size=1024) + raw.member("next") + raw.END
    assert [entry.name for entry in entries(data)] == [b"l", b"next"]


def test_signed_checksums_of_old_writers_are_taken() -> None:
    block = raw.header(b"\xff\xfe")
    fresh = block[:148] + b" " * 8 + block[156:]
    signed = sum(memoryview(fresh).cast("b"))
    assert only(raw.header(b"\xff\xfe", checksum=b"%06o\0 " % signed) + raw.END).name == b"\xff\xfe"


def test_an_empty_stream_is_an_empty_archive() -> None:
    assert entries(b"") == []
    assert entries(raw.END) == []


def test_an_archive_may_end_without_an_end_marker() -> None:
    assert len(entries(raw.member("a", b"data"))) == 1


def test_an_archive_may_end_right_behind_its_data_as_dockers_client_ends_them() -> None:
    assert len(entries(raw.member("a", b"data")[:516])) == 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            raw.member("a") + raw.header(b"bad", checksum=b"0000001\0") + raw.END,
            "'bad': header checksum",
        ),
        (raw.member("cut", b"x" * 600)[:1000], "'cut': cut off"),
        (raw.member("cut", b"x" * 600)[:1113], "'cut': cut off"),
        (raw.member("one") + raw.header(b"two")[:100], "behind 'one'"),
        (raw.member("huge", size=raw.base256(2**70, 12)), "'huge': impossible size"),
        (raw.member("minus", size=raw.base256(-1, 12)), "'minus': impossible size"),
        (raw.member("text", size=b"12x45678901\0"), "'text': bad number"),
        (raw.member("under", size=b"0000000_001\0"), "'under': bad number"),
        (raw.member("nine", size=b"00000000009\0"), "'nine': bad number"),
        (raw.member("owner", uid=raw.base256(2**32 - 1, 8)), "'owner': impossible owner"),
        (raw.member("device", kind=b"3", major=2**12), "impossible device"),
        (raw.member(""), "no valid name"),
        (raw.pax({b"path": b"a\0b"}) + raw.member("a"), "zero byte"),
        (raw.pax({b"size": b"-4"}) + raw.member("a"), "bad pax size"),
        (raw.pax({b"size": b"9" * 30}) + raw.member("a"), "bad pax size"),
        (raw.pax({b"size": b"9" * 19}) + raw.member("a"), "impossible size"),
        (raw.pax({b"mtime": b"now"}) + raw.member("a"), "bad pax mtime"),
        (raw.header(b"p", b"x", size=4) + raw.padded(b"99 a"), "bad pax header"),
        (raw.header(b"p", b"x", size=2**21), "extension of 2097152 bytes"),
        (raw.pax({b"path": b"a"}) + raw.END, "behind an extension"),
        (bytes(512) + raw.member("a"), "bad end marker"),
        (b"\x1f\x8b" + bytes(510), "archive/tar: invalid tar header"),
        (b"no tar at all\n" * 100, "archive/tar: invalid tar header"),
        (b"not a tar at all", "cut off in its first header"),
    ],
)
def test_broken_archives_are_named_and_refused(data: bytes, words: str) -> None:
    with pytest.raises(CorruptDataError) as caught:
        entries(data)
    assert words in caught.value.message


@pytest.mark.parametrize(
    "data",
    [
        raw.member("a", kind=b"S"),
        raw.pax({b"GNU.sparse.major": b"1"}) + raw.member("a"),
        raw.member("a", kind=b"M"),
    ],
)
def test_sparse_and_unknown_entries_are_refused_by_name(data: bytes) -> None:
    with pytest.raises(NotSupportedError, match="'a'"):
        entries(data)


def test_read_data_is_bounded() -> None:
    reader = TarReader(io.BytesIO(raw.archive(raw.member("a", b"x" * 100))))
    reader.next()
    with pytest.raises(CorruptDataError, match="larger than 99 bytes"):
        reader.read_data(99)


def test_the_whole_stream_is_read_when_drained() -> None:
    stream = io.BytesIO(raw.archive(raw.member("a")) + bytes(5_000_000))
    reader = TarReader(stream)
    while reader.next() is not None:
        pass
    reader.drain()
    assert stream.read() == b""


def _read_whole(stream: Readable) -> None:
    reader = TarReader(stream)
    while reader.next() is not None:
        pass
    reader.drain()


class _Endless:
    """Begins well, and never ends."""

    def __init__(self, head: bytes, piece: bytes) -> None:
        self._head, self._piece = head, piece
        self.given = 0

    def read(self, count: int, /) -> bytes:
        self.given += count
        data, self._head = self._head or self._piece * (count // len(self._piece) + 1), b""
        return data[:count]


@pytest.mark.parametrize("head", [b"", raw.archive(raw.member("a", b"x"))])
@pytest.mark.parametrize("piece", [b"\0", b"garbage"])
def test_what_has_no_end_is_not_read_on(head: bytes, piece: bytes) -> None:
    stream = _Endless(head, piece)
    with pytest.raises(CorruptDataError, match=r"bytes follow the archive's end$|invalid tar head"):
        _read_whole(stream)
    assert stream.given <= MAX_REST + (4 << 20)


def test_copy_to_writes_all_of_a_large_entry() -> None:
    data = os.urandom(3_000_000)
    reader = TarReader(io.BytesIO(raw.archive(raw.member("big", data))))
    reader.next()
    descriptor = os.memfd_create("copy")
    try:
        reader.copy_to(descriptor)
        assert os.pread(descriptor, len(data) + 1, 0) == data
    finally:
        os.close(descriptor)
