"""Networks that only hold a configuration, and those that are made from one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from naru.errors import ForbiddenError, NotFoundError
from naru.network.configurations import check_configuration, check_unused, configured
from naru.network.model import Network, NetworkRequest, Pool

_POOL = Pool(subnet="10.0.0.0/24", is_chosen=True)
_SOURCE = Network(
    id="1",
    name="kept",
    driver="null",
    created_ns=0,
    pools=(_POOL,),
    options={"parent": "eth0.10"},
    labels={"a": "b"},
    ipam_options={"c": "d"},
    is_configuration=True,
)
_MADE = NetworkRequest(name="made", driver="macvlan", configured_by="kept")


def test_a_network_takes_all_that_its_configuration_says_and_keeps_the_rest() -> None:
    found = configured(replace(_MADE, internal=True), [_SOURCE])
    assert (found.name, found.driver, found.internal) == ("made", "macvlan", True)
    assert (found.pools, found.options) == ((_POOL,), {"parent": "eth0.10"})
    assert (found.labels, found.ipam_options) == ({"a": "b"}, {"c": "d"})
    assert not found.is_configuration


def test_a_network_of_its_own_words_is_left_as_it_is() -> None:
    request = NetworkRequest(name="own", labels={"x": "y"})
    assert configured(request, [_SOURCE]) is request


@pytest.mark.parametrize("networks", [[], [replace(_SOURCE, is_configuration=False)]])
def test_only_a_configuration_can_be_taken(networks: list[Network]) -> None:
    with pytest.raises(NotFoundError, match=r'^configuration network "kept" does not exist$'):
        configured(_MADE, networks)


@pytest.mark.parametrize(
    ("change", "has_scope", "words"),
    [
        ({"internal": True}, False, "configuration network can only contain network specific"),
        ({"attachable": True}, False, "configuration network can only contain network specific"),
        ({}, True, "configuration network can only contain network specific fields"),
        ({"configured_by": "kept"}, False, "cannot depend on another configuration network"),
    ],
)
def test_a_configuration_says_only_what_it_can(
    change: dict[str, Any], has_scope: bool, words: str
) -> None:
    request = NetworkRequest(name="n", is_configuration=True)
    check_configuration(request, has_scope=False)
    with pytest.raises(ForbiddenError, match=words):
        check_configuration(replace(request, **change), has_scope=has_scope)


@pytest.mark.parametrize(
    "change",
    [
        {"pools": (_POOL,)},
        {"ipv6": True},
        {"labels": {"a": "b"}},
        {"ipam_options": {"a": "b"}},
        {"options": {"a": "b"}},
    ],
)
def test_nothing_else_is_said_of_a_network_that_is_made_from_one(change: dict[str, Any]) -> None:
    check_configuration(replace(_MADE, internal=True, attachable=True), has_scope=True)
    with pytest.raises(ForbiddenError, match="not supported if the network depends on a conf"):
        check_configuration(replace(_MADE, **change), has_scope=False)


def test_a_configuration_in_use_stays() -> None:
    made = replace(_SOURCE, id="2", name="made", is_configuration=False, configured_by="kept")
    check_unused(_SOURCE, [_SOURCE])
    check_unused(made, [_SOURCE, made])
    with pytest.raises(ForbiddenError, match=r'configuration network "kept" is in use$'):
        check_unused(_SOURCE, [_SOURCE, made])
