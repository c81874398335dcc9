"""One client's connection: HTTP by aiohttp, until a handler takes it over for raw bytes.

Owns the edges that HTTP servers blur: what was sent behind a request that takes the connection
over, a client that closes its sending side and reads on, and a client that is gone. Lives on
the loop; made by `server.api_server` for every connection.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler

from naru.server.hangup import HangupWatch
from naru.server.opening import may_open, request_length

_log = logging.getLogger(__name__)
# How much raw input is kept for a reader that is slower than its client.
_HIGH_WATER = 1 << 20


class RawStream:
    """A connection without HTTP: bytes in, bytes out, with back-pressure both ways."""

    def __init__(self, connection: ApiConnection, received: bytes, *, ended: bool) -> None:
        self._connection = connection
        self._received = bytearray(received)
        self._ended = ended
        self._paused = False
        self._readable = asyncio.Event()
        if received or ended:
            self._readable.set()

    async def read(self) -> bytes:
        """Return what the client sent; nothing when it will send no more, or is gone."""
        await self._readable.wait()
        data = bytes(self._received)
        self._received.clear()
        if not self._ended:
            self._readable.clear()
            if self._paused:
                self._paused = False
                self._connection.resume_input()
        return data

    async def write(self, data: bytes) -> None:
        """Send bytes, waiting for a client that reads slowly.

        Raises:
            ConnectionResetError: the client is gone.
        """
        await self._connection.send(data)

    def feed(self, data: bytes) -> None:
        """Take what came."""
        self._received += data
        self._readable.set()
        if len(self._received) > _HIGH_WATER and not self._paused:
            self._paused = True
            self._connection.pause_input()

    def feed_end(self) -> None:
        """Take note that no more will come."""
        self._ended = True
        self._readable.set()


class ApiConnection(RequestHandler):
    """aiohttp's connection, with the edges sharp."""

    __slots__ = ("_ended", "_hangup", "_held", "_opening", "_stream", "has_stream_answer")

    def __init__(self, manager: web.Server, **options: Any) -> None:
        super().__init__(manager, **options)
        # The start of a request that may take the connection over, until it is whole.
        self._opening = b""
        # What came behind such a request; None when there is none.
        self._held: bytearray | None = None
        self._stream: RawStream | None = None
        self._ended = False
        self._hangup: HangupWatch | None = None
        # Set for requests whose answer goes on: they end with their client, and with the engine.
        self.has_stream_answer = False

    # -- for handlers ----------------------------------------------------------------------------

    def take_over(self) -> RawStream:
        """Leave HTTP behind: all bytes from now on belong to the stream.

        The request must have been read. The connection is closed when the handler returns.

        Raises:
            ConnectionResetError: the client is gone already.
        """
        if self.transport is None:
            raise ConnectionResetError("the client has gone")
        held, self._held = bytes(self._held or b""), None
        self._stream = RawStream(self, held, ended=self._ended)
        self.resume_input()
        return self._stream

    async def send(self, data: bytes) -> None:
        """Write raw bytes and wait while the client reads slowly.

        Raises:
            ConnectionResetError: the client is gone.
        """
        if self.transport is None:
            raise ConnectionResetError("the client has gone")
        self.transport.write(data)
        if self.writing_paused:
            await self._drain_helper()

    def pause_input(self) -> None:
        """Stop reading from the client."""
        self._pause_transport_reading()

    def resume_input(self) -> None:
        """Read on, unless the client has ended its side: uvloop would report the end again."""
        if not self._ended:
            self._resume_transport_reading()

    # -- aiohttp ---------------------------------------------------------------------------------

    def log_exception(self, *args: Any, **options: Any) -> None:
        """Tell of clients that speak no HTTP in a line; everything else is told in full."""
        if isinstance(options.get("exc_info"), HttpProcessingError):
            _log.info("a client spoke no HTTP: %s", options["exc_info"].message)
        else:
            super().log_exception(*args, **options)

    # -- asyncio.Protocol ------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._stream is not None:
            self._stream.feed(data)
        elif self._held is not None:
            self._held += data
            if len(self._held) > _HIGH_WATER:
                self._pause_transport_reading()
        elif self._opening or (self._is_between_requests() and may_open(data)):
            self._opening += data
            self._look_at_opening()
        else:
            super().data_received(data)

    def _is_between_requests(self) -> bool:
        return self._current_request is None and not self._messages

    def _look_at_opening(self) -> None:
        length = request_length(self._opening)
        if length is None:
            return
        opening, self._opening = self._opening, b""
        if length:
            self._held = bytearray(opening[length:])
            opening = opening[:length]
        super().data_received(opening)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        outcome = await super().finish_response(request, resp, start_time)
        self.has_stream_answer = False
        if self._ended and not self._messages:
            # No further request can come.
            self.close()
        if self._held is not None:
            # The request was refused: what follows it is HTTP after all.
            held, self._held = bytes(self._held), None
            self.resume_input()
            if held:
                self.data_received(held)
        return outcome

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio's contract, not aiohttp's
        """Decide what a client means that will send no more; true keeps our side open."""
        self._ended = True
        if self._stream is not None:
            self._stream.feed_end()
        elif not self._awaits_answer():
            return False
        self._watch_for_hangup()
        return True

    def _awaits_answer(self) -> bool:
        """Say whether a client that sends no more can still want something from us."""
        if self._held is not None:
            return True
        request = self._current_request
        if request is None:
            # Between the end of a handler and the end of its answer there is no request either.
            return self._request_in_progress or any(
                payload.is_eof() for _, payload in self._messages
            )
        # A stream that only waits has no other way to hear that its client left; one that sent
        # a body may well have closed its sending side behind it.
        if self.has_stream_answer and not request.body_exists:
            return False
        return request.content.is_eof()

    def _watch_for_hangup(self) -> None:
        transport = self.transport
        if (
            self._hangup is None
            and transport is not None
            and (found := transport.get_extra_info("socket")) is not None
        ):
            self._hangup = HangupWatch(found.fileno(), self._hung_up)

    def _hung_up(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._hangup is not None:
            self._hangup.close()
            self._hangup = None
        if self._stream is not None:
            self._stream.feed_end()
        super().connection_lost(exc)
