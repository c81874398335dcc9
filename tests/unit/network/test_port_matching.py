"""Where ports are published, and what has to change for others."""

from __future__ import annotations

import pytest

from naru.errors import InvalidInputError, NotSupportedError
from naru.network.model import PortRequest, PublishedPort, Version
from naru.network.port_matching import has_place, hosts_of, port_difference

EVERYWHERE = ("0.0.0.0",)
BOTH: tuple[Version, ...] = (4, 6)
FOUR: tuple[Version, ...] = (4,)
SIX: tuple[Version, ...] = (6,)


def _hosts(request: PortRequest) -> list[str]:
    return hosts_of(request, EVERYWHERE, BOTH)


def _published(number: int, *hosts: str, port: int = 80) -> list[PublishedPort]:
    return [PublishedPort(port, "tcp", host, number) for host in hosts or ("0.0.0.0", "::")]


def test_nobody_said_where_means_everywhere() -> None:
    assert hosts_of(PortRequest(80), EVERYWHERE, BOTH) == ["0.0.0.0", "::"]
    assert hosts_of(PortRequest(80), EVERYWHERE, FOUR) == ["0.0.0.0"]
    assert hosts_of(PortRequest(80, host_ip="0.0.0.0"), EVERYWHERE, BOTH) == ["0.0.0.0"]


def test_defaults_count_where_the_request_names_no_address() -> None:
    loopback = ("127.0.0.1", "::1")
    assert hosts_of(PortRequest(80), loopback, BOTH) == ["127.0.0.1", "::1"]
    assert hosts_of(PortRequest(80), loopback, SIX) == ["::1"]
    assert hosts_of(PortRequest(80, host_ip="192.0.2.1"), loopback, BOTH) == ["192.0.2.1"]


def test_an_address_of_a_version_that_is_not_there_is_refused() -> None:
    with pytest.raises(NotSupportedError, match=r"cannot publish on ::1: .* has no IPv6"):
        hosts_of(PortRequest(80, host_ip="::1"), EVERYWHERE, FOUR)
    with pytest.raises(NotSupportedError, match=r"cannot publish on 127\.0\.0\.1"):
        hosts_of(PortRequest(80), ("127.0.0.1",), SIX)
    assert not has_place(PortRequest(80), ("127.0.0.1",), SIX)
    with pytest.raises(InvalidInputError, match="invalid IP address: nope"):
        hosts_of(PortRequest(80, host_ip="nope"), EVERYWHERE, BOTH)


def test_what_is_published_as_asked_is_left_alone() -> None:
    requests = [PortRequest(80, host_port=8080, host_port_end=8080), PortRequest(80)]
    published = [*_published(8080), *_published(32768)]
    assert port_difference(requests, published, _hosts) == ((), ())


def test_what_is_missing_and_what_is_beyond_is_told() -> None:
    wanted = PortRequest(80, host_port=8081, host_port_end=8081)
    assert port_difference([wanted], _published(8080), _hosts) == (
        (wanted,),
        tuple(_published(8080)),
    )


def test_another_address_is_another_port() -> None:
    wanted = PortRequest(80, host_ip="127.0.0.1", host_port=8080, host_port_end=8080)
    missing, surplus = port_difference([wanted], _published(8080), _hosts)
    assert (missing, surplus) == ((wanted,), tuple(_published(8080)))


def test_an_address_that_is_missing_gets_the_port_alone() -> None:
    wanted = PortRequest(80, host_port=8080, host_port_end=8080)
    missing, surplus = port_difference([wanted], _published(8080, "0.0.0.0"), _hosts)
    assert missing == (PortRequest(80, host_ip="::", host_port=8080, host_port_end=8080),)
    assert surplus == ()


def test_a_free_port_keeps_its_number_and_takes_one_for_both_versions() -> None:
    published = [*_published(32768, "0.0.0.0"), *_published(32769)]
    missing, surplus = port_difference([PortRequest(80)], published, _hosts)
    assert (missing, len(surplus)) == ((), 1)
    ranged = PortRequest(80, host_port=9000, host_port_end=9010)
    assert port_difference([ranged], _published(9005), _hosts) == ((), ())
    assert port_difference([ranged], _published(9011), _hosts)[0] == (ranged,)


def test_a_port_that_needs_no_number_meets_any() -> None:
    wanted = PortRequest(80, host_port=8080, host_port_end=8080)
    assert port_difference([wanted], _published(0), _hosts) == ((), ())


def test_a_free_port_is_not_one_that_must_go_or_is_asked_for_by_its_number() -> None:
    any_port = PortRequest(80)
    missing, surplus = port_difference([any_port], _published(8080), _hosts, _published(8080))
    assert (missing, surplus) == ((any_port,), tuple(_published(8080)))
    elsewhere = PortRequest(90, host_port=8080, host_port_end=8080)
    missing, surplus = port_difference([elsewhere, any_port], _published(8080), _hosts)
    assert (missing, surplus) == ((elsewhere, any_port), tuple(_published(8080)))
