"""What the host's own firewall keeps from working, in words for its administrator. Pure.

Their tables are looked at, and never touched.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from naru.network.turnstile import Turnstile

Json = Mapping[str, Any]
# Of all bridges of ours, so that one rule is enough for those to come.
LINK_GROUP = 28274
_USER_CHAIN = "DOCKER-USER"


def dropping_tables(chains: Sequence[Json], own: str) -> list[tuple[str, str]]:
    """Return the families and names of tables of others that drop what no rule lets through.

    `chains` is how nft lists all of them as JSON; `own` is the name of our tables.
    """
    found = [
        (chain["family"], chain["table"])
        for chain in (entry["chain"] for entry in chains if "chain" in entry)
        if chain.get("policy") == "drop"
        and chain.get("hook") in ("forward", "output")
        and chain["table"] != own
    ]
    return list(dict.fromkeys(found))


def hindrances(
    tables: Sequence[Sequence[Json]], bridges: Collection[str], turnstile: Turnstile | None
) -> list[str]:
    """Return a warning for each chain that drops what our bridges would have through.

    `tables` are tables as nft lists them as JSON. A chain is taken to let our bridges through
    when a rule of its table that accepts names them, or the link group.
    """
    return [warning for objects in tables for warning in _of_table(objects, bridges, turnstile)]


def _of_table(
    objects: Sequence[Json], bridges: Collection[str], turnstile: Turnstile | None
) -> Iterator[str]:
    rules = [entry["rule"] for entry in objects if "rule" in entry]
    chains = [entry["chain"] for entry in objects if "chain" in entry]
    for chain in chains:
        hook = chain.get("hook") if chain.get("policy") == "drop" else None
        if hook == "forward" and not _names_all(rules, bridges):
            yield _forward_warning(chain, {each["name"] for each in chains})
        if hook == "output" and turnstile and not _names_all(rules, [turnstile.outlet], ()):
            yield _output_warning(chain, turnstile)


def _names_all(
    rules: Sequence[Json], names: Collection[str], groups: Collection[int] = (LINK_GROUP,)
) -> bool:
    accepting = [rule["expr"] for rule in rules if any("accept" in one for one in rule["expr"])]
    parts = [part for expressions in accepting for part in expressions]
    texts = {text for part in parts if "match" in part for text in _texts(part["match"]["right"])}
    # Of iptables' own matches, nft tells no more than the name.
    others = {part["xt"].get("name") for part in parts if part.get("xt")}
    if groups and ("devgroup" in others or texts & set(map(str, groups))):
        return True
    return all(any(fnmatchcase(name, text) for text in texts) for name in names)


def _texts(value: Any) -> list[str]:
    """Return what a match compares with, one or several."""
    if isinstance(value, dict):
        return [text for inner in value.values() for text in _texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in _texts(inner)]
    return [str(value)]


def _forward_warning(chain: Json, names: Collection[str]) -> str:
    name = chain["name"]
    if name == "FORWARD":
        program = "ip6tables" if chain["family"] == "ip6" else "iptables"
        where = _USER_CHAIN if _USER_CHAIN in names else name
        rules = " and ".join(
            f"'{program} -I {where} -m devgroup --{side}-group {LINK_GROUP} -j ACCEPT'"
            for side in ("src", "dst")
        )
    else:
        place = f"{chain['family']} {chain['table']} {name}"
        rules = " and ".join(
            f"'nft insert rule {place} {side}group {LINK_GROUP} accept'" for side in ("iif", "oif")
        )
    return (
        f"WARNING: {_shown(chain)} of the host drops what is forwarded: containers have no way out "
        f"and published ports are not reached until {rules}"
    )


def _output_warning(chain: Json, turnstile: Turnstile) -> str:
    return (
        f"WARNING: {_shown(chain)} of the host drops what is sent: with published-ports-policy="
        f"host-firewall, published ports are not reached until it lets {turnstile.outlet} through"
    )


def _shown(chain: Json) -> str:
    return f"chain {chain['name']} of table {chain['family']} {chain['table']}"
