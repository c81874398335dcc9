"""conmon's attach socket: a container's stdin, stdout and stderr, for any number of clients.

Owns the connection. The socket keeps packets apart; each packet of output is one byte that
names the stream, then data. A client that does not read makes conmon wait, and with it the
container, as in Docker; the engine itself never waits. Once the container's process has ended
its connections are drained into memory, so that conmon can finish however slow the clients are:
what a process leaves in its pipes is small.

Works on every event loop with `add_reader`; the socket itself does not block.

Spec: conmon 2.1, src/conn_sock.c and src/ctr_stdio.c (8 KiB per packet at most; 32 KiB later).
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import errno
import fcntl
import os
import socket
import termios
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from naru.errors import ConflictError, InvalidInputError
from naru.runtime.bundle import Monitored

_PACKET_BYTES: Final = 65537
# conmon reads into a buffer of this size at least; a longer packet would lose its tail.
_WRITE_BYTES: Final = 8192
_BATCH_BYTES: Final = 65536
_STREAMS: Final = (2, 3)
# Enough for what two pipes hold; a connection that brings more after the end has gone wrong.
_DRAIN_BYTES: Final = 4 << 20
_READS_BEFORE_YIELD: Final = 16
_CONNECT_RETRY_S: Final = 0.002
_CONNECT_TIMEOUT_S: Final = 10.0
_FIFO_TIMEOUT_S: Final = 1.0
_FIFO_RETRY_S: Final = 0.001
_MAX_TERMINAL_SIZE: Final = 65535

_open_connections: dict[Path, set[AttachConnection]] = {}


class AttachConnection:
    """One client of a container. Loop only; close it in the end."""

    def __init__(self, connection: socket.socket, path: Path, *, guards_stdin: bool) -> None:
        self._socket = connection
        self._path = path
        self._guards_stdin = guards_stdin
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray(_PACKET_BYTES)
        self._view = memoryview(self._buffer)
        self._drained: deque[tuple[int, bytes]] = deque()
        self._drained_bytes = 0
        self._read_wakeup: asyncio.Future[None] | None = None
        self._write_wakeup: asyncio.Future[None] | None = None
        self._is_draining = False
        self._at_end = False
        self._was_reset = False
        self._stdin_open = True
        self._closed = False
        self._reads = 0
        _open_connections.setdefault(path, set()).add(self)

    @classmethod
    async def connect(cls, path: Path, *, guards_stdin: bool = False) -> AttachConnection:
        """Connect to the socket `path`. Output written from now on is received.

        One exception: conmon lets in one client between two pieces of output, so that of several
        who come before it has its turn, the later ones may miss the first pieces.

        conmon closes the container's stdin when any client goes away, if it was made with
        `stdin_once`. A client that only reads must not do that: it sets `guards_stdin`, and its
        connection stays until the container ends, with what comes thrown away.

        Raises:
            ConflictError: nobody serves the socket: the container does not run.
        """
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            connection.setblocking(False)
            await _connect(connection, path)
        except OSError as error:
            connection.close()
            raise ConflictError(f"container {path.parent.name} is not running") from error
        except BaseException:
            connection.close()
            raise
        return cls(connection, path, guards_stdin=guards_stdin)

    async def read(self) -> tuple[int, bytes] | None:
        """Return the next output as (stream, data), 1 for stdout and 2 for stderr; None at the end.

        Packets of one stream that are there already come as one.
        """
        while not self._drained:
            if self._closed or self._at_end:
                return None
            if self._is_draining:
                await self._more_drained()
                continue
            self._reads += 1
            if self._reads % _READS_BEFORE_YIELD == 0:
                await asyncio.sleep(0)
            if not self._fill():
                await self._readable()
        return self._next()

    async def write(self, data: bytes) -> None:
        """Send input. Waits while the container does not read; data for an ended one is dropped."""
        view = memoryview(data)
        while view and self._stdin_open and not self._closed:
            try:
                sent = self._socket.send(view[:_WRITE_BYTES])
            except BlockingIOError:
                await self._writable()
            except OSError as error:
                if error.errno not in (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN):
                    raise
                self._stdin_open = False
            else:
                view = view[sent:]

    async def close_stdin(self) -> None:
        """Say that no more input comes; output goes on. Idempotent.

        The container sees the end of its input if it was made with `stdin_once` and has no
        terminal.
        """
        if self._stdin_open and not self._closed:
            self._stdin_open = False
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Part from the container. Idempotent; a reader that waits gets the end."""
        if self._closed:
            return
        self._closed = True
        self._wake()
        if self._guards_stdin and not self._at_end:
            self._drained.clear()
            self._watch(self._discard)
        else:
            self._shut()

    def drain(self) -> None:
        """Take all that is still to come into memory, because the process has ended. Idempotent."""
        if self._closed or self._is_draining or self._at_end:
            return
        self._is_draining = True
        self._wake()
        self._watch(self._drain_some)

    def _next(self) -> tuple[int, bytes] | None:
        if not self._drained:
            return None
        stream, data = self._drained.popleft()
        self._drained_bytes -= len(data)
        if not self._drained or self._drained[0][0] != stream:
            return stream, data
        pieces, size = [data], len(data)
        while self._drained and self._drained[0][0] == stream and size < _BATCH_BYTES:
            _, data = self._drained.popleft()
            self._drained_bytes -= len(data)
            pieces.append(data)
            size += len(data)
        return stream, b"".join(pieces)

    def _fill(self) -> bool:
        """Take what is there, up to a batch; say whether anything was."""
        taken = 0
        while taken < _BATCH_BYTES:
            try:
                size = self._socket.recv_into(self._buffer)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno == errno.ECONNRESET and not self._was_reset:
                    # conmon ended without reading all its input. The kernel says so once, ahead
                    # of the output that is still to be read (__skb_try_recv_datagram).
                    self._was_reset = True
                    continue
                size = 0
            if size == 0:
                self._at_end = True
                break
            if self._buffer[0] in _STREAMS:
                self._drained.append((self._buffer[0] - 1, bytes(self._view[1:size])))
                self._drained_bytes += size
            taken += size
        return taken > 0

    def _drain_some(self) -> None:
        self._fill()
        if self._drained_bytes > _DRAIN_BYTES:
            self._at_end = True
        if self._at_end:
            self._shut()
        self._wake()

    def _discard(self) -> None:
        self._fill()
        self._drained.clear()
        self._drained_bytes = 0
        if self._at_end:
            self._shut()

    async def _more_drained(self) -> None:
        self._read_wakeup = self._loop.create_future()
        await self._read_wakeup

    def _wake(self) -> None:
        for wakeup in (self._read_wakeup, self._write_wakeup):
            if wakeup is not None:
                _set(wakeup)

    async def _readable(self) -> None:
        """Wait until there is something to read, or somebody calls `close` or `drain`."""
        if self._at_end:
            return
        descriptor = self._socket.fileno()
        self._read_wakeup = self._loop.create_future()
        self._loop.add_reader(descriptor, _set, self._read_wakeup)
        try:
            await self._read_wakeup
        finally:
            # `drain` and a guarded `close` put their own reader in place of this one.
            if not (self._is_draining or self._closed):
                self._loop.remove_reader(descriptor)

    async def _writable(self) -> None:
        """Wait until there is room to write, or somebody calls `close`."""
        descriptor = self._socket.fileno()
        self._write_wakeup = self._loop.create_future()
        self._loop.add_writer(descriptor, _set, self._write_wakeup)
        try:
            await self._write_wakeup
        finally:
            if self._socket.fileno() == descriptor:
                self._loop.remove_writer(descriptor)

    def _watch(self, act: Callable[[], None]) -> None:
        self._loop.add_reader(self._socket.fileno(), act)

    def _shut(self) -> None:
        descriptor = self._socket.fileno()
        if descriptor >= 0:
            self._loop.remove_reader(descriptor)
            self._loop.remove_writer(descriptor)
            self._socket.close()
        peers = _open_connections.get(self._path)
        if peers is not None:
            peers.discard(self)
            if not peers:
                del _open_connections[self._path]


