"""Which ports of the host lead to a container, as its networks come and go. Thread-safe.

Ports lead to the endpoint that the answers leave by: the one of the default route, if it is on a
bridge. So they move when that changes, and there are none while there is no way out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from naru.network.catalog import Catalog
from naru.network.elements import link_elements, port_elements
from naru.network.host_ports import HostPorts, has_loopback6
from naru.network.model import (
    Endpoint,
    NetworkConfig,
    PortRequest,
    PublishedPort,
    PublishError,
    Sandbox,
    Version,
)
from naru.network.options import bridge_settings
from naru.network.plan import (
    can_lead,
    port_owners,
    ports_by_endpoint,
    relayed_ports,
    ways_out,
)
from naru.network.port_matching import has_place, hosts_of, port_difference
from naru.network.relays import Relays
from naru.network.rules import Element


@dataclass(frozen=True, slots=True)
class PortChange:
    """What becomes of a container's ports: all that it has then, what is new, what is lost."""

    published: tuple[PublishedPort, ...]
    new: tuple[PublishedPort, ...] = ()
    lost: tuple[PublishedPort, ...] = ()


class Publishing:
    """Published ports and the endpoints that they lead to."""

    def __init__(self, config: NetworkConfig, catalog: Catalog) -> None:
        self._ports = HostPorts()
        self._relays = Relays(self._ports)
        self._config = config
        self._catalog = catalog

    def start(self) -> None:
        """Make ready for ports that are relayed. Idempotent."""
        if self._config.relays_ports:
            self._relays.start()

    def owners(self, endpoints: Iterable[Endpoint]) -> dict[Version, Endpoint]:
        """Return the endpoints that ports lead to."""
        networks = self._catalog.by_id()
        return port_owners(ways_out(endpoints), networks, relays=self._config.relays_ports)

    def elements(self, sandbox: Sandbox) -> set[Element]:
        """Return what the firewall has to know of a container's ports and links."""
        found = {element for one in sandbox.endpoints for element in link_elements(one)}
        if sandbox.published:
            owners = self.owners(sandbox.endpoints)
            networks = self._catalog.by_id()
            found |= port_elements(
                sandbox.published, owners, networks, asks_host=self._config.asks_host
            )
        return found

    def relay(self, before: Sandbox, after: Sandbox) -> None:
        """Carry on what comes to ports that no translation leads to, as `after` has them.

        Raises:
            FaultError: the kernel refused.
        """
        self._relays.change(self._relayed(before), self._relayed(after))

    def _relayed(self, sandbox: Sandbox) -> dict[PublishedPort, tuple[str, int]]:
        if not sandbox.published:
            return {}
        return relayed_ports(sandbox.published, self.owners(sandbox.endpoints))

    def publish(
        self, endpoints: Sequence[Endpoint], requests: Sequence[PortRequest]
    ) -> tuple[PublishedPort, ...]:
        """Promise the ports of a container. Atomic.

        Raises:
            PublishError: one is taken, in Docker's words.
            InvalidInputError: an address is none.
            NotSupportedError: an address is of a version that the container has not.
        """
        owners = self.owners(endpoints)
        return self._reserve(owners, requests, owners) if owners else ()

    def change(
        self, before: Sandbox, endpoints: Sequence[Endpoint], requests: Sequence[PortRequest]
    ) -> PortChange:
        """Return what becomes of the ports with other endpoints; new ones are promised already.

        Raises:
            PublishError: one is taken, in Docker's words.
        """
        was = self._ways(before.endpoints)
        ways = self._ways(endpoints)
        same = {version for version, way in ways.items() if was.get(version) == way}
        owners = self.owners(endpoints)
        kept = tuple(
            port for _, port in ports_by_endpoint(before.published, owners) if port.version in same
        )
        staying = set(kept)
        lost = tuple(port for port in before.published if port not in staying)
        fresh = [version for version in ways if version not in same]
        defaults = self._defaults(owners)
        wanted = [
            request
            for request in requests
            if has_place(request, defaults, _fitting(owners, fresh, request))
        ]
        new: tuple[PublishedPort, ...] = ()
        if fresh and wanted:
            new = self._reserve(owners, wanted, fresh)
        return PortChange((*kept, *new), new, lost)

    def differences(
        self, sandbox: Sandbox, requests: Sequence[PortRequest], gone: Collection[PublishedPort]
    ) -> tuple[tuple[PortRequest, ...], tuple[PublishedPort, ...]]:
        """Return what of `requests` is not published, and what is published beyond them.

        What is `gone` is published beyond them in any case.

        Raises:
            InvalidInputError: an address is none.
            NotSupportedError: an address is of a version that the container has not.
        """
        owners = self.owners(sandbox.endpoints)
        if not owners:
            return (), sandbox.published
        hosts = partial(self._hosts, owners, owners)
        return port_difference(requests, sandbox.published, hosts, gone)

    def _hosts(
        self,
        owners: Mapping[Version, Endpoint],
        versions: Collection[Version],
        request: PortRequest,
    ) -> list[str]:
        """Return where a port is published, of these versions."""
        fitting = _fitting(owners, versions, request)
        return hosts_of(request, self._defaults(owners), fitting)

    def _defaults(self, owners: Mapping[Version, Endpoint]) -> tuple[str, ...]:
        """Return where ports are published that name no address: the network says, or we do."""
        networks = [self._catalog.by_id()[owner.network_id] for owner in owners.values()]
        network = next(iter(networks), None)
        if network is None or network.is_default:
            return self._config.default_host_ips
        host_ip = bridge_settings(network).host_ip
        return (host_ip,) if host_ip else self._config.default_host_ips

    def _ways(self, endpoints: Iterable[Endpoint]) -> dict[Version, bool]:
        """Return for each version that has an owner whether its ports need no translation."""
        return {
            version: self._is_routed(endpoint, version)
            for version, endpoint in self.owners(endpoints).items()
        }

    def _is_routed(self, endpoint: Endpoint, version: Version) -> bool:
        if not endpoint.address(version):
            return False
        settings = bridge_settings(self._catalog.by_id()[endpoint.network_id])
        return settings.mode(version) == "routed"

    def _reserve(
        self,
        owners: dict[Version, Endpoint],
        requests: Sequence[PortRequest],
        versions: Collection[Version],
    ) -> tuple[PublishedPort, ...]:
        owner = owners[next(iter(versions))]
        try:
            return self._ports.reserve(
                requests,
                partial(self._hosts, owners, versions),
                routed=[v for v in versions if self._is_routed(owners[v], v)],
            )
        except PublishError as error:
            raise PublishError(
                "driver failed programming external connectivity on endpoint "
                f"{owner.container_name} ({owner.endpoint_id}): {error.message}"
            ) from error

    def restore(self, published: Iterable[PublishedPort]) -> list[str]:
        """Promise again what an earlier engine did; returns what the kernel said against it."""
        return self._ports.restore(published)

    def release(self, published: Iterable[PublishedPort]) -> None:
        """Take promises back. Idempotent."""
        self._ports.release(published)

    def close(self) -> None:
        """Let go of all ports; nothing else can be promised afterwards."""
        self._relays.close()
        self._ports.close()


def _fitting(
    owners: Mapping[Version, Endpoint], versions: Collection[Version], request: PortRequest
) -> list[Version]:
    """Return those of these versions that a port can be published on.

    Where nobody asks for IPv6 by an address, a host without it does without.
    """
    return [
        version
        for version in versions
        if can_lead(request.protocol, owners[version], version)
        and (owners[version].address(version) or request.host_ip or has_loopback6())
    ]
