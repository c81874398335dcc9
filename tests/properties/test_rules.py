"""Laws of the nft table's elements."""

from __future__ import annotations

import random
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from naru.network.model import PROTOCOLS
from naru.network.rules import Element, additions, elements_in, interface, removals

_v4 = st.integers(0, 2**32 - 1).map(lambda number: str(IPv4Address(number)))
_v6 = st.integers(0, 2**128 - 1).map(lambda number: str(IPv6Address(number)))
_protocols = st.sampled_from(PROTOCOLS)
_ports = st.integers(1, 65535).map(str)
_names = st.from_regex(r"[a-z][a-z0-9-]{0,14}", fullmatch=True)
# The place of an element, and the types of its key as nft tells them.
_TYPES: dict[str, list[str]] = {
    "published": ["inet_proto", "inet_service"],
    "published6_on": ["inet_proto", "ipv6_addr", "inet_service"],
    "home4": ["ipv4_addr", "ifname"],
    "bridges": ["ifname"],
}
_elements = st.lists(
    st.one_of(
        st.builds(
            Element, st.just("published"), st.tuples(_protocols, _ports), st.tuples(_v4, _ports)
        ),
        st.builds(
            Element,
            st.just("published6_on"),
            st.tuples(_protocols, _v6, _ports),
            st.tuples(_v6, _ports),
        ),
        st.builds(
            Element,
            st.just("home4"),
            st.tuples(
                st.integers(0, 2**16 - 1).map(lambda n: f"{IPv4Address(n << 16)}/16"),
                _names.map(interface),
            ),
        ),
        st.builds(Element, st.just("bridges"), st.tuples(_names.map(interface))),
    ),
    max_size=12,
    unique=True,
)


@given(_elements, st.randoms(use_true_random=False))
def test_commands_do_not_depend_on_the_order_of_elements(
    elements: list[Element], shuffler: random.Random
) -> None:
    shuffled = list(elements)
    shuffler.shuffle(shuffled)
    assert additions("t", elements) == additions("t", shuffled)
    assert removals("t", elements) == removals("t", shuffled)


@given(_elements)
def test_every_element_has_one_command_and_every_removal_two(elements: list[Element]) -> None:
    assert len(additions("t", elements).splitlines()) == len(elements)
    assert len(removals("t", elements).splitlines()) == 2 * len(elements)


@given(_elements)
def test_what_is_listed_is_what_was_added(elements: list[Element]) -> None:
    listed = []
    for element in elements:
        key = _joined(element.key)
        item = [key, _joined(element.value)] if element.value else key
        kind = "map" if element.value else "set"
        definition = {"name": element.place, "type": _TYPES[element.place], "elem": [item]}
        listed.append({kind: definition})
    assert elements_in(listed) == set(elements)


def _joined(parts: tuple[str, ...]) -> Any:
    members = [_scalar(part) for part in parts]
    return members[0] if len(members) == 1 else {"concat": members}


def _scalar(part: str) -> Any:
    if part.startswith('"'):
        return part.strip('"')
    if "/" in part:
        address, _, length = part.partition("/")
        return {"prefix": {"addr": address, "len": int(length)}}
    return int(part) if part.isdigit() else part
