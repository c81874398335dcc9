"""TLS whose two directions end one by one.

The loops' own TLS closes a connection when the client's side ends. Docker's clients end their
side as soon as a container's input is over, and go on reading its output, so TLS is done here:
OpenSSL on memory buffers between a plain transport and the HTTP connection. Lives on the loop.

Spec: RFC 8446 §6.1: close_notify ends one direction of data only.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable
from typing import Any, cast

_log = logging.getLogger(__name__)
_HANDSHAKE_S = 60.0
_READ_SIZE = 256 << 10


class TlsTransport(asyncio.Transport):
    """What the connection above writes to: encrypts into the plain transport below."""

    def __init__(self, link: TlsLink, plain: asyncio.Transport) -> None:
        super().__init__()
        self._link = link
        self._plain = plain

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._link.encrypt(data)

    def close(self) -> None:
        self._link.close()

    def abort(self) -> None:
        self._plain.abort()

    def is_closing(self) -> bool:
        return self._plain.is_closing()

    def pause_reading(self) -> None:
        self._link.pause_reading()

    def resume_reading(self) -> None:
        self._link.resume_reading()

    def is_reading(self) -> bool:
        return self._plain.is_reading()

    def get_write_buffer_size(self) -> int:
        return self._plain.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._plain.set_write_buffer_limits(high, low)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        own = self._link.extra_info(name)
        return self._plain.get_extra_info(name, default) if own is None else own


class TlsLink(asyncio.Protocol):
    """The protocol of the plain transport: shakes hands, then feeds the connection above."""

    def __init__(self, context: ssl.SSLContext, make_above: Callable[[], asyncio.Protocol]) -> None:
        self._context = context
        self._make_above = make_above
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._plain: asyncio.Transport | None = None
        self._above: asyncio.Protocol | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._is_reading_paused = False
        self._has_ended = False
        self._is_closed = False

    # -- for the transport above -----------------------------------------------------------------

    def encrypt(self, data: bytes | bytearray | memoryview) -> None:
        """Send data, unless the connection is over."""
        if self._is_closed or self._plain is None or self._plain.is_closing():
            return
        view = memoryview(data).cast("B")
        try:
            while view:
                view = view[self._tls.write(view) :]
        except ssl.SSLError as error:
            self._fail(error)
            return
        self._flush()

    def close(self) -> None:
        """Send what is left, say goodbye and close. Idempotent."""
        if self._is_closed or self._plain is None:
            return
        self._is_closed = True
        # The client's own goodbye has not come; nobody waits for it.
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        self._flush()
        self._plain.close()

    def pause_reading(self) -> None:
        """Keep what comes, encrypted, with the kernel."""
        self._is_reading_paused = True
        if self._plain is not None and not self._plain.is_closing():
            self._plain.pause_reading()

    def resume_reading(self) -> None:
        """Go on; what was read before is handed up first."""
        self._is_reading_paused = False
        if self._plain is not None and not self._plain.is_closing():
            self._plain.resume_reading()
            if self._above is not None:
                asyncio.get_running_loop().call_soon(self._decrypt)

    def extra_info(self, name: str) -> Any:
        """Return what only this layer knows."""
        match name:
            case "sslcontext":
                return self._context
            case "ssl_object":
                return self._tls
            case "peercert":
                return self._tls.getpeercert()
            case _:
                return None

    # -- asyncio.Protocol ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses.
        self._plain = cast("asyncio.Transport", transport)
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(_HANDSHAKE_S, self._plain.abort)

    def data_received(self, data: bytes) -> None:
        self._incoming.write(data)
        if self._above is None:
            self._shake_hands()
        else:
            self._decrypt()

    def eof_received(self) -> bool:
        """Take the end of the plain stream for the client's leaving.

        A client that only ends its own direction says so inside TLS, and keeps the stream open.
        """
        return False

    def pause_writing(self) -> None:
        if self._above is not None:
            self._above.pause_writing()

    def resume_writing(self) -> None:
        if self._above is not None:
            self._above.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_closed = True
        if self._deadline is not None:
            self._deadline.cancel()
        above, self._above = self._above, None
        if above is not None:
            above.connection_lost(exc)

    # -- inside ----------------------------------------------------------------------------------

    def _shake_hands(self) -> None:
        assert self._plain is not None
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except ssl.SSLError as error:
            self._fail(error)
            return
        self._flush()
        if self._deadline is not None:
            self._deadline.cancel()
        self._above = self._make_above()
        self._above.connection_made(TlsTransport(self, self._plain))
        self._decrypt()

    def _decrypt(self) -> None:
        while self._above is not None and not self._is_reading_paused and not self._has_ended:
            try:
                data = self._tls.read(_READ_SIZE)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLError as error:
                self._fail(error)
                return
            if data:
                self._above.data_received(data)
                continue
            self._has_ended = True
            if not self._above.eof_received():
                self.close()
        # Reading can make answers: keys are renewed, tickets are sent.
        self._flush()

    def _flush(self) -> None:
        if self._outgoing.pending and self._plain is not None and not self._plain.is_closing():
            self._plain.write(self._outgoing.read())

    def _fail(self, error: ssl.SSLError) -> None:
        peer = self._plain.get_extra_info("peername") if self._plain is not None else None
        _log.info("TLS with %s failed: %s", peer, error.reason or error)
        self._is_closed = True
        # The alert that says why.
        self._flush()
        if self._plain is not None:
            self._plain.close()
