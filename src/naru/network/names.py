"""Which names a container's networks give to the containers on them: the seam for name resolution.

Plain values, and no I/O. `Networks.names_of(container_id)` answers what holds now, and
`Networks.on_names_changed` tells for which containers that has changed.

Spec: Docker's user-defined networks: a container is known by its name, its aliases, its short id
and its host name; a link gives another container one more name, for the asker alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from naru.ids import short_id
from naru.network.model import Endpoint, Network, Sandbox
from naru.network.plan import in_gateway_order


@dataclass(frozen=True, slots=True)
class NameRecord:
    """A container on one network, and what it is called there. An address may be empty."""

    container_id: str
    container_name: str
    hostname: str
    aliases: tuple[str, ...]
    ipv4: str
    ipv6: str

    @property
    def short_id(self) -> str:
        """The first twelve digits of the id."""
        return short_id(self.container_id)

    @property
    def dns_names(self) -> tuple[str, ...]:
        """All its names in Docker's order, without repetitions; the first is its proper one."""
        names = (self.container_name, *self.aliases, self.short_id, self.hostname)
        return tuple(dict.fromkeys(name for name in names if name))


@dataclass(frozen=True, slots=True)
class NetworkNames:
    """One network as one container on it sees it.

    `members` are all containers on the network, the asker too, in no particular order. `links`
    are pairs of an alias and what it stands for (a member's name or id), for the asker alone.
    On a network that `is_default` Docker resolves no names, and none must be answered.
    """

    network_id: str
    network_name: str
    is_default: bool
    is_internal: bool
    members: tuple[NameRecord, ...]
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SandboxNames:
    """All networks of one running container, the one of its default route first."""

    container_id: str
    netns_path: Path
    networks: tuple[NetworkNames, ...]

    @property
    def has_way_out(self) -> bool:
        """Say whether what no network knows may be asked of the host's name servers."""
        return any(not network.is_internal for network in self.networks)


def sandbox_names(
    sandbox: Sandbox, networks: Mapping[str, Network], members: Mapping[str, Iterable[Endpoint]]
) -> SandboxNames:
    """Return what a container's networks say; `members` are all endpoints of each network."""
    found = []
    for endpoint in in_gateway_order(sandbox.endpoints):
        network = networks[endpoint.network_id]
        found.append(
            NetworkNames(
                network_id=network.id,
                network_name=network.name,
                is_default=network.is_builtin,
                is_internal=network.internal,
                members=tuple(_record(member) for member in members[network.id]),
                links=endpoint.links,
            )
        )
    return SandboxNames(sandbox.container_id, sandbox.netns_path, tuple(found))


def _record(endpoint: Endpoint) -> NameRecord:
    return NameRecord(
        container_id=endpoint.container_id,
        container_name=endpoint.container_name,
        hostname=endpoint.hostname,
        aliases=endpoint.aliases,
        ipv4=endpoint.ipv4,
        ipv6=endpoint.ipv6,
    )
