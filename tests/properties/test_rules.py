"""Laws of the nft table's text."""

from __future__ import annotations

import random
from ipaddress import IPv4Address, IPv4Network

from hypothesis import given
from hypothesis import strategies as st

from naru.network.model import PROTOCOLS
from naru.network.rules import BridgeRules, Forward, additions, elements_in, removals, structure

_bridges = st.lists(
    st.builds(
        BridgeRules,
        st.from_regex(r"[a-z][a-z0-9]{0,14}", fullmatch=True),
        st.integers(0, 2**16 - 1).map(lambda number: IPv4Network((number << 16, 16))),
        st.booleans(),
        st.booleans(),
    ),
    max_size=6,
    unique_by=lambda rules: rules.bridge,
)
_addresses = st.integers(0, 2**32 - 1).map(lambda number: str(IPv4Address(number)))
_ports = st.integers(1, 65535)
_forwards = st.lists(
    st.builds(
        Forward,
        st.sampled_from(PROTOCOLS),
        st.just("0.0.0.0") | _addresses,
        _ports,
        _addresses,
        _ports,
    ),
    max_size=12,
    unique=True,
)


@given(_bridges, st.randoms(use_true_random=False))
def test_the_text_does_not_depend_on_the_order_of_networks(
    bridges: list[BridgeRules], shuffler: random.Random
) -> None:
    shuffled = list(bridges)
    shuffler.shuffle(shuffled)
    assert structure("t", bridges) == structure("t", shuffled)


@given(_bridges)
def test_the_text_is_balanced_and_names_every_bridge(bridges: list[BridgeRules]) -> None:
    text = structure("t", bridges)
    assert text.count("{") == text.count("}")
    assert all(f'"{rules.bridge}"' in text for rules in bridges)


@given(_forwards, st.randoms(use_true_random=False))
def test_commands_do_not_depend_on_the_order_of_elements(
    forwards: list[Forward], shuffler: random.Random
) -> None:
    shuffled = list(forwards)
    shuffler.shuffle(shuffled)
    assert additions("t", forwards) == additions("t", shuffled)
    assert removals("t", forwards) == removals("t", shuffled)


@given(_forwards)
def test_every_element_has_one_command_and_every_removal_two(forwards: list[Forward]) -> None:
    assert len(additions("t", forwards).splitlines()) == len(forwards)
    assert len(removals("t", forwards).splitlines()) == 2 * len(forwards)


@given(_forwards)
def test_what_is_listed_is_what_was_added(forwards: list[Forward]) -> None:
    listed = [
        {
            "map": {
                "name": forward.map_name,
                "elem": [
                    [
                        {"concat": [_scalar(word) for word in forward.key.split(" . ")]},
                        {"concat": [forward.address, forward.container_port]},
                    ]
                ],
            }
        }
        for forward in forwards
    ]
    assert elements_in(listed) == set(forwards)


def _scalar(word: str) -> str | int:
    return int(word) if word.isdigit() else word
