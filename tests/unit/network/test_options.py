"""Options of networks and endpoints."""

from __future__ import annotations

import pytest

from naru.errors import InvalidInputError
from naru.network import options as words
from naru.network.model import Network
from naru.network.options import (
    BridgeSettings,
    bridge_settings,
    enabled_versions,
    endpoint_settings,
)
from naru.network.parent_options import parent_settings, routes_by_device, vlan_of


def _network(driver: str, options: dict[str, str], *, internal: bool = False) -> Network:
    return Network(
        id="0123456789abcdef", name="n", driver=driver, created_ns=0, internal=internal,
        options=options,
    )  # fmt: skip


def _bridge(options: dict[str, str], *, internal: bool = False) -> BridgeSettings:
    return bridge_settings(_network("bridge", options, internal=internal))


def test_a_network_without_options_has_dockers_defaults() -> None:
    settings = _bridge({})
    assert settings.bridge == "br-0123456789ab"
    assert (settings.mtu, settings.inter_container, settings.masquerade) == (1500, True, True)
    assert (settings.mode4, settings.mode6, settings.interface_prefix) == ("nat", "nat", "eth")


def test_every_option_is_read() -> None:
    settings = _bridge(
        {
            words.OPTION_BRIDGE: "lan0",
            words.OPTION_MTU: "9000",
            words.OPTION_ICC: "F",
            words.OPTION_MASQUERADE: "0",
            words.OPTION_HOST_IP: "127.0.0.1",
            words.OPTION_MODE4: "isolated",
            words.OPTION_MODE6: "routed",
            words.OPTION_INHIBIT4: "true",
            words.OPTION_PREFIX: "lan",
            words.OPTION_TRUSTED: "eth1:eth2",
            words.OPTION_SOURCE4: "192.0.2.1",
        },
        internal=True,
    )
    assert (settings.bridge, settings.mtu, settings.host_ip) == ("lan0", 9000, "127.0.0.1")
    assert not settings.inter_container
    assert not settings.masquerade
    assert settings.inhibits_ipv4
    assert (settings.mode(4), settings.mode(6)) == ("isolated", "routed")
    assert (settings.source(4), settings.source(6)) == ("192.0.2.1", "")
    assert settings.trusted_interfaces == ("eth1", "eth2")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (words.OPTION_MTU, "x", 'strconv.Atoi: parsing "x": invalid syntax'),
        (words.OPTION_MTU, "-1", "invalid MTU number: -1"),
        (words.OPTION_ICC, "x", 'strconv.ParseBool: parsing "x": invalid syntax'),
        (words.OPTION_HOST_IP, "x", f"failed to parse {words.OPTION_HOST_IP} value: x (nil ip)"),
        (words.OPTION_MODE4, "x", "unknown gateway mode x"),
        (words.OPTION_MODE4, "isolated", "can only be used for an internal network"),
        (words.OPTION_BRIDGE, "much-too-long-for-one", "no interface name"),
        (words.OPTION_BRIDGE, "a b", "no interface name"),
        (words.OPTION_TRUSTED, 'x";drop', "no interface name"),
        (words.OPTION_PREFIX, "a/b", "no start of an interface name"),
        ("com.docker.network.bridge.nosuch", "x", "unknown bridge option com.docker.network.b"),
    ],
)
def test_an_option_that_means_nothing_is_refused(key: str, value: str, message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        _bridge({key: value})
    assert message in caught.value.message


def test_notes_of_others_are_let_through() -> None:
    assert _bridge({"com.example.note": "x"}) == _bridge({})


def test_versions_may_be_said_by_option() -> None:
    assert enabled_versions({}) == (None, None)
    assert enabled_versions({words.OPTION_ENABLE6: "true"}) == (None, True)
    with pytest.raises(InvalidInputError, match="is not a valid bool"):
        enabled_versions({words.OPTION_ENABLE4: "x"})


def test_an_endpoint_may_name_its_interface_and_settings_of_it() -> None:
    settings = endpoint_settings(
        {
            words.ENDPOINT_INTERFACE: "lan7",
            words.ENDPOINT_SYSCTLS: "net.ipv4.conf.IFNAME.log_martians=1,net.ipv6.conf.ifname.mtu=1400",
        }
    )
    assert settings.interface == "lan7"
    assert settings.sysctls == (
        ("net/ipv4/conf/IFNAME/log_martians", "1"),
        ("net/ipv6/conf/IFNAME/mtu", "1400"),
    )
    assert endpoint_settings({"com.example.note": "x"}).interface == ""


@pytest.mark.parametrize(
    "text", ["net.ipv4.conf.eth0.x=1", "kernel.x=1", "net.ipv4.conf.IFNAME.../x=1", "net.ipv4"]
)
def test_a_setting_of_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="unrecognised network interface sysctl"):
        endpoint_settings({words.ENDPOINT_SYSCTLS: text})


def test_a_network_on_an_interface_has_dockers_defaults() -> None:
    settings = parent_settings(_network("macvlan", {"parent": "eth0"}))
    assert (settings.parent, settings.mode, settings.is_dummy) == ("eth0", "bridge", False)
    assert parent_settings(_network("ipvlan", {})).parent == "di-0123456789ab"
    internal = parent_settings(_network("macvlan", {"parent": "eth0"}, internal=True))
    assert (internal.parent, internal.is_dummy) == ("dm-0123456789ab", True)


def test_layer_three_routes_by_device_unless_it_leads_nowhere() -> None:
    assert routes_by_device(_network("ipvlan", {"parent": "eth0", "ipvlan_mode": "l3"}))
    assert not routes_by_device(_network("ipvlan", {"parent": "eth0"}))
    assert not routes_by_device(_network("ipvlan", {"ipvlan_mode": "l3"}))
    assert not routes_by_device(_network("bridge", {}))


def test_a_vlan_is_named_by_interface_and_number() -> None:
    assert vlan_of("eth0.10") == ("eth0", 10)
    for name in ("eth0", "eth0.0", "eth0.4095", ".10"):
        with pytest.raises(InvalidInputError, match="vlan"):
            vlan_of(name)
