"""An engine on another machine: ssh runs a command there that passes the bytes on.

The user's own `ssh` and its configuration are used, as by docker. It gets no terminal: keys must
be at hand, in an agent or without a passphrase.

Spec: docker/cli, cli/connhelper.
"""

from __future__ import annotations

import _socket
import contextlib
import subprocess

from naru.errors import UnavailableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

    from naru.client.endpoint import Endpoint

_CONNECT_TIMEOUT_S = 30
_PATIENCE_S = 5.0
_MAX_WORDS = 4096


def dial_ssh(endpoint: Endpoint) -> SshStream:
    """Start ssh to the machine of `endpoint`. Whether that worked shows when its bytes are read.

    Raises:
        UnavailableError: there is no ssh here.
    """
    import tempfile

    ours, theirs = _socket.socketpair()
    argv = ssh_argv(endpoint)
    words = tempfile.TemporaryFile()  # noqa: SIM115 - the stream closes it
    try:
        process = subprocess.Popen(
            argv,
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=words,
            # Ctrl-C is for us: an attached container may want to hear of it through this very
            # connection.
            start_new_session=True,
        )
    except OSError as error:
        ours.close()
        words.close()
        raise UnavailableError(
            f"error during connect: cannot run ssh: {error.strerror or error}"
        ) from error
    finally:
        theirs.close()
    return SshStream(ours, process, words, argv)


def ssh_argv(endpoint: Endpoint) -> list[str]:
    """Return the command line that reaches the engine: Naru's if that is there, else Docker's."""
    from shlex import quote

    name, port = endpoint.address if isinstance(endpoint.address, tuple) else ("", 0)
    argv = ["ssh", "-o", f"ConnectTimeout={_CONNECT_TIMEOUT_S}", "-T"]
    if endpoint.user:
        argv += ["-l", endpoint.user]
    if port:
        argv += ["-p", str(port)]
    host = f"-H {quote(f'unix://{endpoint.remote_socket}')} " if endpoint.remote_socket else ""
    script = (
        f"command -v naru >/dev/null 2>&1 && exec naru {host}system dial-stdio; "
        f"exec docker {host}system dial-stdio"
    )
    # The login shell over there may be any.
    return [*argv, "--", str(name), f"sh -c {quote(script)}"]


class SshStream:
    """A byte stream through a running ssh. One thread may receive while another sends."""

    def __init__(
        self,
        sock: _socket.socket,
        process: subprocess.Popen[bytes],
        words: IO[bytes],
        argv: list[str],
    ) -> None:
        self._sock = sock
        self._process = process
        self._words = words
        self._argv = argv
        self._is_closed = False

    def recv(self, size: int, /) -> bytes:
        """Return some bytes, or b"" when the other side closed.

        Raises:
            UnavailableError: ssh failed; its own words say why.
        """
        try:
            data = self._sock.recv(size)
        except ConnectionResetError:
            # An ssh that failed has not read all that it was sent.
            data = b""
        if not data:
            self._check()
        return data

    def sendall(self, data: bytes, /) -> None:
        """Send all of `data`."""
        self._sock.sendall(data)

    def shutdown(self, how: int, /) -> None:
        """End the sending side (SHUT_WR), or the whole connection at once (SHUT_RDWR)."""
        self._sock.shutdown(how)

    def close(self) -> None:
        """Drop the connection, and see ssh end. Idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        self._sock.close()
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._words.close()

    def fileno(self) -> int:
        """Return the descriptor of the socket beneath."""
        return self._sock.fileno()

    def _check(self) -> None:
        """Tell an end that ssh had a reason for from one that the engine made."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_PATIENCE_S)
        if not self._process.returncode:
            return
        self._words.seek(0)
        said = self._words.read(_MAX_WORDS).decode("utf-8", "replace").strip()
        raise UnavailableError(
            f"error during connect: command [{' '.join(self._argv)}] has exited with exit status "
            f"{self._process.returncode}, make sure the URL is valid, and Naru, or Docker 18.09 "
            f"or later, is installed on the remote host: stderr={said}"
        )
