"""The log driver `journald`: one entry of systemd's journal per line.

Spec: systemd, "Native Journal Protocol": a datagram of `NAME=value` lines, where a value with a
newline in it is preceded by its length instead. moby, daemon/logger/journald, for the fields.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from naru.runtime.log_attributes import LogSource, extra_attributes
from naru.runtime.log_endpoint import Address, Endpoint
from naru.runtime.log_lines import STDERR, Record
from naru.runtime.log_sink import message_pieces
from naru.runtime.log_tag import DEFAULT_TAG, tag_text

SOCKET: Final = "/run/systemd/journal/socket"
_ERROR: Final = 3
_INFO: Final = 6


def is_available(path: str = SOCKET) -> bool:
    """Say whether this machine has a journal."""
    return Path(path).is_socket()


class JournaldSink:
    """Sends a container's lines to the journal."""

    def __init__(
        self, options: Mapping[str, str], source: LogSource, *, path: str = SOCKET
    ) -> None:
        tag = tag_text(options.get("tag") or DEFAULT_TAG, source)
        fields = {
            "CONTAINER_ID": source.short_id,
            "CONTAINER_ID_FULL": source.container_id,
            "CONTAINER_NAME": source.name,
            "CONTAINER_TAG": tag,
            "IMAGE_NAME": source.image_name,
            "SYSLOG_IDENTIFIER": tag,
            **extra_attributes(source, options, field_name),
        }
        self._fields = b"".join(_field(name, text.encode()) for name, text in fields.items())
        self._endpoint = Endpoint([Address("unixgram", path=path)])

    def send(self, records: Sequence[Record]) -> int:
        for count, record in enumerate(records):
            priority = _ERROR if record.stream == STDERR else _INFO
            stamp = record.timestamp.decode()
            fields = self._fields + _field("PRIORITY", b"%d" % priority)
            fields += _field("SYSLOG_TIMESTAMP", f"{stamp}Z".encode())
            try:
                for piece, is_last in message_pieces(record.data):
                    partial = b"" if is_last else _field("CONTAINER_PARTIAL_MESSAGE", b"true")
                    self._endpoint.send(_field("MESSAGE", piece) + fields + partial)
            except OSError:
                return count
        return len(records)

    def close(self) -> None:
        self._endpoint.close()


def field_name(name: str) -> str:
    """Return a name as the journal allows it: upper case, digits and underscores inside."""
    allowed = (c.upper() if c.isascii() and c.isalnum() else "_" for c in name)
    return "".join(allowed).lstrip("_")


def _field(name: str, value: bytes) -> bytes:
    if b"\n" in value:
        return b"%b\n%b%b\n" % (name.encode(), struct.pack("<Q", len(value)), value)
    return b"%b=%b\n" % (name.encode(), value)
