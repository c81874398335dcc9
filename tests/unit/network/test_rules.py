"""The text of our nft table."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from naru.network.model import Network, PublishedPort
from naru.network.plan import OPTION_BRIDGE, OPTION_ICC, OPTION_MASQUERADE
from naru.network.rules import (
    BridgeRules,
    Forward,
    additions,
    bridge_rules,
    elements_in,
    forwards_of,
    removals,
    replacement,
    structure,
)

ANY = Forward("tcp", "0.0.0.0", 8080, "172.17.0.2", 80)
ONE = Forward("udp", "127.0.0.1", 53, "172.17.0.2", 53)


def _rules(bridge: str = "br0", **changes: bool) -> BridgeRules:
    values = {"masquerade": True, "inter_container": True, **changes}
    return BridgeRules(bridge, IPv4Network("172.17.0.0/16"), **values)


def test_masquerading_is_left_out_when_not_wanted() -> None:
    line = 'oifname != "br0" ip saddr 172.17.0.0/16 masquerade'
    assert line in structure("t", [_rules()])
    assert line not in structure("t", [_rules(masquerade=False)])


def test_neighbours_are_dropped_without_icc() -> None:
    assert 'iifname "br0" oifname "br0" accept' in structure("t", [_rules()])
    assert 'iifname "br0" oifname "br0" drop' in structure("t", [_rules(inter_container=False)])


def test_containers_are_kept_from_the_hosts_loopback() -> None:
    assert 'iifname "br0" ip daddr 127.0.0.0/8 drop' in structure("t", [_rules()])


def test_a_replacement_is_the_whole_table_with_its_elements() -> None:
    text = replacement("t", structure("t", [_rules()]), [ANY])
    assert text.startswith("add table inet t\ndelete table inet t\ntable inet t {")
    assert text.endswith("add element inet t published { tcp . 8080 : 172.17.0.2 . 80 }\n")


def test_one_address_has_a_map_of_its_own() -> None:
    assert additions("t", [ONE]) == (
        "add element inet t published_on { udp . 127.0.0.1 . 53 : 172.17.0.2 . 53 }\n"
    )


def test_a_removal_succeeds_from_either_state() -> None:
    assert removals("t", [ANY]) == (
        "add element inet t published { tcp . 8080 : 172.17.0.2 . 80 }\n"
        "delete element inet t published { tcp . 8080 }\n"
    )


def test_elements_are_read_back() -> None:
    listed = [
        {"table": {"name": "t"}},
        {"map": {"name": "empty"}},
        {
            "map": {
                "name": "published",
                "elem": [[{"concat": ["tcp", 8080]}, {"concat": ["172.17.0.2", 80]}]],
            }
        },
        {
            "map": {
                "name": "published_on",
                "elem": [[{"concat": ["udp", "127.0.0.1", 53]}, {"concat": ["172.17.0.2", 53]}]],
            }
        },
    ]
    assert elements_in(listed) == {ANY, ONE}


def test_forwards_lead_to_the_containers_address() -> None:
    ports = [PublishedPort(80, "tcp", "0.0.0.0", 8080), PublishedPort(53, "udp", "127.0.0.1", 53)]
    assert forwards_of(IPv4Address("172.17.0.2"), ports) == [ANY, ONE]


def test_only_networks_with_a_bridge_have_rules() -> None:
    options = {OPTION_BRIDGE: "br0", OPTION_ICC: "false", OPTION_MASQUERADE: "true"}
    networks = [
        Network(id="1", name="none", driver="null", created_ns=0),
        Network(id="2", name="bridge", driver="bridge", created_ns=0,
                subnet="172.17.0.0/16", gateway="172.17.0.1", options=options),
    ]  # fmt: skip
    assert bridge_rules(networks) == [_rules(inter_container=False)]