def drain_connections(path: Path) -> None:
    """Drain all connections to the socket `path`: its container's process has ended."""
    for connection in list(_open_connections.get(path, ())):
        connection.drain()


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


async def _connect(connection: socket.socket, path: Path) -> None:
    # A socket's address holds 108 bytes, and exec_root may be longer than that.
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            while True:
                try:
                    connection.connect(f"/proc/self/fd/{directory}/{path.name}")
                except BlockingIOError:
                    # conmon's queue of ten is full for a moment.
                    await asyncio.sleep(_CONNECT_RETRY_S)
                else:
                    return
    except TimeoutError as error:
        raise ConnectionRefusedError(errno.ECONNREFUSED, "conmon does not answer") from error
    finally:
        os.close(directory)


def resize(directory: Path, rows: int, columns: int) -> None:
    """Set the size of the terminal of a container or an exec. Blocking; idempotent.

    `directory` is its bundle or its exec's directory.

    Raises:
        ConflictError: it does not run.
        InvalidInputError: a size is out of range.
    """
    if not (0 <= rows <= _MAX_TERMINAL_SIZE and 0 <= columns <= _MAX_TERMINAL_SIZE):
        raise InvalidInputError(f"invalid terminal size {rows}x{columns}")
    send_line(Monitored(directory).winsize_fifo, f"{rows} {columns}\n")


def send_line(fifo: Path, line: str) -> None:
    """Write one request to a fifo of conmon's, once the ones before it have been read. Blocking.

    conmon 2.1 takes only the first of several lines that it finds at once.

    Raises:
        ConflictError: no conmon listens, or it is too busy to.
    """
    with _fifo(fifo) as descriptor:
        deadline = time.monotonic() + _FIFO_TIMEOUT_S
        while _unread(descriptor):
            if time.monotonic() > deadline:
                raise ConflictError(f"container {fifo.parent.name} does not listen")
            time.sleep(_FIFO_RETRY_S)
        os.write(descriptor, line.encode("ascii"))


def has_unread(fifo: Path) -> bool:
    """Say whether a request waits to be read. Blocking.

    Raises:
        ConflictError: no conmon listens.
    """
    with _fifo(fifo) as descriptor:
        return _unread(descriptor) > 0


@contextlib.contextmanager
def _fifo(path: Path) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno not in (errno.ENXIO, errno.ENOENT):
            raise
        raise ConflictError(f"container {path.parent.name} is not running") from error
    try:
        yield descriptor
    except (BrokenPipeError, BlockingIOError) as error:
        raise ConflictError(f"container {path.parent.name} does not listen") from error
    finally:
        os.close(descriptor)


def _unread(descriptor: int) -> int:
    count = array.array("i", [0])
    fcntl.ioctl(descriptor, termios.FIONREAD, count)
    return count[0]
