"""Which ports of the host lead to a container, as its networks come and go. Thread-safe.

Ports lead to the endpoint that the answers leave by: the one of the default route, if it is on a
bridge. So they move when that changes, and there are none while there is no way out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from naru.network.catalog import Catalog
from naru.network.elements import link_elements, port_elements
from naru.network.host_ports import HostPorts
from naru.network.model import (
    Endpoint,
    PortRequest,
    PublishedPort,
    PublishError,
    Sandbox,
    Version,
)
from naru.network.options import bridge_settings
from naru.network.plan import port_owners, ways_out
from naru.network.port_matching import has_place, hosts_of, port_difference
from naru.network.rules import Element


@dataclass(frozen=True, slots=True)
class PortChange:
    """What becomes of a container's ports: all that it has then, what is new, what is lost."""

    published: tuple[PublishedPort, ...]
    new: tuple[PublishedPort, ...] = ()
    lost: tuple[PublishedPort, ...] = ()


class Publishing:
    """Published ports and the endpoints that they lead to."""

    def __init__(
        self, ports: HostPorts, catalog: Catalog, default_ips: Sequence[str], *, asks_host: bool
    ) -> None:
        self._ports = ports
        self._catalog = catalog
        self._default_ips = tuple(default_ips)
        self._asks_host = asks_host

    def owners(self, endpoints: Iterable[Endpoint]) -> dict[Version, Endpoint]:
        """Return the endpoints that ports lead to."""
        return port_owners(ways_out(endpoints), self._catalog.by_id())

    def elements(self, sandbox: Sandbox) -> set[Element]:
        """Return what the firewall has to know of a container's ports and links."""
        found = {element for one in sandbox.endpoints for element in link_elements(one)}
        if sandbox.published:
            owners = self.owners(sandbox.endpoints)
            networks = self._catalog.by_id()
            found |= port_elements(sandbox.published, owners, networks, asks_host=self._asks_host)
        return found

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
        kept = tuple(port for port in before.published if port.version in same)
        lost = tuple(port for port in before.published if port.version not in same)
        fresh = [version for version in ways if version not in same]
        defaults = self._defaults(self.owners(endpoints))
        wanted = [request for request in requests if has_place(request, defaults, fresh)]
        new: tuple[PublishedPort, ...] = ()
        if fresh and wanted:
            new = self._reserve(self.owners(endpoints), wanted, fresh)
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
        defaults = self._defaults(owners)
        return port_difference(
            requests,
            sandbox.published,
            lambda request: hosts_of(request, defaults, list(owners)),
            gone,
        )

    def _defaults(self, owners: Mapping[Version, Endpoint]) -> tuple[str, ...]:
        """Return where ports are published that name no address: the network says, or we do."""
        networks = [self._catalog.by_id()[owner.network_id] for owner in owners.values()]
        network = next(iter(networks), None)
        if network is None or network.is_default:
            return self._default_ips
        host_ip = bridge_settings(network).host_ip
        return (host_ip,) if host_ip else self._default_ips

    def _ways(self, endpoints: Iterable[Endpoint]) -> dict[Version, bool]:
        """Return for each version that has an owner whether its ports need no translation."""
        return {
            version: self._is_routed(endpoint, version)
            for version, endpoint in self.owners(endpoints).items()
        }

    def _is_routed(self, endpoint: Endpoint, version: Version) -> bool:
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
                versions=list(versions),
                routed=[v for v in versions if self._is_routed(owners[v], v)],
                defaults=self._defaults(owners),
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
