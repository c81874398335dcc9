"""`system dial-stdio`: bytes from stdin to the engine and back, for clients that came by ssh."""

from __future__ import annotations

import _socket
import _thread
import contextlib

from naru.cli.streams import read_some, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from naru.cli.invocation import Invocation
    from naru.client.wire import ByteStream

_CHUNK = 1 << 16


def dial_stdio(invocation: Invocation) -> int:
    """Connect stdin and stdout with the engine until it closes the connection.

    Spec: docker/cli, cli/command/system/dial_stdio.go.
    """
    from naru.client.wire import dial

    # Where starting an engine is our job, that happens first.
    endpoint = invocation.client.endpoint
    stream = dial(endpoint)
    try:
        _thread.start_new_thread(_copy_input, (invocation.stdin.fileno(), stream))
        while data := stream.recv(_CHUNK):
            write_all(invocation.stdout.fileno(), data)
    finally:
        stream.close()
    return 0


def _copy_input(descriptor: int, stream: ByteStream) -> None:
    # When the engine has closed, the other direction ends the command.
    with contextlib.suppress(OSError):
        while data := read_some(descriptor):
            stream.sendall(data)
        stream.shutdown(_socket.SHUT_WR)
