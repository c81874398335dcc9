"""Requests against a server that a test writes down, connection by connection."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from naru import errors
from naru.client.endpoint import Endpoint
from naru.client.transport import Client, print_query, version_key


class Script:
    """A server whose every connection plays `(expected part of a request, answer)` pairs."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.connections: list[list[tuple[bytes, bytes]]] = []
        self.seen: list[bytes] = []
        self.accepted = 0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            script = self.connections[self.accepted]
            self.accepted += 1
            threading.Thread(target=self._play, args=(connection, script), daemon=True).start()

    def _play(self, connection: socket.socket, script: list[tuple[bytes, bytes]]) -> None:
        for expected, answer in script:
            request = b""
            while expected not in request:
                data = connection.recv(65536)
                if not data:
                    return
                request += data
            self.seen.append(request)
            connection.sendall(answer)
        connection.close()

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Script]:
    server = Script(tmp_path / "s")
    yield server
    server.close()


@pytest.fixture
def client(script: Script) -> Client:
    endpoint = Endpoint(f"unix://{script.path}", "unix", script.path)
    return Client(endpoint, environ={"DOCKER_API_VERSION": "1.44"})


def json_answer(text: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        status,
        len(text),
        text,
    )


def test_the_lower_of_both_versions_is_spoken(script: Script) -> None:
    answer = b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 0\r\n\r\n"
    script.connections = [[(b"HEAD /_ping", answer), (b"GET /v1.41/info", json_answer(b"{}"))]]
    client = Client(Endpoint(f"unix://{script.path}", "unix", script.path))
    assert client.get("/info") == {}
    assert client.api_version == "1.41"
    assert script.accepted == 1


def test_values_and_queries_travel(script: Script, client: Client) -> None:
    script.connections = [[(b"\r\n\r\n", json_answer(b'[1, "\\u00e9", null, true]'))]]
    query = {"b": True, "a": {"x": ["y"]}, "no": None, "t": ("p q", "&")}
    assert client.get("/x", query) == [1, "é", None, True]
    line = script.seen[0].split(b"\r\n")[0]
    assert line == b"GET /v1.44/x?a=%7B%22x%22%3A%5B%22y%22%5D%7D&b=1&t=p%20q&t=%26 HTTP/1.1"


def test_a_body_goes_as_json(script: Script, client: Client) -> None:
    script.connections = [[(b"}", json_answer(b"{}", b"201 Created"))]]
    client.post("/x", body={"a": ['"', 1, None, False, 1.5]})
    head, body = script.seen[0].split(b"\r\n\r\n")
    assert body == b'{"a":["\\"",1,null,false,1.5]}'
    assert b"Content-Type: application/json" in head
    assert b"Content-Length: %d" % len(body) in head


def test_an_iterable_body_goes_in_chunks(script: Script, client: Client) -> None:
    script.connections = [[(b"0\r\n\r\n", json_answer(b""))]]
    assert client.post("/x", body=iter([b"abc", b"", b"de"])) is None
    assert script.seen[0].endswith(b"\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (b"400 X", errors.InvalidInputError),
        (b"404 X", errors.NotFoundError),
        (b"304 X", errors.NotModifiedError),
        (b"409 X", errors.ConflictError),
        (b"418 X", errors.InvalidInputError),
        (b"500 X", errors.FaultError),
        (b"503 X", errors.UnavailableError),
    ],
)
def test_a_status_becomes_the_kind_of_error(
    script: Script, client: Client, status: bytes, kind: type[errors.NaruError]
) -> None:
    script.connections = [[(b"\r\n\r\n", json_answer(b'{"message":"so it is"}', status))]]
    with pytest.raises(kind) as caught:
        client.get("/x")
    assert caught.value.reported
    if not status.startswith(b"304"):
        assert caught.value.message == "so it is"


def test_advice_comes_with_the_error(script: Script, client: Client) -> None:
    body = b'{"message":"so it is","hint":"do this"}'
    script.connections = [[(b"\r\n\r\n", json_answer(body, b"409 X"))]]
    with pytest.raises(errors.ConflictError, match=r"^so it is$") as caught:
        client.get("/x")
    assert caught.value.hint == "do this"


def test_an_error_in_plain_text_keeps_its_words(script: Script, client: Client) -> None:
    script.connections = [[(b"\r\n\r\n", json_answer(b"page not found\n", b"404 Not Found"))]]
    with pytest.raises(errors.NotFoundError, match=r"^page not found$"):
        client.get("/x")


