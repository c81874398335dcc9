"""HTTP responses, read from bytes that come in any pieces."""

from __future__ import annotations

import socket

import pytest

from naru.client.endpoint import Endpoint
from naru.client.wire import BrokenConnectionError, Reader, Response, dial, print_request
from naru.errors import FaultError, UnavailableError


class Pieces:
    """A byte stream that hands out given pieces."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)

    def recv(self, size: int, /) -> bytes:
        if not self.pieces:
            return b""
        piece = self.pieces.pop(0)
        if len(piece) > size:
            self.pieces.insert(0, piece[size:])
        return piece[:size]

    def sendall(self, data: bytes, /) -> None:
        raise NotImplementedError

    def shutdown(self, how: int, /) -> None:
        raise NotImplementedError

    def close(self) -> None:
        return

    def fileno(self) -> int:
        return -1


def response(*pieces: bytes, to_head: bool = False) -> Response:
    return Response(Reader(Pieces(*pieces)), to_head=to_head)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_a_body_with_a_length_is_read_to_it() -> None:
    answer = response(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-A:  b \r\n\r\nabcrest")
    assert answer.status == 200
    assert answer.headers["x-a"] == "b"
    assert answer.read() == b"abc"
    assert answer.can_reuse
    assert answer.reader.rest() == b"rest"


def test_a_chunked_body_is_put_together_however_it_is_cut() -> None:
    text = CHUNKED + b"3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nrest"
    for size in (1, 2, 7, 1000):
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        answer = response(*pieces)
        assert answer.read() == b"abc0123456789"
        assert answer.can_reuse


def test_reading_a_part_leaves_the_rest() -> None:
    answer = response(CHUNKED, b"3\r\nabc\r\n", b"3\r\ndef\r\n0\r\n\r\n")
    assert answer.read(4) == b"abcd"
    assert not answer.can_reuse
    assert answer.read() == b"ef"


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    answer = response(b"HTTP/1.1 200 OK\r\n\r\nab", b"cd")
    assert answer.read() == b"abcd"
    assert not answer.can_reuse


@pytest.mark.parametrize("status", [204, 304, 101])
def test_some_statuses_have_no_body(status: int) -> None:
    assert response(b"HTTP/1.1 %d X\r\n\r\nrest" % status).read() == b""


def test_the_answer_to_head_has_no_body() -> None:
    text = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"
    assert response(text, to_head=True).is_done


def test_a_connection_that_shall_close_is_not_used_again() -> None:
    answer = response(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    assert answer.is_done
    assert not answer.can_reuse


@pytest.mark.parametrize(
    "text",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
        CHUNKED + b"5\r\nab",
        CHUNKED + b"5\r\nabcde\r\n",
        CHUNKED + b"zz\r\n",
        CHUNKED + b"-5\r\nabcde\r\n0\r\n\r\n",
    ],
)
def test_a_body_that_is_cut_or_broken_is_an_error(text: bytes) -> None:
    with pytest.raises(FaultError):
        response(text).read()


@pytest.mark.parametrize(
    "text",
    [b"SSH-2.0\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"],
)
def test_what_is_not_http_is_an_error(text: bytes) -> None:
    with pytest.raises(FaultError):
        response(text)


def test_a_head_without_end_is_an_error() -> None:
    with pytest.raises(FaultError):
        response(*[b"x" * 60000] * 10)


def test_a_connection_closed_before_an_answer_is_told_apart() -> None:
    with pytest.raises(BrokenConnectionError):
        response()


def test_a_header_cannot_break_out_of_its_line() -> None:
    assert print_request("GET", "/x", {"A": "b"}) == b"GET /x HTTP/1.1\r\nA: b\r\n\r\n"
    with pytest.raises(FaultError):
        print_request("GET", "/x", {"A": "b\r\nC: d"})


def test_nobody_listening_is_said_in_dockers_words(tmp_path: object) -> None:
    path = f"{tmp_path}/none.sock"
    with pytest.raises(UnavailableError) as caught:
        dial(Endpoint(f"unix://{path}", "unix", path))
    assert caught.value.message == (
        f"Cannot connect to the Docker daemon at unix://{path}. Is the docker daemon running?"
    )
    assert not caught.value.hint


def test_who_named_no_engine_is_told_which_it_would_be(tmp_path: object) -> None:
    path = f"{tmp_path}/none.sock"
    with pytest.raises(UnavailableError) as caught:
        dial(Endpoint(f"unix://{path}", "unix", path, is_default=True))
    assert "narud" in caught.value.hint


def test_who_may_not_use_the_socket_is_told_who_may(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    # Root may connect to any; what the kernel says to others is put in its mouth.
    monkeypatch.setattr("naru.client.wire._connect", refuse)
    with pytest.raises(UnavailableError, match=r"connect: permission denied$") as caught:
        dial(Endpoint("unix:///x.sock", "unix", "/x.sock"))
    assert "group" in caught.value.hint


def test_a_socket_deep_down_can_be_dialled(tmp_path: object, monkeypatch: object) -> None:
    import os

    folder = f"{tmp_path}/{'d' * 100}"
    os.mkdir(folder)
    here = os.getcwd()
    os.chdir(folder)
    try:
        server = socket.socket(socket.AF_UNIX)
        server.bind("s.sock")
        server.listen()
    finally:
        os.chdir(here)
    path = f"{folder}/s.sock"
    dial(Endpoint(f"unix://{path}", "unix", path)).close()
    server.close()
