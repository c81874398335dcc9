"""The file at LogPath: Docker's format, bounded exactly, whole lines only."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naru.runtime.json_log import JsonFormat, JsonLog
from naru.runtime.log_lines import STDERR, STDOUT, LogLines, Record

_STAMP = b"2026-01-02T03:04:05.678901234"


def _ignore(_: int) -> None:
    pass


def _line(text: bytes, stream: bytes = b"stdout") -> bytes:
    return _STAMP + b"+00:00 " + stream + b" F " + text + b"\n"


def test_a_line_is_one_object_with_dockers_names_in_their_order() -> None:
    out = LogLines().frames(_line(b"hello", b"stderr"), JsonFormat({"b": "2", "a": "1"}))
    assert out == (
        b'{"log":"hello\\n","stream":"stderr","attrs":{"a":"1","b":"2"},'
        b'"time":"2026-01-02T03:04:05.678901234Z"}\n'
    )


@given(
    st.lists(st.binary(max_size=40).map(lambda text: text.replace(b"\n", b"")), max_size=5),
    st.booleans(),
)
def test_any_output_is_readable_json(texts: list[bytes], short_way: bool) -> None:
    block = b"".join(_line(text) for text in texts)
    lines = LogLines()
    if short_way:
        written = lines.frames(block, JsonFormat({}))
    else:
        written = JsonFormat({}).records(lines.records(block))
    found = [json.loads(line)["log"] for line in written.splitlines()]
    assert found == [text.decode(errors="replace") + "\n" for text in texts]


def test_both_ways_write_the_same() -> None:
    texts = [b"plain", b'"quoted"', b"\xff\x00\x1b[0m", "käse".encode(), b""]
    block = b"".join(_line(text) for text in texts)
    short = LogLines().frames(block, JsonFormat({"k": "v"}))
    assert short == JsonFormat({"k": "v"}).records(LogLines().records(block))


def test_an_unfinished_line_has_no_end() -> None:
    written = JsonFormat({}).records([Record(STDOUT, _STAMP, b"foo"), Record(STDERR, _STAMP, b"")])
    assert [json.loads(line)["log"] for line in written.splitlines()] == ["foo", ""]


@pytest.mark.parametrize("max_files", [1, 2, 3])
def test_no_file_outgrows_its_bound_and_the_newest_lines_stay(
    tmp_path: Path, max_files: int
) -> None:
    log = JsonLog(tmp_path / "x-json.log", 100, max_files, compress=False)
    lines = [b"line %04d\n" % number for number in range(100)]
    for start in range(0, 100, 7):
        log.append(b"".join(lines[start : start + 7]), _ignore)
    log.close()
    names = ["x-json.log", *(f"x-json.log.{number}" for number in range(1, max_files))]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    contents = [(tmp_path / name).read_bytes() for name in names]
    assert all(len(content) <= 100 and content.endswith(b"\n") for content in contents)
    kept = b"".join(reversed(contents))
    assert b"".join(lines).endswith(kept)
    assert len(kept) > 100 * (max_files - 1)


def test_a_line_longer_than_the_bound_is_kept_whole(tmp_path: Path) -> None:
    log = JsonLog(tmp_path / "log", 10, 2, compress=False)
    log.append(b"a\n" + b"b" * 50 + b"\nc\n", _ignore)
    log.close()
    assert (tmp_path / "log").read_bytes() == b"c\n"
    assert (tmp_path / "log.1").read_bytes() == b"b" * 50 + b"\n"


def test_rotated_files_are_compressed(tmp_path: Path) -> None:
    log = JsonLog(tmp_path / "log", 10, 3, compress=True)
    for number in range(6):
        log.append(b"line %d..\n" % number, _ignore)
        log.pack()
    log.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log.1.gz", "log.2.gz"]
    assert gzip.decompress((tmp_path / "log.1.gz").read_bytes()) == b"line 4..\n"
    assert gzip.decompress((tmp_path / "log.2.gz").read_bytes()) == b"line 3..\n"


def test_what_was_written_after_a_mark_is_counted_over_rotations(tmp_path: Path) -> None:
    log = JsonLog(tmp_path / "log", 10, 3, compress=False)
    log.append(b"aaa\n", _ignore)
    mark = log.mark
    log.append(b"bbb\n" * 3, _ignore)
    assert log.written_since(mark) == 12
    assert log.written_since((0, 0)) == 16
    log.close()


def test_a_torn_line_is_cut_off(tmp_path: Path) -> None:
    log = JsonLog(tmp_path / "log", 0, 1, compress=False)
    for content, left in ((b"a\nb", b"a\n"), (b"b", b""), (b"a\n", b"a\n"), (b"", b"")):
        (tmp_path / "log").write_bytes(content)
        log.open()
        log.drop_torn_line()
        log.close()
        assert (tmp_path / "log").read_bytes() == left
