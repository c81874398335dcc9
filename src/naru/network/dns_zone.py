"""What a container's networks answer to a question of names. Pure.

Spec: Docker's embedded DNS: a name of the first network that has it counts, links come before
all others, and `name.network` asks one network alone; names know no case.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address

from naru.network.names import NameRecord, NetworkNames, SandboxNames


@dataclass(frozen=True, slots=True)
class Addresses:
    """What a name stands for; both are empty of a name that has no address at all."""

    ipv4: tuple[str, ...]
    ipv6: tuple[str, ...]


@dataclass(slots=True)
class Zone:
    """The names of one container's networks, ready to be looked up."""

    _records: dict[str, list[NameRecord]] = field(default_factory=dict)
    _pointers: dict[str, str] = field(default_factory=dict)

    def look_up(self, name: str) -> Addresses | None:
        """Return the addresses of a name, or None of one that nobody has; a last dot is ignored."""
        records = self._records.get(name.rstrip(".").lower())
        if records is None:
            return None
        return Addresses(
            tuple(dict.fromkeys(record.ipv4 for record in records if record.ipv4)),
            tuple(dict.fromkeys(record.ipv6 for record in records if record.ipv6)),
        )

    def pointer(self, address: str) -> str | None:
        """Return the name of the container that has an address, with its network's."""
        return self._pointers.get(address)


def zone_of(names: SandboxNames) -> Zone:
    """Return the zone that one container sees; networks on which Docker resolves nothing add none."""
    records: dict[str, list[NameRecord]] = {}
    pointers: dict[str, str] = {}
    tables = [(network, _table(network)) for network in names.networks if not network.is_default]
    for network, table in tables:
        _add(records, _links(network, table))
    for _, table in tables:
        _add(records, table)
    for network, table in tables:
        suffix = network.network_name.lower()
        _add(records, {f"{name}.{suffix}": found for name, found in table.items()})
        for member in network.members:
            for address in (member.ipv4, member.ipv6):
                if address:
                    full = f"{member.dns_names[0]}.{network.network_name}"
                    pointers.setdefault(str(ip_address(address)), full)
    return Zone(records, pointers)


def _add(records: dict[str, list[NameRecord]], more: dict[str, list[NameRecord]]) -> None:
    for name, found in more.items():
        records.setdefault(name, found)


def _table(network: NetworkNames) -> dict[str, list[NameRecord]]:
    table: dict[str, list[NameRecord]] = {}
    for member in network.members:
        for name in member.dns_names:
            table.setdefault(name.lower(), []).append(member)
    return table


def _links(
    network: NetworkNames, table: dict[str, list[NameRecord]]
) -> dict[str, list[NameRecord]]:
    found = {}
    for alias, target in network.links:
        by_id = [member for member in network.members if member.container_id == target]
        members = by_id or table.get(target.lower(), [])
        if members:
            found[alias.lower()] = members
    return found
