"""How Python names become the wire's: the base of every API struct.

Attributes are snake_case; the wire says what the API schema says. The rule is PascalCase, with
the acronyms below written as the schema writes them; a field that follows no rule names itself
with `msgspec.field(name=…)`.
"""

from __future__ import annotations

import msgspec

_WORDS = {
    "id": "ID",
    "ids": "IDs",
    "ip": "IP",
    "ipam": "IPAM",
    "ipc": "Ipc",
    "uts": "UTS",
    "iops": "IOps",
    "dns": "Dns",
    "url": "URL",
    "ipv4": "IPv4",
    "ipv6": "IPv6",
    "os": "OS",
}


def wire_name(attribute: str) -> str:
    """Return the API's spelling of an attribute."""
    return "".join(_WORDS.get(word, word.capitalize()) for word in attribute.rstrip("_").split("_"))


class Wire(msgspec.Struct, rename=wire_name, kw_only=True):
    """A value that travels as JSON. Unknown keys of a request are ignored, as in Docker."""
