"""What is said of a host's firewall that lets nothing through."""

from __future__ import annotations

from typing import Any

from naru.network.host_policy import LINK_GROUP, dropping_tables, hindrances
from naru.network.turnstile import Turnstile


def _chain(name: str = "FORWARD", **more: Any) -> dict[str, Any]:
    values = {"family": "ip", "table": "filter", "name": name, "hook": "forward", "policy": "drop"}
    return {"chain": values | more}


def _accept(key: str, right: Any, verdict: str = "accept") -> dict[str, Any]:
    match = {"match": {"op": "==", "left": {"meta": {"key": key}}, "right": right}}
    return {"rule": {"expr": [match, {verdict: None}]}}


def _said(*objects: dict[str, Any], turnstile: Turnstile | None = None) -> list[str]:
    return hindrances([objects], ["naru0", "br-1"], turnstile)


def test_tables_of_others_that_drop_are_found() -> None:
    chains = [
        {"metainfo": {}},
        _chain(),
        _chain(family="ip6"),
        _chain(table="naru", family="inet"),
        _chain(table="fine", policy="accept"),
        _chain(table="in", hook="input"),
        {"chain": {"family": "ip", "table": "plain", "name": "x"}},
    ]
    assert dropping_tables(chains, "naru") == [("ip", "filter"), ("ip6", "filter")]


def test_a_policy_that_drops_is_told_with_the_rules_to_add() -> None:
    [said] = _said(_chain())
    assert said.startswith("WARNING: chain FORWARD of table ip filter of the host drops")
    assert f"'iptables -I FORWARD -m devgroup --src-group {LINK_GROUP} -j ACCEPT'" in said
    [beside_docker] = _said(_chain(), {"chain": {"name": "DOCKER-USER"}})
    assert "iptables -I DOCKER-USER " in beside_docker
    assert "ip6tables -I FORWARD " in _said(_chain(family="ip6"))[0]
    [own] = _said(_chain("fwd", family="inet", table="mine"))
    assert f"'nft insert rule inet mine fwd oifgroup {LINK_GROUP} accept'" in own


def test_nothing_is_said_where_our_bridges_are_let_through() -> None:
    for rules in (
        [_accept("oifgroup", LINK_GROUP)],
        [{"rule": {"expr": [{"xt": {"type": "match", "name": "devgroup"}}, {"accept": None}]}}],
        [_accept("oifname", "naru0"), _accept("oifname", "br-*")],
        [_accept("oifname", {"set": ["naru0", "br-1"]})],
        [_accept("oifname", "*")],
    ):
        assert _said(_chain(), *rules) == []


def test_one_bridge_of_several_is_not_enough_and_neither_is_a_rule_that_drops() -> None:
    assert _said(_chain(), _accept("oifname", "naru0"))
    assert _said(_chain(), _accept("oifgroup", LINK_GROUP, "drop"))
    assert _said(_chain(), {"rule": {"expr": [{"xt": None}, {"accept": None}]}})


def test_what_the_turnstile_needs_is_told_where_there_is_one() -> None:
    output = _chain("OUTPUT", hook="output")
    turnstile = Turnstile("naru0-out", "naru0-in")
    assert _said(output) == []
    assert "until it lets naru0-out through" in _said(output, turnstile=turnstile)[0]
    assert _said(output, _accept("oifname", "naru0-out"), turnstile=turnstile) == []
