"""What a log driver's other end looks like to `log_keeping`.

A sink is blocking and is used by one thread at a time. It takes lines, or pieces of very long
ones, in order. A file sink is told bytes and where they come from, so that it can go on exactly
where a killed engine stopped; a remote one may get the last lines before a kill twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from naru.runtime.log_lines import Record

# Docker's bound on what one message of a driver holds.
MESSAGE_BYTES: Final = 16 << 10


class RemoteSink(Protocol):
    """A service that lines are sent to."""

    def send(self, records: Sequence[Record]) -> int:
        """Send records, and return how many were sent before it failed or all were through."""

    def close(self) -> None:
        """Disconnect. Idempotent."""


def message_pieces(data: bytes) -> Iterator[tuple[bytes, bool]]:
    """Yield a line without its end in pieces of a message's size, and whether each is the last."""
    line = data.removesuffix(b"\n")
    for start in range(0, len(line) or 1, MESSAGE_BYTES):
        yield line[start : start + MESSAGE_BYTES], start + MESSAGE_BYTES >= len(line)
