"""Elements of our nft tables, as commands and as nft lists them."""

from __future__ import annotations

from typing import Any

from naru.network.rules import Element, additions, elements_in, interface, removals

ANY = Element("published", ("tcp", "8080"), ("172.17.0.2", "80"))
ONE = Element("published_on", ("udp", "127.0.0.1", "53"), ("172.17.0.2", "53"))


def test_one_address_has_a_map_of_its_own() -> None:
    assert additions("t", [ONE]) == (
        "add element inet t published_on { udp . 127.0.0.1 . 53 : 172.17.0.2 . 53 }\n"
    )


def test_a_removal_succeeds_from_either_state() -> None:
    assert removals("t", [ANY]) == (
        "add element inet t published { tcp . 8080 : 172.17.0.2 . 80 }\n"
        "delete element inet t published { tcp . 8080 }\n"
    )


def test_elements_of_every_shape_are_read_back() -> None:
    listed: list[dict[str, dict[str, Any]]] = [
        {"table": {"name": "t"}},
        {"map": {"name": "empty", "type": "ifname", "map": "verdict"}},
        {"set": {"name": "bridges", "type": "ifname", "elem": ["br-0"]}},
        {
            "map": {
                "name": "neighbours",
                "type": ["ifname", "ifname"],
                "elem": [[{"concat": ["br-0", "br-0"]}, {"drop": None}]],
            }
        },
        {
            "set": {
                "name": "home4",
                "type": ["ipv4_addr", "ifname"],
                "elem": [{"concat": [{"prefix": {"addr": "10.1.0.0", "len": 16}}, "br-0"]}],
            }
        },
        {
            "map": {
                "name": "published",
                "type": ["inet_proto", "inet_service"],
                "elem": [[{"concat": ["tcp", 8080]}, {"concat": ["172.17.0.2", 80]}]],
            }
        },
    ]
    name = interface("br-0")
    assert elements_in(listed) == {
        ANY,
        Element("bridges", (name,)),
        Element("neighbours", (name, name), ("drop",)),
        Element("home4", ("10.1.0.0/16", name)),
    }
