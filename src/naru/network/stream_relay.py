"""Connections to one port of the host, each carried on to a container by bytes. Loop only.

Each connection holds two descriptors, and of what one side does not take yet, at most one piece
for each direction: the other side is not read before that is gone. The end of one direction is
passed on and leaves the other one open; whatever goes wrong on one side cuts the other one off.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import struct
from collections.abc import Callable
from functools import partial

from naru.network.relay_room import Room

_log = logging.getLogger(__name__)
# As many as the kernel lets wait for any program.
_BACKLOG = 4096
_BATCH = 64
# Of a listener: nobody is there, or has gone again.
_NO_FAULTS = {errno.EAGAIN, errno.ECONNABORTED}
_PIECE_BYTES = 64 << 10
_SOCKETS_EACH = 2
# A client that has gone without a word is found out within two minutes.
_KEEPALIVE = (
    (socket.TCP_KEEPIDLE, 60),
    (socket.TCP_KEEPINTVL, 15),
    (socket.TCP_KEEPCNT, 4),
)
# A container that drops what it gets is given up after some 15 s.
_CONNECT_TRIES = 3
_LOOK_S = 15.0
_PAUSE_S = 1.0
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)
Target = tuple[str, int]


def new_piece() -> memoryview:
    """Return room for one piece: enough for all relays of a loop, each of which leaves it empty."""
    return memoryview(bytearray(_PIECE_BYTES))


class StreamRelay:
    """Takes what connects to `listener` to `target`, until it ends. The listener stays open."""

    def __init__(
        self,
        listener: socket.socket,
        target: Target,
        room: Room,
        piece: memoryview,
        look_s: float = _LOOK_S,
    ) -> None:
        """`look_s` is how often connections are looked for that nobody will hear of any more."""
        self._listener = listener
        self._target = target
        self._room = room
        self._piece = piece
        self._look_s = look_s
        self._loop = asyncio.get_running_loop()
        self._connections: set[_Connection] = set()
        self._look: asyncio.TimerHandle | None = None
        self._is_ended = False

    def begin(self) -> None:
        """Take connections from now on."""
        self._listener.setblocking(False)
        self._listener.listen(_BACKLOG)
        self._loop.add_reader(self._listener, self._accept)

    def end(self) -> None:
        """Take no more, and cut off all that stand. Idempotent."""
        if self._is_ended:
            return
        self._is_ended = True
        self._loop.remove_reader(self._listener)
        self._refuse_waiting()
        for connection in list(self._connections):
            connection.end()
        if self._look is not None:
            self._look.cancel()

    def _accept(self) -> None:
        for _ in range(_BATCH):
            if not self._room.take(_SOCKETS_EACH):
                # They wait in the kernel, as with any program that is busy.
                self._loop.remove_reader(self._listener)
                self._room.wait(self._resume)
                return
            try:
                client, _ = self._listener.accept()
                connection = _Connection(self._loop, client, self._target, self._piece, self._gone)
            except OSError as error:
                self._room.give_back(_SOCKETS_EACH)
                if error.errno not in _NO_FAULTS:
                    self._pause(error)
                return
            self._connections.add(connection)
            connection.begin()
            if self._look is None:
                self._look = self._loop.call_later(self._look_s, self._look_around)

    def _pause(self, error: OSError) -> None:
        _log.warning("connections to port %s wait: %s", self._listener.getsockname()[1], error)
        self._loop.remove_reader(self._listener)
        self._loop.call_later(_PAUSE_S, self._resume)

    def _resume(self) -> None:
        if not self._is_ended:
            self._loop.add_reader(self._listener, self._accept)

    def _refuse_waiting(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._listener.accept()[0].close()

    def _gone(self, connection: _Connection) -> None:
        self._connections.discard(connection)
        self._room.give_back(_SOCKETS_EACH)

    def _look_around(self) -> None:
        """End connections that a side has left which is neither read nor written just now."""
        for connection in list(self._connections):
            connection.end_if_left()
        self._look = None
        if self._connections:
            self._look = self._loop.call_later(self._look_s, self._look_around)


class _Connection:
    """A client and a container, and what goes from each to the other."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        client: socket.socket,
        target: Target,
        piece: memoryview,
        gone: Callable[[_Connection], None],
    ) -> None:
        self._loop = loop
        self._client = client
        self._target = target
        self._piece = piece
        self._gone = gone
        self._flows: tuple[_Flow, ...] = ()
        try:
            self._server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        except OSError:
            client.close()
            raise

    def begin(self) -> None:
        """Connect to the container."""
        for one in (self._client, self._server):
            one.setblocking(False)
            # Pieces go on as they come: whoever sends has gathered them already.
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE:
            self._client.setsockopt(socket.IPPROTO_TCP, option, value)
        self._server.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, _CONNECT_TRIES)
        if self._server.connect_ex(self._target) in (0, errno.EINPROGRESS):
            self._loop.add_writer(self._server, self._connected)
        else:
            self._cut()

    def _connected(self) -> None:
        self._loop.remove_writer(self._server)
        if self._server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._cut()
            return
        flow_of = partial(_Flow, self._loop, self._piece, self._flow_ended, self._cut)
        self._flows = (
            flow_of(self._client, self._server),
            flow_of(self._server, self._client),
        )
        for flow in self._flows:
            flow.begin()

    def _flow_ended(self) -> None:
        if all(flow.is_over for flow in self._flows):
            self.end()

    def _cut(self) -> None:
        """End it so that the client sees that it is no orderly end."""
        with contextlib.suppress(OSError):
            self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
        self.end()

    def end(self) -> None:
        """Close both sides. Idempotent."""
        if self._client.fileno() < 0:
            return
        for one in (self._client, self._server):
            self._loop.remove_reader(one)
            self._loop.remove_writer(one)
            one.close()
        self._gone(self)

    def end_if_left(self) -> None:
        """End it if the kernel has given up one of its sides."""
        if self._client.fileno() >= 0 and any(map(_is_left, self._sides())):
            self._cut()

    def _sides(self) -> tuple[socket.socket, ...]:
        return (self._client, self._server) if self._flows else (self._client,)


