"""One blob on its way into a repository: whole, or in pieces that outlive a lost connection.

A small blob goes in one request. A large one goes in pieces, so that it gets past proxies that
bound a request, and after a cut goes on where the registry stands. Pieces that are too large all
the same are halved. A registry that takes no further pieces gets the blob again, in one request.
What is sent may still be growing.

Spec: distribution-spec v1.1, §Pushing blobs; end-4a, end-5, end-6, end-13.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from yarl import URL

from naru.aio import in_thread
from naru.distribution.failures import RegistryBusyError, RequestTooLargeError
from naru.distribution.pausing import pause_s
from naru.distribution.session import RegistryUnreachableError
from naru.distribution.upload import Answer, RepositoryWriter
from naru.errors import ForbiddenError, NaruError, NotFoundError, UnauthenticatedError
from naru.oci.digest import Digest
from naru.oci.distribution_errors import DigestInvalidError, TooManyRequestsError

PIECE_SIZE = 32 << 20
"""Bytes. Most limits of proxies are higher, and a cut costs no more than this."""
# No proxy's limit is lower, and smaller ones would take for ever.
_SMALLEST_PIECE = 64 << 10

# Small enough that the loop hands it over in well under a millisecond.
_READ_SIZE = 1 << 18
_LENGTH = re.compile(r"[0-9]{1,19}")
_RANGE = re.compile(r"(?:bytes=)?([0-9]{1,19})-([0-9]{1,19})")
_PASSING = (RegistryUnreachableError, RegistryBusyError, TooManyRequestsError)
# No other way of sending helps against these.
_FINAL = (UnauthenticatedError, ForbiddenError, DigestInvalidError, RequestTooLargeError)
_WHOLE = 1 << 63


class BlobSource(Protocol):
    """The bytes of a blob, which may still be in the making."""

    @property
    def digest(self) -> Digest:
        """Digest of all bytes; to be asked for when the size is known."""

    @property
    def size(self) -> int | None:
        """How many bytes there are in all; None while that is not known."""

    async def ready(self, count: int) -> int:
        """Wait until the first `count` bytes are there, or all; return how many are there.

        Raises:
            NaruError: there will be no more.
        """

    def read(self, offset: int, count: int) -> bytes:
        """Return bytes that are there, one at least. Runs in a thread."""


class _LostError(Exception):
    """An upload that cannot go on: the blob must be sent again, maybe in another way."""

    def __init__(self, cause: NaruError, *, whole: bool = False) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.whole = whole


class BlobUpload:
    """Sends one blob. `sent` hears how many bytes have gone, `pausing` of seconds to wait."""

    def __init__(
        self,
        writer: RepositoryWriter,
        source: BlobSource,
        *,
        sent: Callable[[int], object],
        pausing: Callable[[float], object],
    ) -> None:
        self._writer = writer
        self._source = source
        self._sent = sent
        self._pausing = pausing
        self._piece = PIECE_SIZE
        self._failures = 0

    async def run(self, begun: Answer | None = None) -> None:
        """Send the blob, into the upload that was `begun` or into one of its own.

        Raises:
            NaruError: the registry's answer, or what kept it from answering, in as many uploads
                as the client makes attempts; or what the source raises.
        """
        for attempt in range(1, self._writer.attempts + 1):
            begun = begun or await self._writer.begin_upload()
            try:
                await self._send(begun)
            except _LostError as lost:
                if attempt == self._writer.attempts:
                    raise lost.cause from lost
                if lost.whole:
                    self._piece = _WHOLE
                else:
                    await self._pause(lost.cause, attempt)
                begun = None
                self._sent(0)
            else:
                return

    async def _send(self, begun: Answer) -> None:
        location, offset = begun.location(), 0
        smallest = _LENGTH.fullmatch(begun.headers.get("OCI-Chunk-Min-Length", ""))
        least = int(smallest[0]) if smallest else 0
        self._failures = 0
        while True:
            piece = max(min(self._piece, self._writer.largest_body), least)
            there = await self._source.ready(offset + piece)
            size = self._source.size
            is_last = size is not None and (offset == size or (offset == 0 and size <= piece))
            count = min(piece, there - offset)
            try:
                if is_last:
                    await self._finish(location, offset, count)
                    return
                location, offset = await self._patch(location, offset, count)
            except RequestTooLargeError:
                # Limits are round numbers.
                smaller = 1 << max((count - 1).bit_length() - 1, 0)
                if smaller < max(least, _SMALLEST_PIECE) or self._piece == _WHOLE:
                    raise
                # The upload is where it was: it was no registry that looked at the body.
                self._writer.largest_body = min(smaller, self._writer.largest_body)
                self._sent(offset)

    async def _patch(self, location: URL, offset: int, count: int) -> tuple[URL, int]:
        """Send a piece; return where and from where on to continue."""
        end = offset + count
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(count),
            "Content-Range": f"{offset}-{end - 1}",
        }
        try:
            answer = await self._writer.ask(
                "PATCH",
                location,
                headers=headers,
                body=lambda: self._bytes(offset, end),
                attempts=1,
            )
        except _FINAL:
            raise
        except NotFoundError as error:
            raise _LostError(error) from error
        except NaruError as error:
            return await self._resume(location, offset, error)
        reached = _offset(answer, end)
        if not offset < reached <= end:
            failure = RegistryUnreachableError(f"registry took bytes to {reached} of {end}")
            return await self._resume(answer.location(), offset, failure)
        self._failures = 0
        return answer.location(), reached

    async def _resume(self, location: URL, offset: int, error: NaruError) -> tuple[URL, int]:
        """Ask where the registry stands after a piece that it did not take as it should."""
        is_passing = isinstance(error, _PASSING)
        self._failures += 1
        if self._failures >= self._writer.attempts:
            raise _LostError(error)
        if is_passing:
            await self._pause(error, self._failures)
        try:
            answer = await self._writer.ask("GET", location)
        except _FINAL:
            raise
        except NaruError:
            raise _LostError(error, whole=not is_passing) from error
        reached = _offset(answer, 0)
        there = await self._source.ready(0)
        if reached > there or (reached == offset and not is_passing):
            # It stands where we believe, and still refuses what follows.
            raise _LostError(error, whole=True)
        return answer.location(), reached

    async def _finish(self, location: URL, offset: int, count: int) -> None:
        """Send the rest, and tell the digest of all; make sure that the blob is there."""
        digest = self._source.digest
        joint = "&" if location.raw_query_string else "?"
        target = URL(f"{location}{joint}digest={digest}", encoded=True)
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(count)}
        try:
            await self._writer.ask(
                "PUT",
                target,
                headers=headers,
                body=lambda: self._bytes(offset, offset + count),
                attempts=1,
            )
        except _FINAL:
            raise
        except NaruError as error:
            # The answer may have been lost, and the blob be there.
            if isinstance(error, _PASSING):
                await self._pause(error, 1)
            if await self._writer.has_blob(digest):
                return
            is_refused = not isinstance(error, (*_PASSING, NotFoundError))
            if is_refused and (self._piece == _WHOLE or not offset):
                raise
            raise _LostError(error, whole=is_refused) from error

    async def _bytes(self, offset: int, end: int) -> AsyncIterator[bytes]:
        while offset < end:
            data = await in_thread(self._source.read, offset, min(_READ_SIZE, end - offset))
            yield data
            offset += len(data)
            self._sent(offset)

    async def _pause(self, error: NaruError, attempt: int) -> None:
        asked_s = None
        if isinstance(error, (RegistryBusyError, TooManyRequestsError)):
            asked_s = error.asked_pause_s
        seconds = pause_s(attempt, asked_s)
        self._pausing(seconds)
        await self._writer.clock.sleep(seconds)


def _offset(answer: Answer, expected: int) -> int:
    """Return how many bytes a registry says that it has; `expected` if it says nothing."""
    match = _RANGE.fullmatch(answer.headers.get("Range", "").strip())
    if match is None:
        return expected
    last = int(match[2])
    # Nothing at all and one byte are told alike.
    return last + 1 if last or expected == 1 else 0
