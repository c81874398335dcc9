"""Elements of our nft tables, as commands and as nft lists them. Pure.

Networks and containers are elements of the sets and maps of one fixed text, see `ruleset`. They
are added and deleted one by one, so that a start costs the same with one container or with a
thousand, and a network made or removed disturbs no packet of another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FAMILY = "inet"
Value = tuple[str, ...]


@dataclass(frozen=True, slots=True, order=True)
class Element:
    """A member of a set, or an entry of a map; `value` is empty for a set."""

    place: str
    key: Value
    value: Value = ()

    def __str__(self) -> str:
        """Print it as nft writes it."""
        return f"{self.key_text} : {' . '.join(self.value)}" if self.value else self.key_text

    @property
    def key_text(self) -> str:
        """Its key as nft writes it, by which it is deleted."""
        return " . ".join(self.key)


def interface(name: str) -> str:
    """Return the part of an element that names an interface."""
    return f'"{name}"'


def additions(table: str, elements: Iterable[Element]) -> str:
    """Return commands that add elements. Adding one that is there is harmless to nft."""
    return "".join(
        f"add element {FAMILY} {table} {element.place} {{ {element} }}\n"
        for element in sorted(elements)
    )


def removals(table: str, elements: Iterable[Element]) -> str:
    """Return commands that remove elements, whether they are there or not.

    nft fails on the removal of what is absent, so each is added first: the transaction then
    succeeds from either state. An element of that key but another value makes it fail.
    """
    ordered = sorted(elements)
    return additions(table, ordered) + "".join(
        f"delete element {FAMILY} {table} {element.place} {{ {element.key_text} }}\n"
        for element in ordered
    )


def elements_in(objects: Sequence[Mapping[str, Any]]) -> set[Element]:
    """Return the elements of a table that was listed as JSON."""
    found = set()
    for entry in objects:
        for kind in ("set", "map"):
            definition = entry.get(kind)
            if not isinstance(definition, dict):
                continue
            names = _interface_positions(definition["type"])
            for item in definition.get("elem", ()):
                key, value = item if kind == "map" else (item, None)
                found.add(
                    Element(
                        definition["name"],
                        _parts(key, names),
                        () if value is None else _parts(value, frozenset()),
                    )
                )
    return found


def _interface_positions(kind: str | list[str]) -> frozenset[int]:
    kinds = [kind] if isinstance(kind, str) else kind
    return frozenset(number for number, name in enumerate(kinds) if name == "ifname")


def _parts(value: Any, names: frozenset[int]) -> Value:
    is_joined = isinstance(value, dict) and "concat" in value
    members = value["concat"] if is_joined else [value]
    return tuple(
        interface(str(member)) if number in names else _part(member)
        for number, member in enumerate(members)
    )


def _part(member: Any) -> str:
    match member:
        case {"prefix": {"addr": address, "len": length}}:
            return f"{address}/{length}"
        case dict():
            return str(next(iter(member)))
    return str(member)
