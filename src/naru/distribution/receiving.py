"""The body of one answer, appended to a blob that may have begun to come before."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Protocol

import aiohttp

from naru.aio import in_thread, uncancelled
from naru.distribution.failures import RangeRefusedError
from naru.distribution.pace import paced
from naru.errors import CorruptDataError
from naru.oci.descriptor import Descriptor

# A hand-over to a thread costs as much as hashing 50 KiB; caches hold less than a MiB.
_BATCH = 512 << 10
_MAX_CHUNKS = 256
_RANGE = re.compile(r"bytes ([0-9]{1,19})(?![0-9])")
_TOTAL = re.compile(r"/([0-9]{1,19})$")


class BlobSink(Protocol):
    """Where a blob goes. `store.Ingest` is one."""

    @property
    def offset(self) -> int:
        """Bytes that are there already."""

    def write_all(self, pieces: Sequence[bytes]) -> object:
        """Add bytes at the end. Runs in a thread."""


async def receive(
    response: aiohttp.ClientResponse,
    descriptor: Descriptor,
    sink: BlobSink,
    progress: Callable[[int], None],
) -> None:
    """Append what `sink` does not have yet; a body that breaks off is kept as far as it came.

    The answer may begin at the blob's first byte although it was asked for the rest.

    Raises:
        RangeRefusedError: it begins behind what `sink` has, or does not say where.
        CorruptDataError: it is of another size than the descriptor says.
        RegistryUnreachableError: as `paced`.
    """
    # A server may ignore the range; then what we have is skipped.
    skip = sink.offset - _first_byte(response)
    if skip < 0:
        raise RangeRefusedError(f"registry sent another range of {descriptor.digest}")
    size = _told_size(response)
    if size is not None and size != descriptor.size:
        raise CorruptDataError(
            f"blob {descriptor.digest} has {size} bytes, {descriptor.size} were expected"
        )
    pending: list[bytes] = []
    waiting = 0
    received = sink.offset
    try:
        async for chunk in paced(response):
            if skip:
                skip, chunk = max(0, skip - len(chunk)), chunk[skip:]
            received += len(chunk)
            if received > descriptor.size:
                raise CorruptDataError(
                    f"blob {descriptor.digest} is longer than {descriptor.size} bytes"
                )
            pending.append(chunk)
            waiting += len(chunk)
            if waiting >= _BATCH or len(pending) >= _MAX_CHUNKS:
                batch, pending, waiting = pending, [], 0
                await uncancelled(in_thread(sink.write_all, batch))
                progress(sink.offset)
    finally:
        # What came before a cut or a cancellation is kept for the next attempt.
        if pending and received <= descriptor.size:
            await uncancelled(in_thread(sink.write_all, pending))
    progress(sink.offset)


def _first_byte(response: aiohttp.ClientResponse) -> int:
    """Return where in the blob the body starts."""
    if response.status != 206:
        return 0
    told = _RANGE.match(response.headers.get("Content-Range", ""))
    if told is None:
        raise RangeRefusedError("registry answered a range without saying which")
    return int(told[1])


def _told_size(response: aiohttp.ClientResponse) -> int | None:
    """Return how many bytes the whole blob has for the sender; None if it does not say."""
    if response.status == 206:
        total = _TOTAL.search(response.headers.get("Content-Range", ""))
        return int(total[1]) if total else None
    return response.content_length
