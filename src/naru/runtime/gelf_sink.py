"""The log driver `gelf`: one Graylog message per line.

Spec: GELF 1.1: JSON, compressed and cut into chunks on UDP, ended by a zero byte on TCP. moby,
daemon/logger/gelf, for options, fields and texts.
"""

from __future__ import annotations

import gzip
import os
import zlib
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

OPTIONS: Final = frozenset(
    {
        "gelf-address",
        "gelf-compression-level",
        "gelf-compression-type",
        "gelf-tcp-max-reconnect",
        "gelf-tcp-reconnect-delay",
    }
)
_ERROR: Final = 3
_INFO: Final = 6
_CHUNK_MAGIC: Final = b"\x1e\x0f"
_CHUNK_BYTES: Final = 1420 - 12
_MAX_CHUNKS: Final = 128
_FASTEST: Final = 1


def check_options(options: Mapping[str, str]) -> None:
    """Refuse values that this driver cannot use.

    Raises:
        InvalidInputError: with Docker's words.
        NotSupportedError: an option that has no meaning here.
    """
    address = _address(options)
    for name in ("gelf-compression-type", "gelf-compression-level"):
        value = options.get(name)
        if value is None:
            continue
        if address.scheme != "udp":
            raise InvalidInputError("compression is only supported on UDP")
        known = (
            ("gzip", "zlib", "none")
            if name == "gelf-compression-type"
            else tuple(str(level) for level in range(-1, 10))
        )
        if value not in known:
            raise InvalidInputError(
                f'unknown value "{value}" for log opt "{name}" for gelf log driver'
            )
    for name in ("gelf-tcp-max-reconnect", "gelf-tcp-reconnect-delay"):
        value = options.get(name)
        if value is None:
            continue
        if address.scheme != "tcp":
            raise InvalidInputError(f'"{name}" is only valid for TCP')
        # Lines wait in the spool until the server is back, however long that takes.
        raise NotSupportedError(f"{name} is not supported: lost connections are always made anew")


class GelfSink:
    """Sends a container's lines to one Graylog server."""

    def __init__(self, options: Mapping[str, str], source: LogSource) -> None:
        address = _address(options)
        self._is_datagram = address.keeps_messages_apart
        self._compression = options.get("gelf-compression-type", "gzip")
        self._level = int(options.get("gelf-compression-level", _FASTEST))
        self._endpoint = Endpoint([address])
        self._fields = {
            "version": "1.1",
            "host": source.hostname,
            "_container_id": source.container_id,
            "_container_name": source.name,
            "_image_id": source.image_id,
            "_image_name": source.image_name,
            "_command": source.command,
            "_tag": tag_text(options.get("tag") or DEFAULT_TAG, source),
            "_created": source.created,
            **extra_attributes(source, options, lambda name: f"_{name.removeprefix('_')}"),
        }

    def send(self, records: Sequence[Record]) -> int:
        for count, record in enumerate(records):
            moment = datetime.fromisoformat(f"{record.timestamp[:26].decode()}+00:00")
            try:
                for piece, _ in message_pieces(record.data):
                    self._send(
                        {
                            **self._fields,
                            "short_message": piece.decode(errors="replace"),
                            "timestamp": round(moment.timestamp(), 3),
                            "level": _ERROR if record.stream == STDERR else _INFO,
                        }
                    )
            except OSError:
                return count
        return len(records)

    def close(self) -> None:
        self._endpoint.close()

    def _send(self, message: Mapping[str, object]) -> None:
        data = msgspec.json.encode(message)
        if not self._is_datagram:
            self._endpoint.send(data + b"\0")
            return
        match self._compression:
            case "gzip":
                data = gzip.compress(data, self._level, mtime=0)
            case "zlib":
                data = zlib.compress(data, self._level)
        for chunk in _chunks(data):
            self._endpoint.send(chunk)


def _chunks(data: bytes) -> list[bytes]:
    if len(data) <= _CHUNK_BYTES:
        return [data]
    count = -(-len(data) // _CHUNK_BYTES)
    if count > _MAX_CHUNKS:
        # No server would take it.
        return []
    message_id = os.urandom(8)
    return [
        _CHUNK_MAGIC
        + message_id
        + bytes([number, count])
        + data[number * _CHUNK_BYTES : (number + 1) * _CHUNK_BYTES]
        for number in range(count)
    ]


def _address(options: Mapping[str, str]) -> Address:
    text = options.get("gelf-address", "")
    if not text:
        raise InvalidInputError("gelf-address is a required parameter")
    try:
        address = parse_address("gelf-address", text)
    except InvalidInputError as error:
        if "should be in form" in error.message:
            raise
        raise InvalidInputError("gelf: please provide gelf-address as proto://host:port") from error
    if address.scheme not in ("udp", "tcp"):
        raise InvalidInputError("gelf: endpoint needs to be TCP or UDP")
    return address
