"""The grammar of published ports."""

from __future__ import annotations

import pytest

from naru.api.host_config import PortBinding
from naru.errors import InvalidInputError
from naru.network.model import PortRequest
from naru.network.port_requests import parse_host_side, parse_port_range, parse_port_requests


def _bindings(text: str, *pairs: tuple[str, str]) -> dict[str, list[PortBinding] | None]:
    return {text: [PortBinding(host_ip=ip, host_port=port) for ip, port in pairs]}


def test_a_binding_says_address_and_port() -> None:
    found = parse_port_requests((), _bindings("80/tcp", ("127.0.0.1", "8080"), ("", "")))
    assert found == (
        PortRequest(80, "tcp", "127.0.0.1", 8080, 8080),
        PortRequest(80, "tcp", "", 0, 0),
    )


def test_the_protocol_is_tcp_unless_said_and_its_case_does_not_matter() -> None:
    assert parse_port_requests((), _bindings("80", ("", "1")))[0].protocol == "tcp"
    assert parse_port_requests((), _bindings("80/UDP", ("", "1")))[0].protocol == "udp"


def test_no_bindings_publish_nothing() -> None:
    assert parse_port_requests(None, None) == ()
    assert parse_port_requests(["80/tcp"], {"80/tcp": None, "81/tcp": []}) == ()


def test_publish_all_takes_exposed_ports_that_are_not_bound() -> None:
    found = parse_port_requests(
        ["80/tcp", "81/tcp", "53/udp", "90-91"],
        _bindings("80/tcp", ("", "8080")),
        publish_all=True,
    )
    assert [(one.container_port, one.protocol, one.host_port) for one in found] == [
        (80, "tcp", 8080),
        (81, "tcp", 0),
        (90, "tcp", 0),
        (91, "tcp", 0),
        (53, "udp", 0),
    ]


def test_ports_asked_for_come_before_ranges_and_random_ones() -> None:
    bindings = {
        **_bindings("1/tcp", ("", "")),
        **_bindings("2/tcp", ("", "8000-8001")),
        **_bindings("3/tcp", ("", "8000")),
    }
    assert [one.container_port for one in parse_port_requests((), bindings)] == [3, 2, 1]


@pytest.mark.parametrize(
    "text", ["abc", "99999", "90-80", "-5", " 80", "0x50", "80-", "\u0661", "1-2-3"]
)
def test_a_host_port_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_port_requests((), _bindings("80/tcp", ("", text)))
    assert caught.value.message == f'invalid port specification: "{text}"'


@pytest.mark.parametrize("text", ["x/tcp", "80-82/tcp", "/tcp", "", "-1/tcp", "65536", "0/tcp"])
def test_a_container_port_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_port_requests((), _bindings(text, ("", "80")))
    assert caught.value.message == f'invalid port specification: "{text.partition("/")[0]}"'


def test_a_protocol_that_is_none_is_refused() -> None:
    for text in ("80/foo", "80/", "80/tcp/x"):
        with pytest.raises(InvalidInputError, match=r"^invalid proto: "):
            parse_port_requests((), _bindings(text, ("", "80")))


def test_an_address_is_read_with_and_without_brackets() -> None:
    (found,) = parse_port_requests((), _bindings("80", ("[::1]", "80")))
    assert found.host_ip == "::1"
    with pytest.raises(InvalidInputError, match=r"^invalid IP address: nope$"):
        parse_port_requests((), _bindings("80", ("nope", "80")))


def test_a_range_of_exposed_ports_is_all_of_them() -> None:
    assert parse_port_range("80-82/udp") == [(80, "udp"), (81, "udp"), (82, "udp")]
    with pytest.raises(InvalidInputError, match='invalid port specification: "0"'):
        parse_port_range("0")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("8080", "8080/tcp"),
        ("8080-8090/UDP", "8080-8090/udp"),
        ("127.0.0.1:53/udp", "127.0.0.1:53/udp"),
        ("[::1]:443", "[::1]:443/tcp"),
    ],
)
def test_a_port_of_the_host_may_be_named_with_address_and_range(text: str, shown: str) -> None:
    assert str(parse_host_side(text)) == shown


def test_a_port_of_the_host_without_address_is_that_of_all_addresses() -> None:
    side = parse_host_side("8080-8081")
    assert side.covers("0.0.0.0", 8081, "tcp")
    assert side.covers("::1", 8080, "tcp")
    assert not side.covers("0.0.0.0", 8082, "tcp")
    assert not side.covers("0.0.0.0", 8080, "udp")
    assert not parse_host_side("127.0.0.1:80").covers("0.0.0.0", 80, "tcp")


@pytest.mark.parametrize("text", ["", "0", "banana", "80:90:100", "1-70000", "9-8", "80/warp"])
def test_what_is_no_port_of_the_host_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError) as told:
        parse_host_side(text)
    assert told.value.hint.startswith(f'"{text}": expected [ADDRESS:]PORT[-PORT][/PROTOCOL]')
