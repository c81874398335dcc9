"""The log driver `syslog`: one syslog message per line.

The time in a message is that of the line, not of its sending, which may come much later.

Spec: moby, daemon/logger/syslog, for options, formats and texts; RFC 3164, RFC 5424, RFC 5425
(messages on TLS are preceded by their length).
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from naru.errors import InvalidInputError
from naru.runtime.log_attributes import LogSource
from naru.runtime.log_endpoint import Address, Endpoint, parse_address
from naru.runtime.log_lines import STDERR, Record
from naru.runtime.log_sink import message_pieces
from naru.runtime.log_tag import DEFAULT_TAG, tag_text

OPTIONS: Final = frozenset(
    {
        "syslog-address",
        "syslog-facility",
        "syslog-format",
        "syslog-tls-ca-cert",
        "syslog-tls-cert",
        "syslog-tls-key",
        "syslog-tls-skip-verify",
    }
)
_FACILITIES: Final = (
    "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp "
    "12 13 14 15 local0 local1 local2 local3 local4 local5 local6 local7"
).split()
_DEFAULT_FACILITY: Final = "daemon"
_ERROR: Final = 3
_INFO: Final = 6
_LOCAL_SOCKETS: Final = ("/dev/log", "/var/run/syslog", "/var/run/log")
_PORT: Final = 514
_MONTHS: Final = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()

Format = Callable[[int, Record, str, bytes], bytes]


def check_options(options: Mapping[str, str]) -> None:
    """Refuse values that this driver cannot use.

    Raises:
        InvalidInputError: with Docker's words.
    """
    _addresses(options)
    _facility(options)
    _format(options)
    if bool(options.get("syslog-tls-cert")) != bool(options.get("syslog-tls-key")):
        raise InvalidInputError("syslog-tls-cert and syslog-tls-key must be given together")


def check_on_host(options: Mapping[str, str]) -> None:
    """Refuse a socket or a file that is not there; later it may well come and go.

    Raises:
        InvalidInputError: with Docker's words.
    """
    for address in _addresses(options) if options.get("syslog-address") else ():
        if address.path and not Path(address.path).exists():
            raise InvalidInputError(f"stat {address.path}: no such file or directory")
    for name in ("syslog-tls-ca-cert", "syslog-tls-cert", "syslog-tls-key"):
        if (path := options.get(name)) and not Path(path).is_file():
            raise InvalidInputError(f"could not load {name} {path}: no such file")


class SyslogSink:
    """Sends a container's lines to one syslog server."""

    def __init__(self, options: Mapping[str, str], source: LogSource) -> None:
        self._tag = tag_text(options.get("tag") or DEFAULT_TAG, source)
        self._facility = _facility(options)
        self._format = _format(options)
        addresses = _addresses(options)
        structured = options.get("syslog-format", "").startswith("rfc5424")
        self._is_counted = structured and addresses[0].scheme == "tcp+tls"
        self._endpoint = Endpoint(addresses, lambda: _tls_context(options))

    def send(self, records: Sequence[Record]) -> int:
        for count, record in enumerate(records):
            priority = self._facility << 3 | (_ERROR if record.stream == STDERR else _INFO)
            try:
                for piece, _ in message_pieces(record.data):
                    self._send(self._format(priority, record, self._tag, piece))
            except OSError:
                return count
        return len(records)

    def close(self) -> None:
        self._endpoint.close()

    def _send(self, message: bytes) -> None:
        message += b"\n"
        self._endpoint.send(b"%d %b" % (len(message), message) if self._is_counted else message)


def _addresses(options: Mapping[str, str]) -> list[Address]:
    text = options.get("syslog-address", "")
    if text:
        return [parse_address("syslog-address", text, default_port=_PORT)]
    return [
        Address(scheme, path=path) for scheme in ("unixgram", "unix") for path in _LOCAL_SOCKETS
    ]


def _facility(options: Mapping[str, str]) -> int:
    text = options.get("syslog-facility") or _DEFAULT_FACILITY
    if text in _FACILITIES:
        return _FACILITIES.index(text)
    if text.isascii() and text.isdigit() and int(text) < len(_FACILITIES):
        return int(text)
    raise InvalidInputError("invalid syslog facility")


def _format(options: Mapping[str, str]) -> Format:
    known = _FORMATS.get(options.get("syslog-format", ""))
    if known is None:
        raise InvalidInputError("Invalid syslog format")
    return known


def _moment(record: Record) -> datetime:
    # Six of nine digits: more a `datetime` does not hold.
    return datetime.fromisoformat(f"{record.timestamp[:26].decode()}+00:00").astimezone()


def _stamp(moment: datetime) -> str:
    return f"{_MONTHS[moment.month - 1]} {moment.day:2} {moment:%H:%M:%S}"


def _local(priority: int, record: Record, tag: str, text: bytes) -> bytes:
    head = f"<{priority}>{_stamp(_moment(record))} {tag}[{os.getpid()}]: "
    return head.encode() + text


def _rfc3164(priority: int, record: Record, tag: str, text: bytes) -> bytes:
    host = socket.gethostname()
    head = f"<{priority}>{_stamp(_moment(record))} {host} {tag}[{os.getpid()}]: "
    return head.encode() + text


def _rfc5424(priority: int, record: Record, tag: str, text: bytes) -> bytes:
    return _structured(priority, _moment(record).isoformat(timespec="seconds"), tag, text)


def _rfc5424micro(priority: int, record: Record, tag: str, text: bytes) -> bytes:
    return _structured(priority, _moment(record).isoformat(timespec="microseconds"), tag, text)


def _structured(priority: int, moment: str, tag: str, text: bytes) -> bytes:
    # The tag is the application's name, too: rsyslog makes its %syslogtag% of that.
    moment = moment.replace("+00:00", "Z")
    head = f"<{priority}>1 {moment} {socket.gethostname()} {tag} {os.getpid()} {tag} - "
    return head.encode() + text


_FORMATS: Final[dict[str, Format]] = {
    "": _local,
    "rfc3164": _rfc3164,
    "rfc5424": _rfc5424,
    "rfc5424micro": _rfc5424micro,
}


def _tls_context(options: Mapping[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=options.get("syslog-tls-ca-cert") or None)
    # Docker asks whether the option is there, not what it says.
    if "syslog-tls-skip-verify" in options:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate := options.get("syslog-tls-cert"):
        context.load_cert_chain(certificate, options["syslog-tls-key"])
    return context
