"""Events for Fluentd."""

from __future__ import annotations

import socket
import struct

import msgspec
import pytest

from naru.errors import InvalidInputError, NotSupportedError
from naru.runtime.fluentd_sink import FluentdSink, check_options
from naru.runtime.log_attributes import LogSource
from naru.runtime.log_lines import STDERR, STDOUT, Record

_SOURCE = LogSource(
    container_id="0123456789ab" + "c" * 52,
    name="web",
    image_id="sha256:1",
    image_name="busybox",
    env=("STAGE=test",),
)
_STAMP = b"2026-01-02T03:04:05.678901234"


def _sent(**options: str) -> bytes:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        address = f"127.0.0.1:{server.getsockname()[1]}"
        sink = FluentdSink({"fluentd-address": address, "env": "STAGE", **options}, _SOURCE)
        assert sink.send([Record(STDERR, _STAMP, b"bad \xff\n")]) == 1
        sink.close()
        connection, _ = server.accept()
        with connection, connection.makefile("rb") as stream:
            return stream.read()


def test_a_line_is_an_event() -> None:
    assert msgspec.msgpack.decode(_sent(tag="app.{{.Name}}")) == [
        "app.web",
        1767323045,
        {
            "container_id": _SOURCE.container_id,
            "container_name": "/web",
            "source": "stderr",
            "log": "bad �",
            "STAGE": "test",
        },
    ]


def test_a_time_may_have_nanoseconds() -> None:
    option = {"fluentd-sub-second-precision": "true"}
    tag, time, _ = msgspec.msgpack.decode(_sent(**option))
    assert tag == "0123456789ab"
    assert (time.code, struct.unpack(">II", time.data)) == (0, (1767323045, 678901234))


def test_nobody_takes_nothing() -> None:
    sink = FluentdSink({"fluentd-address": "unix:///nope"}, _SOURCE)
    assert sink.send([Record(STDOUT, _STAMP, b"x\n")]) == 0
    sink.close()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"fluentd-address": "host"},
        {"fluentd-address": "tcp://host:1", "fluentd-async": "true"},
        {"fluentd-address": "unix:///x", "fluentd-async-connect": "0"},
    ],
)
def test_what_makes_sense_is_taken(options: dict[str, str]) -> None:
    check_options(options)


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"fluentd-address": "foo://x:y"}, InvalidInputError, "invalid fluentd-address foo://x:y"),
        ({"fluentd-address": "udp://x:1"}, NotSupportedError, "only tcp and unix"),
        ({"fluentd-async": "maybe"}, InvalidInputError, 'strconv.ParseBool: parsing "maybe"'),
        (
            {"fluentd-async": "true", "fluentd-async-connect": "true"},
            InvalidInputError,
            "conflicting options",
        ),
        ({"fluentd-request-ack": "true"}, NotSupportedError, "fluentd-request-ack"),
    ],
)
def test_the_rest_is_refused(options: dict[str, str], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind) as caught:
        check_options(options)
    assert words in str(caught.value)