class _Flow:
    """One direction of a connection."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        piece: memoryview,
        ended: Callable[[], None],
        failed: Callable[[], None],
        source: socket.socket,
        sink: socket.socket,
    ) -> None:
        self._loop = loop
        self._piece = piece
        self._source = source
        self._sink = sink
        self._ended = ended
        self._failed = failed
        self._held = memoryview(b"")
        self.is_over = False

    def begin(self) -> None:
        """Carry what comes."""
        self._loop.add_reader(self._source, self._read)

    def _read(self) -> None:
        try:
            count = self._source.recv_into(self._piece)
        except BlockingIOError:
            return
        except OSError:
            self._failed()
            return
        if count == 0:
            self._finish()
            return
        sent = self._send(self._piece[:count])
        if 0 <= sent < count:
            self._held = memoryview(bytes(self._piece[sent:count]))
            self._loop.remove_reader(self._source)
            self._loop.add_writer(self._sink, self._drain)

    def _drain(self) -> None:
        sent = self._send(self._held)
        if sent < 0:
            return
        self._held = self._held[sent:]
        if not self._held:
            self._held = memoryview(b"")
            self._loop.remove_writer(self._sink)
            self._loop.add_reader(self._source, self._read)

    def _send(self, data: memoryview) -> int:
        """Return how much was taken; -1 when the connection has failed."""
        try:
            return self._sink.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            self._failed()
            return -1

    def _finish(self) -> None:
        self._loop.remove_reader(self._source)
        self.is_over = True
        with contextlib.suppress(OSError):
            self._sink.shutdown(socket.SHUT_WR)
        self._ended()


def _is_left(one: socket.socket) -> bool:
    # Its state does not tell: it may be closed after both ends, with bytes still to be read.
    return one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0
