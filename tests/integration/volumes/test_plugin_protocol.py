"""What comes back from programs that are no plugins, or bad ones."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from naru.errors import FaultError, UnavailableError
from naru.volumes.plugin_protocol import Address, PluginRefusedError, call

_HEAD = b"HTTP/1.1 200 OK\r\n"


class Speaker:
    """Answers each connection with the same pieces, some time apart."""

    def __init__(self, path: Path) -> None:
        self.pieces: list[bytes] = []
        self.pause_s = 0.0
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        self._server.settimeout(0.05)
        while not self._ends.is_set():
            try:
                connection, _ = self._server.accept()
            except TimeoutError:
                continue
            with connection:
                asked = b""
                while not asked.endswith(b"{}"):
                    asked += connection.recv(1 << 16)
                for piece in self.pieces:
                    try:
                        connection.sendall(piece)
                    except OSError:
                        break
                    self._ends.wait(self.pause_s)

    def close(self) -> None:
        self._ends.set()
        self._thread.join()
        self._server.close()


@pytest.fixture
def address(tmp_path: Path) -> Address:
    return Address(path=str(tmp_path / "s"))


@pytest.fixture
def speaker(address: Address) -> Iterator[Speaker]:
    made = Speaker(Path(address.path))
    yield made
    made.close()


def _body(content: bytes, head: bytes = _HEAD) -> list[bytes]:
    return [head + b"Content-Length: %d\r\n\r\n" % len(content) + content]


def test_an_object_is_returned_and_an_empty_answer_is_an_empty_one(
    speaker: Speaker, address: Address
) -> None:
    speaker.pieces = _body(b'{"Volumes": [], "Err": ""}')
    assert call(address, "A.B", {}, timeout_s=5) == {"Volumes": [], "Err": ""}
    speaker.pieces = _body(b"")
    assert call(address, "A.B", {}, timeout_s=5) == {}


@pytest.mark.parametrize(
    ("pieces", "kind", "message"),
    [
        (_body(b'{"Err": "no"}'), PluginRefusedError, "no"),
        (_body(b'{"Err": "no"}', b"HTTP/1.1 500 x\r\n"), PluginRefusedError, "A.B: no"),
        (_body(b"oops\n", b"HTTP/1.1 500 x\r\n"), PluginRefusedError, "A.B: oops"),
        (_body(b"{}", b"HTTP/1.1 404 x\r\n"), PluginRefusedError, "answered with 404"),
        (_body(b"[1]"), FaultError, "expected a JSON object from the plugin, got '[1]'"),
        ([b"hello\r\n\r\n"], FaultError, "does not speak HTTP"),
        ([_HEAD + b'Content-Length: 9\r\n\r\n{"a'], FaultError, "expected a JSON object"),
        ([], FaultError, "does not speak HTTP"),
        ([_HEAD + b"\r\n", b"x" * (17 << 20)], FaultError, "longer than"),
    ],
)
def test_everything_else_is_an_error_that_says_what_came(
    speaker: Speaker, address: Address, pieces: list[bytes], kind: type[Exception], message: str
) -> None:
    speaker.pieces = pieces
    with pytest.raises(kind) as caught:
        call(address, "A.B", {}, timeout_s=5)
    assert message in str(caught.value)


def test_silence_is_not_waited_for(speaker: Speaker, address: Address) -> None:
    speaker.pieces, speaker.pause_s = [b""], 30
    with pytest.raises(UnavailableError, match=r"did not answer within 0\.2 s"):
        call(address, "A.B", {}, timeout_s=0.2)


@pytest.mark.parametrize("head", [_HEAD + b"\r\n", _HEAD + b"X-Y: ", b"HTTP/1.1 2"])
def test_a_trickle_is_not_waited_for(speaker: Speaker, address: Address, head: bytes) -> None:
    speaker.pieces, speaker.pause_s = [head, *[b" "] * 10_000], 0.01
    began = time.monotonic()
    with pytest.raises(UnavailableError, match=r"did not answer within 0\.2 s"):
        call(address, "A.B", {}, timeout_s=0.2)
    # The whole of it takes more than a minute.
    assert time.monotonic() - began < 30


def test_nobody_there_is_said(address: Address) -> None:
    with pytest.raises(UnavailableError, match="cannot be reached: no such file"):
        call(address, "A.B", {}, timeout_s=1)
