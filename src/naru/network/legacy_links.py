"""Links on the default network, as they were before networks of one's own. Pure.

A link gives a container another one's address in its hosts file, and its ports and environment
in variables.

Spec: moby, daemon/links, for the names of the variables and their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from naru.errors import InvalidInputError

# What every image has, and what means nothing to another container.
_NOT_TOLD = ("HOME", "PATH")


@dataclass(frozen=True, slots=True)
class LegacyLink:
    """One link of a container: the other one, as the alias that `name` ends with.

    `name` is `/container/alias`; `ports` are exposed ones, as `80/tcp`.
    """

    name: str
    address: str
    container_name: str
    hostname: str
    ports: tuple[str, ...] = ()
    env: tuple[str, ...] = ()

    @property
    def alias(self) -> str:
        """What the container calls the other one."""
        return self.name.rpartition("/")[2]

    @property
    def host_names(self) -> list[str]:
        """The names of the other one in the hosts file."""
        names = [self.alias, self.hostname, self.container_name]
        return list(dict.fromkeys(name for name in names if name))


def parse_link(text: str) -> tuple[str, str]:
    """Read `name:alias`, `name`, or `/name:/container/alias` as inspect shows it.

    Raises:
        InvalidInputError: it is none of them, in Docker's words.
    """
    if not text:
        raise InvalidInputError("empty string specified for links")
    name, _, alias = text.partition(":")
    if ":" in alias:
        raise InvalidInputError(f"bad format for links: {text}")
    name, alias = name.removeprefix("/"), (alias or name).rpartition("/")[2]
    if not name or not alias:
        raise InvalidInputError(f"bad format for links: {text}")
    return name, alias


def variables(links: Iterable[LegacyLink]) -> list[str]:
    """Return the environment variables that tell of links."""
    return [entry for link in links for entry in _variables(link)]


def _variables(link: LegacyLink) -> list[str]:
    prefix = link.alias.replace("-", "_").upper()
    ports = sorted_ports(link.ports)
    found = []
    if ports:
        found.append(f"{prefix}_PORT={_url(link, ports[0])}")
    for number, protocol in ports:
        name = f"{prefix}_PORT_{number}_{protocol.upper()}"
        found += [
            f"{name}={_url(link, (number, protocol))}",
            f"{name}_ADDR={link.address}",
            f"{name}_PORT={number}",
            f"{name}_PROTO={protocol}",
        ]
    found.append(f"{prefix}_NAME={link.name}")
    for entry in link.env:
        name, equals, value = entry.partition("=")
        if equals and name not in _NOT_TOLD:
            found.append(f"{prefix}_ENV_{name}={value}")
    return found


def sorted_ports(ports: Sequence[str]) -> list[tuple[int, str]]:
    """Return ports by their number; of one number, TCP first."""
    pairs = (text.partition("/") for text in ports)
    found = [(int(number), protocol or "tcp") for number, _, protocol in pairs]
    return sorted(found, key=lambda port: (port[0], port[1] != "tcp", port[1]))


def _url(link: LegacyLink, port: tuple[int, str]) -> str:
    return f"{port[1]}://{link.address}:{port[0]}"
