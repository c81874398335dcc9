"""Messages for Graylog."""

from __future__ import annotations

import gzip
import json
import random
import socket
import zlib
from collections.abc import Callable

import pytest

from naru.errors import InvalidInputError, NotSupportedError
from naru.runtime.gelf_sink import GelfSink, check_options
from naru.runtime.log_attributes import LogSource
from naru.runtime.log_lines import STDERR, STDOUT, Record

_SOURCE = LogSource(
    container_id="0123456789ab" + "c" * 52,
    name="web",
    image_id="sha256:1",
    image_name="busybox",
    argv=("sh", "-c", "true"),
    env=("STAGE=test",),
    hostname="host",
    created="2026-01-01T00:00:00Z",
)
_STAMP = b"2026-01-02T03:04:05.678901234"


@pytest.mark.parametrize(
    ("kind", "unpack"), [("none", bytes), ("gzip", gzip.decompress), ("zlib", zlib.decompress)]
)
def test_a_line_is_a_message(kind: str, unpack: Callable[[bytes], bytes]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        options = {
            "gelf-address": f"udp://127.0.0.1:{server.getsockname()[1]}",
            "gelf-compression-type": kind,
            "env": "STAGE",
        }
        sink = GelfSink(options, _SOURCE)
        assert sink.send([Record(STDERR, _STAMP, b"bad \xff\n")]) == 1
        message = json.loads(unpack(server.recv(65536)))
        sink.close()
    assert message == {
        "version": "1.1",
        "host": "host",
        "short_message": "bad �",
        "timestamp": 1767323045.679,
        "level": 3,
        "_container_id": _SOURCE.container_id,
        "_container_name": "web",
        "_image_id": "sha256:1",
        "_image_name": "busybox",
        "_command": "sh -c true",
        "_tag": "0123456789ab",
        "_created": "2026-01-01T00:00:00Z",
        "_STAGE": "test",
    }


def test_what_does_not_fit_a_datagram_comes_in_chunks() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        address = f"udp://127.0.0.1:{server.getsockname()[1]}"
        sink = GelfSink({"gelf-address": address, "gelf-compression-type": "none"}, _SOURCE)
        line = "".join(random.choices("abcdef", k=5000)).encode()
        assert sink.send([Record(STDOUT, _STAMP, line)]) == 1
        chunks = [server.recv(65536) for _ in range(4)]
        sink.close()
    assert all(len(chunk) <= 1420 and chunk[:2] == b"\x1e\x0f" for chunk in chunks)
    assert len({chunk[2:10] for chunk in chunks}) == 1
    assert [tuple(chunk[10:12]) for chunk in chunks] == [(number, 4) for number in range(4)]
    message = json.loads(b"".join(chunk[12:] for chunk in chunks))
    assert message["short_message"] == line.decode()


def test_on_tcp_messages_end_with_a_zero() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        sink = GelfSink({"gelf-address": f"tcp://127.0.0.1:{server.getsockname()[1]}"}, _SOURCE)
        assert sink.send([Record(STDOUT, _STAMP, b"one\n"), Record(STDOUT, _STAMP, b"two\n")]) == 2
        sink.close()
        connection, _ = server.accept()
        with connection, connection.makefile("rb") as stream:
            one, two, rest = stream.read().split(b"\0")
    assert json.loads(one)["short_message"] == "one"
    assert json.loads(two)["short_message"] == "two"
    assert rest == b""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "gelf-address is a required parameter"),
        ({"gelf-address": "foo"}, "gelf-address should be in form proto://address, got foo"),
        ({"gelf-address": "unix:///x"}, "gelf: endpoint needs to be TCP or UDP"),
        ({"gelf-address": "udp://h"}, "gelf: please provide gelf-address as proto://host:port"),
        (
            {"gelf-address": "udp://h:1", "gelf-compression-type": "x"},
            'unknown value "x" for log opt "gelf-compression-type" for gelf log driver',
        ),
        (
            {"gelf-address": "udp://h:1", "gelf-compression-level": "10"},
            'unknown value "10" for log opt "gelf-compression-level" for gelf log driver',
        ),
        (
            {"gelf-address": "tcp://h:1", "gelf-compression-level": "1"},
            "compression is only supported on UDP",
        ),
        (
            {"gelf-address": "udp://h:1", "gelf-tcp-max-reconnect": "1"},
            '"gelf-tcp-max-reconnect" is only valid for TCP',
        ),
    ],
)
def test_values_that_make_no_sense_are_refused(options: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        check_options(options)
    assert caught.value.message == words


def test_limits_of_reconnecting_are_refused() -> None:
    with pytest.raises(NotSupportedError, match="gelf-tcp-max-reconnect is not supported"):
        check_options({"gelf-address": "tcp://h:1", "gelf-tcp-max-reconnect": "1"})
