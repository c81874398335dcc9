"""Networks in short and long form."""

from __future__ import annotations

from typing import Any

import pytest

from naru.cli.container_options.networks import parse_network, read_networks
from naru.cli.invocation import OptionValues
from naru.errors import InvalidInputError


def options(*networks: str, **given: Any) -> OptionValues:
    values: dict[str, Any] = {
        "network": [parse_network(text) for text in networks],
        "network-alias": [],
        "ip": "",
        "ip6": "",
        "mac-address": "",
        "link-local-ip": [],
        "link": [],
        **{name.replace("_", "-"): value for name, value in given.items()},
    }
    return OptionValues(values, set())


def test_without_a_network_the_default_one_is_described() -> None:
    mode, endpoints = read_networks(options())
    assert mode == "default"
    assert list(endpoints) == ["default"]


def test_a_network_alone_is_named_by_the_mode() -> None:
    assert read_networks(options("foo")) == ("foo", {})


def test_options_go_to_the_first_network() -> None:
    mode, endpoints = read_networks(options("foo", "bar", network_alias=["a"], link=["x:y"]))
    assert mode == "foo"
    assert endpoints["foo"]["Aliases"] == ["a"]
    assert endpoints["foo"]["Links"] == ["x:y"]
    assert endpoints["bar"]["Aliases"] is None


def test_the_long_form_says_all_about_one_network() -> None:
    text = (
        "name=Foo,alias=a,alias=b,ip=1.2.3.4,mac-address=92:d0:c6:0a:29:33,"
        "driver-opt=k=v,gw-priority=-5,link-local-ip=169.254.1.1"
    )
    _, endpoints = read_networks(options(text))
    endpoint = endpoints["foo"]
    assert endpoint["Aliases"] == ["a", "b"]
    assert endpoint["IPAMConfig"] == {"IPv4Address": "1.2.3.4", "LinkLocalIPs": ["169.254.1.1"]}
    assert endpoint["MacAddress"] == "92:d0:c6:0a:29:33"
    assert endpoint["DriverOpts"] == {"k": "v"}
    assert endpoint["GwPriority"] == -5


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("name=foo,bar=x", "invalid field key bar"),
        ("name=foo,bar", "invalid field bar"),
        ("alias=a", "network name/id is not specified"),
        ("name=foo,driver-opt=a", "invalid key value pair format in driver options"),
        ("name=foo,gw-priority=x", "invalid gw-priority (x): invalid syntax"),
    ],
)
def test_bad_long_forms_are_refused_in_dockers_words(text: str, problem: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_network(text)
    assert caught.value.message == problem


@pytest.mark.parametrize(
    ("networks", "given", "problem"),
    [
        (("foo", "foo"), {}, 'network "foo" is specified multiple times'),
        (("",), {}, "no name set for network"),
        (
            ("host",),
            {"network_alias": ["a"]},
            "network-scoped aliases are only supported for user-defined networks",
        ),
        (
            ("name=foo,ip=1.1.1.1",),
            {"ip": "1.1.1.2"},
            "conflicting options: cannot specify both --ip and per-network IPv4 address",
        ),
        ((), {"mac_address": "x"}, "x is not a valid mac address"),
        (
            ("host", "foo"),
            {},
            "conflicting options: cannot attach both user-defined and non-user-defined network-modes",
        ),
    ],
)
def test_contradictions_are_refused_in_dockers_words(
    networks: tuple[str, ...], given: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_networks(options(*networks, **given))
    assert caught.value.message == problem
