"""The log driver `fluentd`: one event of the Forward protocol per line.

Spec: Fluentd, Forward Protocol v1, "Message Mode": a MessagePack array of tag, time and record;
times with nanoseconds are extension type 0. moby, daemon/logger/fluentd, for options, record and
texts.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from naru.errors import InvalidInputError, NotSupportedError
from naru.runtime.log_attributes import LogSource, extra_attributes
from naru.runtime.log_endpoint import Address, Endpoint, parse_address
from naru.runtime.log_lines import STDERR, Record
from naru.runtime.log_sink import message_pieces
from naru.runtime.log_tag import DEFAULT_TAG, tag_text
from naru.units import parse_flag

_ASYNC: Final = ("fluentd-async", "fluentd-async-connect")
_PRECISION: Final = "fluentd-sub-second-precision"
# Lines wait in the spool until the server is back, however long that takes.
_REFUSED: Final = (
    "fluentd-async-reconnect-interval",
    "fluentd-buffer-limit",
    "fluentd-max-retries",
    "fluentd-read-timeout",
    "fluentd-request-ack",
    "fluentd-retry-wait",
    "fluentd-write-timeout",
)
OPTIONS: Final = frozenset({"fluentd-address", _PRECISION, *_ASYNC, *_REFUSED})
_PORT: Final = 24224
_DEFAULT: Final = Address("tcp", "127.0.0.1", _PORT)
_EVENT_TIME: Final = 0


def check_options(options: Mapping[str, str]) -> None:
    """Refuse values that this driver cannot use.

    Raises:
        InvalidInputError: with Docker's words.
        NotSupportedError: an option that has no meaning here.
    """
    _address(options)
    for name in (*_ASYNC, _PRECISION):
        value = options.get(name)
        if value:
            parse_flag(value)
    if all(options.get(name) for name in _ASYNC):
        raise InvalidInputError(
            "conflicting options: cannot specify both 'fluentd-async' and 'fluentd-async-connect'"
        )
    for name in _REFUSED:
        if name in options:
            raise NotSupportedError(
                f"{name} is not supported: lines wait on the disk until the server takes them"
            )


class FluentdSink:
    """Sends a container's lines to one Fluentd server.

    Delivery never holds up the container, whether `fluentd-async` asks for that or not.
    """

    def __init__(self, options: Mapping[str, str], source: LogSource) -> None:
        self._tag = tag_text(options.get("tag") or DEFAULT_TAG, source)
        self._is_precise = parse_flag(options.get(_PRECISION) or "false")
        self._endpoint = Endpoint([_address(options)])
        self._fields = {
            "container_id": source.container_id,
            "container_name": f"/{source.name}",
            **extra_attributes(source, options),
        }

    def send(self, records: Sequence[Record]) -> int:
        for count, record in enumerate(records):
            try:
                for piece, _ in message_pieces(record.data):
                    self._endpoint.send(self._event(record, piece))
            except OSError:
                return count
        return len(records)

    def close(self) -> None:
        self._endpoint.close()

    def _event(self, record: Record, piece: bytes) -> bytes:
        fields = {
            **self._fields,
            "source": "stderr" if record.stream == STDERR else "stdout",
            "log": piece.decode(errors="replace"),
        }
        return msgspec.msgpack.encode([self._tag, self._time(record), fields])

    def _time(self, record: Record) -> int | msgspec.msgpack.Ext:
        moment = datetime.fromisoformat(f"{record.timestamp[:19].decode()}+00:00")
        seconds = int(moment.timestamp())
        if not self._is_precise:
            return seconds
        return msgspec.msgpack.Ext(
            _EVENT_TIME, struct.pack(">II", seconds, int(record.timestamp[20:29]))
        )


def _address(options: Mapping[str, str]) -> Address:
    given = options.get("fluentd-address", "")
    if not given:
        return _DEFAULT
    text = given if "://" in given else f"tcp://{given}"
    try:
        address = parse_address("fluentd-address", text, default_port=_PORT)
    except InvalidInputError as error:
        raise InvalidInputError(f"invalid fluentd-address {given}: {error.message}") from error
    if address.scheme not in ("tcp", "unix"):
        raise NotSupportedError(f"fluentd-address {given}: only tcp and unix are supported")
    return address
