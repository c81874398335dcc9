"""Connections of log drivers."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from naru.errors import InvalidInputError
from naru.runtime.log_endpoint import Address, Endpoint, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("tcp://h:1", Address("tcp", "h", 1)),
        ("udp://h", Address("udp", "h", 514)),
        ("tcp+tls://[::1]:99", Address("tcp+tls", "::1", 99)),
        ("unix:///a/b", Address("unix", path="/a/b")),
        ("unixgram:///a", Address("unixgram", path="/a")),
    ],
)
def test_addresses_are_read(text: str, address: Address) -> None:
    assert parse_address("x-address", text, default_port=514) == address


@pytest.mark.parametrize("text", ["", "h:1", "http://h:1", "tcp://", "tcp://h:x", "tcp://h:70000"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="x-address"):
        parse_address("x-address", text, default_port=514)


def test_a_port_may_be_needed() -> None:
    with pytest.raises(InvalidInputError, match="expected udp://HOST:PORT"):
        parse_address("x-address", "udp://h")


def test_the_first_address_that_answers_is_taken_and_lost_ones_are_made_anew(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log"
    endpoint = Endpoint(
        [Address("unixgram", path=str(tmp_path / "no")), Address("unix", path=str(path))]
    )
    with pytest.raises(OSError):
        endpoint.send(b"nobody")
    for text in (b"one", b"two"):
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
            server.listen()
            endpoint.send(text)
            connection, _ = server.accept()
            with connection:
                assert connection.recv(100) == text
        with pytest.raises(OSError):
            endpoint.send(b"lost")
        path.unlink()
    endpoint.close()
    endpoint.close()


def test_a_server_that_hung_up_is_noticed_before_a_line_is_lost_to_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = Endpoint([Address("tcp", "127.0.0.1", server.getsockname()[1])])
        for text in (b"one", b"two", b"three"):
            endpoint.send(text)
            connection, _ = server.accept()
            assert connection.recv(100) == text
            connection.close()
        endpoint.close()
