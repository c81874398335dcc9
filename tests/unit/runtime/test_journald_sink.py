"""Entries of the journal."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

from naru.runtime.journald_sink import JournaldSink, field_name, is_available
from naru.runtime.log_attributes import LogSource
from naru.runtime.log_lines import STDERR, STDOUT, Record

_SOURCE = LogSource(
    container_id="0123456789ab" + "c" * 52,
    name="web",
    image_id="sha256:1",
    image_name="busybox",
    labels={"com.example/team": "two\nlines"},
)
_STAMP = b"2026-01-02T03:04:05.678901234"


def _entry(data: bytes) -> dict[str, bytes]:
    fields = {}
    while data:
        name, mark, rest = data.partition(b"\n")
        if b"=" in name:
            key, _, value = name.partition(b"=")
            fields[key.decode()], data = value, rest
        else:
            (length,) = struct.unpack_from("<Q", rest)
            fields[name.decode()] = rest[8 : 8 + length]
            assert mark == rest[8 + length : 9 + length] == b"\n"
            data = rest[9 + length :]
    return fields


def test_an_entry_has_dockers_fields(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    assert not is_available(str(path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(path))
        journal.settimeout(10)
        assert is_available(str(path))
        options = {"labels": "com.example/team", "tag": "{{.Name}}"}
        sink = JournaldSink(options, _SOURCE, path=str(path))
        long = Record(STDERR, _STAMP, b"e" * 17_000 + b"\n")
        assert sink.send([Record(STDOUT, _STAMP, b"out\n"), long]) == 2
        first, second, third = (_entry(journal.recv(65536)) for _ in range(3))
        sink.close()
    assert first == {
        "MESSAGE": b"out",
        "PRIORITY": b"6",
        "SYSLOG_TIMESTAMP": _STAMP + b"Z",
        "CONTAINER_ID": b"0123456789ab",
        "CONTAINER_ID_FULL": _SOURCE.container_id.encode(),
        "CONTAINER_NAME": b"web",
        "CONTAINER_TAG": b"web",
        "IMAGE_NAME": b"busybox",
        "SYSLOG_IDENTIFIER": b"web",
        "COM_EXAMPLE_TEAM": b"two\nlines",
    }
    assert (second["PRIORITY"], second["CONTAINER_PARTIAL_MESSAGE"]) == (b"3", b"true")
    assert "CONTAINER_PARTIAL_MESSAGE" not in third
    assert len(second["MESSAGE"] + third["MESSAGE"]) == 17_000


def test_a_journal_that_is_gone_takes_nothing(tmp_path: Path) -> None:
    sink = JournaldSink({}, _SOURCE, path=str(tmp_path / "gone"))
    assert sink.send([Record(STDOUT, _STAMP, b"out\n")]) == 0
    sink.close()


def test_names_become_what_the_journal_allows() -> None:
    assert field_name("_com.Example-1") == "COM_EXAMPLE_1"