def test_a_kept_connection_that_was_closed_is_not_used(script: Script, client: Client) -> None:
    script.connections = [[(b"/a", json_answer(b"1"))], [(b"/b", json_answer(b"2"))]]
    assert client.get("/a") == 1
    while not script.accepted:
        pass
    assert client.get("/b") == 2


def test_a_connection_that_breaks_before_the_answer_is_an_error(
    script: Script, client: Client
) -> None:
    script.connections = [[(b"/a", b"")]]
    with pytest.raises(errors.UnavailableError, match="error during connect"):
        client.post("/a")
    assert script.accepted == 1


def test_records_come_one_by_one(script: Script, client: Client) -> None:
    body = b'{"a":1}\r\n{"b":"x\\n"}\n{"c":\n'
    answer = b"HTTP/1.1 200 OK\r\n\r\n" + body + b"3}"
    script.connections = [[(b"\r\n\r\n", answer)]]
    records = client.stream("GET", "/events")
    assert next(records) == {"a": 1}
    assert next(records) == {"b": "x\n"}
    with pytest.raises(ValueError, match="JSON"):
        next(records)


def test_records_without_line_ends_are_understood(script: Script, client: Client) -> None:
    script.connections = [[(b"\r\n\r\n", b'HTTP/1.1 200 OK\r\n\r\n{"a":1}')]]
    assert list(client.stream("GET", "/events")) == [{"a": 1}]


@pytest.mark.parametrize("status", [b"101 UPGRADED", b"200 OK"])
def test_a_hijacked_connection_keeps_what_came_early(
    script: Script, client: Client, status: bytes
) -> None:
    answer = b"HTTP/1.1 " + status + b"\r\nContent-Type: x\r\n\r\nearly"
    script.connections = [[(b"Upgrade: tcp", answer), (b"hello", b"late")]]
    reader = client.hijack("/x")
    assert reader.some() == b"early"
    reader.stream.sendall(b"hello")
    assert reader.some() == b"late"


def test_a_refused_hijack_tells_why(script: Script, client: Client) -> None:
    script.connections = [[(b"\r\n\r\n", json_answer(b'{"message":"no"}', b"409 Conflict"))]]
    with pytest.raises(errors.ConflictError, match=r"^no$"):
        client.hijack("/x")


def test_an_answer_that_comes_before_all_is_sent_is_read(script: Script, client: Client) -> None:
    script.connections = [[(b"\r\n\r\n", json_answer(b'{"message":"too big"}', b"400 Bad"))]]
    with pytest.raises(errors.InvalidInputError, match="too big"):
        client.post("/x", body=iter([b"x" * 100_000] * 100))


def test_what_nobody_reads_any_more_is_not_sent(script: Script, client: Client) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b"x" * 1000
            if sent > 2:
                time.sleep(0.01)

    for status, kind in ((b"400 Bad", errors.InvalidInputError), (b"200 OK", None)):
        script.connections = [
            [(b"\r\n\r\n", json_answer(b'{"message":"x"}', status)), (b"never", b"")]
        ]
        script.accepted, sent = 0, 0
        if kind is None:
            assert client.post("/x", body=endless()) == {"message": "x"}
        else:
            with pytest.raises(kind, match="x"):
                client.post("/x", body=endless())
        assert sent < 1000


def test_an_answer_that_comes_along_with_the_request_is_read_whole(
    script: Script, client: Client
) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    script.connections = [
        [
            (b"\r\n\r\n", head + b'8\r\n{"a":1}\n\r\n'),
            (b"second", b'8\r\n{"a":2}\n\r\n'),
            (b"0\r\n\r\n", b'8\r\n{"a":3}\n\r\n0\r\n\r\n'),
            (b"/y", json_answer(b"1")),
        ]
    ]

    def body() -> Iterator[bytes]:
        for piece in (b"first", b"second", b"third"):
            yield piece
            time.sleep(0.1)

    records = client.stream("POST", "/x", body=body())
    assert [record["a"] for record in records] == [1, 2, 3]
    assert client.get("/y") == 1
    assert script.accepted == 1


def test_many_threads_may_ask_at_once(script: Script, client: Client) -> None:
    script.connections = [[(b"/x", json_answer(b"1"))] for _ in range(8)]
    found: list[object] = []
    ask: Callable[[], None] = lambda: found.append(client.get("/x"))  # noqa: E731
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1] * 8


def test_versions_are_ordered_by_number() -> None:
    assert version_key("1.9") < version_key("1.41") < version_key("1.50")


def test_an_empty_query_is_nothing() -> None:
    assert print_query(None) == print_query({"a": None}) == ""
