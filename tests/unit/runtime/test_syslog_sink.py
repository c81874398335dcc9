"""Syslog messages in each format, over each transport."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import ssl
import threading
from pathlib import Path

import pytest

from fakes.certificates import Authority
from naru.errors import InvalidInputError
from naru.runtime.log_attributes import LogSource
from naru.runtime.log_lines import STDERR, STDOUT, Record
from naru.runtime.syslog_sink import SyslogSink, check_on_host, check_options

_SOURCE = LogSource(
    container_id="0123456789ab" + "c" * 52, name="web", image_id="sha256:1", image_name="busybox"
)
_RECORDS = [
    Record(STDOUT, b"2026-01-02T03:04:05.678901234", b"out\n"),
    Record(STDERR, b"2026-01-02T03:04:06.000000000", b"err"),
]
_HOST = re.escape(socket.gethostname())
_PID = os.getpid()
_ID = "0123456789ab"
_ZONE = r"(Z|[+-]\d\d:\d\d)"


def _sent(tmp_path: Path, **options: str) -> list[bytes]:
    path = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(path))
        server.settimeout(10)
        renamed = {f"syslog-{name}": value for name, value in options.items() if name != "tag"}
        renamed |= {"tag": options["tag"]} if "tag" in options else {}
        sink = SyslogSink({"syslog-address": f"unixgram://{path}", **renamed}, _SOURCE)
        assert sink.send(_RECORDS) == 2
        sink.close()
        return [server.recv(65536) for _ in _RECORDS]


@pytest.mark.parametrize(
    ("options", "out"),
    [
        ({}, rf"<30>Jan  2 \d\d:04:05 0123456789ab\[{_PID}\]: out"),
        (
            {"format": "rfc3164", "facility": "local0", "tag": "{{.Name}}"},
            rf"<134>Jan  2 \d\d:04:05 {_HOST} web\[{_PID}\]: out",
        ),
        (
            {"format": "rfc5424", "facility": "3"},
            rf"<30>1 2026-01-0\dT\d\d:04:05{_ZONE} {_HOST} {_ID} {_PID} {_ID} - out",
        ),
        (
            {"format": "rfc5424micro"},
            rf"<30>1 2026-01-0\dT\d\d:04:05\.678901{_ZONE} {_HOST} {_ID} {_PID} {_ID} - out",
        ),
    ],
    # Names of tests that are shared out among processes must not hold this process's id.
    ids=("plain", "rfc3164", "rfc5424", "rfc5424micro"),
)
def test_a_line_is_a_message_with_its_own_time(
    tmp_path: Path, options: dict[str, str], out: str
) -> None:
    first, second = _sent(tmp_path, **options)
    assert re.fullmatch(out + "\n", first.decode())
    severity = int(second[1 : second.index(b">")]) & 7
    assert severity == 3
    assert second.endswith(b"err\n")


def test_a_long_line_comes_in_messages_that_a_server_takes(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(path))
        server.settimeout(10)
        sink = SyslogSink({"syslog-address": f"unixgram://{path}"}, _SOURCE)
        line = b"x" * 40_000 + b"\n"
        assert sink.send([Record(STDOUT, _RECORDS[0].timestamp, line)]) == 1
        parts = [server.recv(65536).rpartition(b": ")[2].rstrip() for _ in range(3)]
        sink.close()
    assert [len(part) for part in parts] == [16384, 16384, 7232]


def test_what_was_not_sent_is_told(tmp_path: Path) -> None:
    sink = SyslogSink({"syslog-address": f"unix://{tmp_path / 'nobody'}"}, _SOURCE)
    assert sink.send(_RECORDS) == 0
    sink.close()


def test_messages_on_tls_are_counted_and_servers_are_verified(tmp_path: Path) -> None:
    certificates = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificates.issue("server", usage="serverAuth"))
    got: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for _ in range(3):
                connection, _ = server.accept()
                with (
                    contextlib.suppress(OSError),
                    context.wrap_socket(connection, server_side=True) as stream,
                ):
                    got.append(stream.makefile("rb").read())

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        options = {
            "syslog-address": f"tcp+tls://127.0.0.1:{server.getsockname()[1]}",
            "syslog-format": "rfc5424",
        }
        trusting = {**options, "syslog-tls-ca-cert": str(certificates.certificate)}
        skipping = {**options, "syslog-tls-skip-verify": "1"}
        for chosen, sent in ((options, 0), (trusting, 2), (skipping, 2)):
            sink = SyslogSink(chosen, _SOURCE)
            assert sink.send(_RECORDS) == sent
            sink.close()
        thread.join(10)
    assert len(got) == 2
    first, _, rest = got[0].partition(b"\n")
    count, _, message = first.partition(b" ")
    assert int(count) == len(message) + 1
    assert message.endswith(b" - out")
    assert rest.endswith(b" - err\n")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"syslog-address": "foo"}, "syslog-address should be in form proto://address, got foo"),
        ({"syslog-address": "http://x"}, "should be in form proto://address, got http://x"),
        ({"syslog-address": "tcp://:99999"}, "invalid syslog-address tcp://:99999"),
        ({"syslog-facility": "24"}, "invalid syslog facility"),
        ({"syslog-format": "x"}, "Invalid syslog format"),
        ({"syslog-tls-cert": __file__}, "must be given together"),
    ],
)
def test_values_that_make_no_sense_are_refused(options: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        check_options(options)
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"syslog-address": "unix:///nope"}, "stat /nope: no such file or directory"),
        ({"syslog-tls-ca-cert": "/nope"}, "could not load syslog-tls-ca-cert /nope"),
    ],
)
def test_what_is_not_there_is_refused_at_creation_only(options: dict[str, str], words: str) -> None:
    check_options(options)
    with pytest.raises(InvalidInputError) as caught:
        check_on_host(options)
    assert words in caught.value.message


def test_a_port_may_be_left_out() -> None:
    check_options({"syslog-address": "udp://192.0.2.1", "syslog-facility": "23"})
