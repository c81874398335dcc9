"""TLS around a socket, in a form that two threads can use and that can close one way only.

`ssl.SSLSocket` cannot end its sending side and go on reading, which an attached stream needs at
the end of stdin; two memory buffers and an `SSLObject` can.
"""

from __future__ import annotations

import _socket
import contextlib
import ssl
import threading

from naru.errors import InvalidInputError, UnavailableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from naru.client.endpoint import Endpoint, TlsFiles

_CHUNK = 1 << 16


class TlsStream:
    """A byte stream through TLS. One thread may receive while another sends."""

    def __init__(self, sock: _socket.socket, context: ssl.SSLContext, server_name: str) -> None:
        self._sock = sock
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._lock = threading.Lock()
        self._send_lock = threading.Lock()

    def handshake(self) -> None:
        """Agree on keys with the other side; raises OSError or ssl.SSLError."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                data = self._sock.recv(_CHUNK)
                if not data:
                    raise ConnectionResetError("EOF") from None
                self._incoming.write(data)
            else:
                self._flush()
                return

    def recv(self, size: int, /) -> bytes:
        """Return some bytes, or b"" when the other side closed."""
        while True:
            with self._lock:
                try:
                    return self._tls.read(size)
                except ssl.SSLWantReadError:
                    pass
                except ssl.SSLZeroReturnError:
                    return b""
            # A renegotiated key or ticket may have left an answer to send.
            self._flush()
            data = self._sock.recv(_CHUNK)
            with self._lock:
                if data:
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()
                    if not self._tls.pending():
                        return b""

    def sendall(self, data: bytes, /) -> None:
        """Send all of `data`."""
        view = memoryview(data)
        while view:
            with self._lock:
                sent = self._tls.write(view[:_CHUNK])
            view = view[sent:]
            self._flush()

    def shutdown(self, how: int, /) -> None:
        """End the sending side (SHUT_WR), or the whole connection at once (SHUT_RDWR)."""
        if how == _socket.SHUT_RDWR:
            self._sock.shutdown(how)
            return
        # The peer's own good-bye is not there yet; ours is on its way.
        with self._lock, contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        self._flush()

    def close(self) -> None:
        """Drop the connection."""
        self._sock.close()

    def fileno(self) -> int:
        """Return the descriptor of the socket beneath."""
        return self._sock.fileno()

    def _flush(self) -> None:
        with self._send_lock:
            with self._lock:
                data = self._outgoing.read()
            if data:
                self._sock.sendall(data)


def wrap(sock: _socket.socket, endpoint: Endpoint) -> TlsStream:
    """Start TLS on a connected socket.

    Raises:
        InvalidInputError: the certificate files cannot be used.
        UnavailableError: the other side and we do not agree.
    """
    if endpoint.tls is None or isinstance(endpoint.address, str):
        raise AssertionError("TLS needs its files and a TCP address")
    stream = TlsStream(sock, make_context(endpoint.tls), endpoint.address[0])
    try:
        stream.handshake()
    except (ssl.SSLError, OSError) as error:
        sock.close()
        raise UnavailableError(f"error during connect: {_reason(error)}") from error
    return stream


def make_context(files: TlsFiles) -> ssl.SSLContext:
    """Read the certificate files.

    Raises:
        InvalidInputError: a file is missing or is no certificate or key.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not files.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        if files.ca:
            context.load_verify_locations(files.ca)
        else:
            context.load_default_certs()
    except (ssl.SSLError, OSError) as error:
        raise InvalidInputError(f'could not read CA certificate "{files.ca}": {error}') from error
    if files.cert and files.key:
        try:
            context.load_cert_chain(files.cert, files.key)
        except (ssl.SSLError, OSError) as error:
            raise InvalidInputError(
                f"Could not load X509 key pair: {error} (cert: {files.cert}, key: {files.key})"
            ) from error
    return context


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"tls: failed to verify certificate: {error.verify_message}"
    if isinstance(error, ssl.SSLError) and error.reason == "WRONG_VERSION_NUMBER":
        return "http: server gave HTTP response to HTTPS client"
    text = str(error)
    if "BAD_CERTIFICATE" in text or "CERTIFICATE_REQUIRED" in text:
        return (
            "the server probably has client authentication (--tlsverify) enabled; "
            f"check your TLS client certification settings: {text}"
        )
    return text
