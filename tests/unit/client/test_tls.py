"""TLS that closes one way only, against a server of the standard library."""

from __future__ import annotations

import _socket
import contextlib
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from naru.client.endpoint import Endpoint, TlsFiles
from naru.client.wire import dial
from naru.errors import InvalidInputError, UnavailableError


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    """Give an authority that is its own server and client."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        f"-subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 "
        f"-keyout {key} -out {cert}".split(),
        check=True,
        capture_output=True,
    )
    return TlsFiles(str(cert), str(cert), str(key), verify=True)


class Server:
    """Takes one connection, reads to its end, then answers with what it read, doubled."""

    def __init__(self, files: TlsFiles) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.cert, files.key)
        context.load_verify_locations(files.ca)
        context.verify_mode = ssl.CERT_REQUIRED
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._until_closed, daemon=True)
        self._thread.start()

    def _until_closed(self) -> None:
        # A test that dials nobody closes the listener under it.
        with contextlib.suppress(OSError):
            self._serve()

    def _serve(self) -> None:
        plain, _ = self._listener.accept()
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self._context.wrap_bio(incoming, outgoing, server_side=True)
        received = b""
        is_shaken = False
        while True:
            try:
                if not is_shaken:
                    tls.do_handshake()
                    is_shaken = True
                    plain.sendall(outgoing.read())
                data = tls.read(65536)
            except ssl.SSLWantReadError:
                plain.sendall(outgoing.read())
                incoming.write(plain.recv(65536))
                continue
            except ssl.SSLZeroReturnError:
                data = b""
            except ssl.SSLError:
                plain.sendall(outgoing.read())
                plain.close()
                return
            if not data:
                break
            received += data
        tls.write(received * 2)
        plain.sendall(outgoing.read())
        plain.close()

    def endpoint(self, files: TlsFiles, name: str = "127.0.0.1") -> Endpoint:
        return Endpoint(f"tcp://{name}:{self.port}", "tcp", (name, self.port), tls=files)

    def close(self) -> None:
        self._listener.close()


def test_what_comes_after_our_end_is_still_read(files: TlsFiles) -> None:
    server = Server(files)
    stream = dial(server.endpoint(files))
    data = bytes(range(256)) * 1000
    stream.sendall(data)
    stream.shutdown(_socket.SHUT_WR)
    received = b""
    while piece := stream.recv(65536):
        received += piece
    stream.close()
    server.close()
    assert received == data * 2


def test_a_stranger_is_not_trusted(files: TlsFiles, tmp_path: Path) -> None:
    server = Server(files)
    other = tmp_path / "other.pem"
    subprocess.run(
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        f"-subj /CN=other -keyout {tmp_path}/k -out {other}".split(),
        check=True,
        capture_output=True,
    )
    strangers = TlsFiles(str(other), files.cert, files.key, verify=True)
    with pytest.raises(UnavailableError, match="failed to verify certificate"):
        dial(server.endpoint(strangers))
    server.close()


def test_files_that_are_no_certificates_are_refused(files: TlsFiles, tmp_path: Path) -> None:
    server = Server(files)
    broken = tmp_path / "broken.pem"
    broken.write_text("no")
    with pytest.raises(InvalidInputError, match="could not read CA certificate"):
        dial(server.endpoint(TlsFiles(str(broken), "", "", verify=True)))
    with pytest.raises(InvalidInputError, match="Could not load X509 key pair"):
        dial(server.endpoint(TlsFiles(files.ca, str(broken), files.key, verify=True)))
    server.close()
