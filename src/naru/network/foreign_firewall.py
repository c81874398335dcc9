"""Firewalls of others that would keep our containers from the world.

An accept in our table does not overrule a drop in another's: the host's policy holds. One
neighbour must be asked, though: Docker lets nothing through the machine that is not its own,
and offers the chain DOCKER-USER to whoever else forwards packets. Rules are added there and
nowhere else. Any other forward chain that drops by default is the administrator's: it is named
in the log.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from naru.linux import nftables

_log = logging.getLogger(__name__)
_FAMILY, _TABLE, _CHAIN = "ip", "filter", "DOCKER-USER"
_Objects = list[dict[str, Any]]


def admit_bridge(bridge: str) -> None:
    """Let Docker's firewall forward packets from and to a bridge of ours. Idempotent.

    Our own table still decides about them. A firewall that cannot be read or changed is
    named in the log.
    """
    try:
        objects = nftables.list_table(_FAMILY, _TABLE)
        if objects is None:
            return
        if not any(entry.get("chain", {}).get("name") == _CHAIN for entry in objects):
            _warn_of_drop(objects, bridge)
            return
        commands = "".join(
            f"{_place(objects)} {match} counter accept\n"
            for match in _matches(bridge)
            if not _handles(objects, match)
        )
        if commands:
            nftables.run(commands)
    except nftables.FirewallError as error:
        _log.warning("let Docker's firewall forward for %s: %s", bridge, error.message)


def withdraw_bridge(bridge: str) -> None:
    """Undo `admit_bridge`. Idempotent."""
    try:
        objects = nftables.list_table(_FAMILY, _TABLE) or []
        commands = "".join(
            f"delete rule {_FAMILY} {_TABLE} {_CHAIN} handle {handle}\n"
            for match in _matches(bridge)
            for handle in _handles(objects, match)
        )
        if commands:
            nftables.run(commands)
    except nftables.FirewallError as error:
        _log.warning("withdraw %s from Docker's firewall: %s", bridge, error.message)


def _matches(bridge: str) -> tuple[str, str]:
    return f'iifname "{bridge}"', f'oifname "{bridge}"'


def _place(objects: _Objects) -> str:
    """Return the command that adds a rule after the administrator's, but before a return."""
    rules = list(_rules(objects))
    last = rules[-1] if rules else None
    if last is not None and {"return": None} in last["expr"] and len(last["expr"]) <= 2:
        return f"insert rule {_FAMILY} {_TABLE} {_CHAIN} position {last['handle']}"
    return f"add rule {_FAMILY} {_TABLE} {_CHAIN}"


def _handles(objects: _Objects, match: str) -> list[int]:
    """Return the handles of the rules that accept everything with this match."""
    key, _, name = match.partition(" ")
    wanted = {
        "match": {"op": "==", "left": {"meta": {"key": key}}, "right": name.strip('"')},
    }
    return [
        rule["handle"]
        for rule in _rules(objects)
        if wanted in rule["expr"] and {"accept": None} in rule["expr"] and len(rule["expr"]) <= 3
    ]


def _rules(objects: _Objects) -> Iterator[dict[str, Any]]:
    for entry in objects:
        rule = entry.get("rule")
        if rule and rule["chain"] == _CHAIN:
            yield rule


def _warn_of_drop(objects: _Objects, bridge: str) -> None:
    for entry in objects:
        chain = entry.get("chain", {})
        if chain.get("hook") == "forward" and chain.get("policy") == "drop":
            _log.warning(
                "chain %s of nft table %s %s drops what it does not know: containers on %s "
                "reach other machines only if it accepts that interface",
                chain["name"],
                _FAMILY,
                _TABLE,
                bridge,
            )
