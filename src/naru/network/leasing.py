"""Places on networks: chosen, held in memory, given back. Safe for many threads.

What is held here is not written yet; `sandboxes` writes it, and then makes the kernel agree.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from ipaddress import ip_address

from naru.errors import ForbiddenError, InvalidInputError
from naru.ids import new_id
from naru.network.address_book import AddressBook, Lease
from naru.network.addresses import read_address
from naru.network.catalog import Catalog
from naru.network.ipam_requests import joined
from naru.network.model import VERSIONS, Endpoint, EndpointRequest, Network, Pool, Version
from naru.network.options import endpoint_settings, interface_prefix
from naru.network.parent_options import leads_nowhere, routes_by_device
from naru.network.plan import chosen_mac, free_interface

# Whoever names these in --aux-address wants containers to use another gateway than the bridge.
_GATEWAY_KEYS: dict[Version, str] = {4: "DefaultGatewayIPv4", 6: "DefaultGatewayIPv6"}


class Leasing:
    """Chooses addresses and names for endpoints."""

    def __init__(self, catalog: Catalog, addresses: AddressBook) -> None:
        self._catalog = catalog
        self._addresses = addresses

    def lease(
        self,
        container_id: str,
        container_name: str,
        hostname: str,
        request: EndpointRequest,
        others: Iterable[Endpoint],
        undo: contextlib.ExitStack,
    ) -> Endpoint:
        """Choose a place for a container on a network, and hold it until `undo` is closed.

        Raises:
            NotFoundError: no such network.
            InvalidInputError: what is asked for cannot be.
            ForbiddenError: an address is taken, or the network only holds a configuration.
            FaultError: no address is free.
        """
        network = self._catalog.resolve(request.network)
        check_endpoint(network, request)
        endpoint_id = new_id()
        self._catalog.claim(network, endpoint_id, container_name)
        undo.callback(self._catalog.release, network.id, endpoint_id)
        leases = self._take_addresses(network, request, undo)
        first = next(iter(leases.values()), None)
        wished = endpoint_settings(request.driver_options).interface
        taken = {other.interface for other in others}
        if wished in taken:
            raise InvalidInputError(f"the container has an interface {wished} already")
        prefix = interface_prefix(network.options)
        return Endpoint(
            endpoint_id=endpoint_id,
            network_id=network.id,
            network_name=network.name,
            container_id=container_id,
            container_name=container_name,
            hostname=hostname,
            interface=(wished or free_interface(prefix, taken)) if first else "",
            mac_address=_mac_address(network, request, first),
            ipv4=_address(leases.get(4)),
            prefix_length=_prefix_length(leases.get(4)),
            gateway=_gateway(network, leases.get(4)),
            ipv6=_address(leases.get(6)),
            ipv6_prefix_length=_prefix_length(leases.get(6)),
            ipv6_gateway=_gateway(network, leases.get(6)),
            link_local=request.link_local,
            aliases=request.aliases,
            links=request.links,
            driver_options=request.driver_options,
            gateway_priority=request.gateway_priority,
            routes_by_device=routes_by_device(network),
            reaches=request.reaches,
        )

    def _take_addresses(
        self, network: Network, request: EndpointRequest, undo: contextlib.ExitStack
    ) -> dict[Version, Lease]:
        asked: dict[Version, str] = {4: request.ipv4_address, 6: request.ipv6_address}
        preferred: dict[Version, str] = {4: request.prefers[0], 6: request.prefers[1]}
        found: dict[Version, Lease] = {}
        for version in VERSIONS:
            lease = None
            if preferred[version] and not asked[version]:
                with contextlib.suppress(InvalidInputError, ForbiddenError):
                    lease = self._addresses.take(network, version, preferred[version])
            lease = lease or self._addresses.take(network, version, asked[version])
            if lease is not None:
                undo.callback(self._addresses.give_back, network.id, str(lease.address))
                found[version] = lease
        return found

    def give_back(self, endpoint: Endpoint) -> None:
        """Make the addresses of an endpoint free. Idempotent."""
        self._addresses.give_back(endpoint.network_id, endpoint.ipv4)
        self._addresses.give_back(endpoint.network_id, endpoint.ipv6)


def check_endpoint(network: Network, request: EndpointRequest) -> None:
    """Look at what a container asks of a network. Pure.

    Raises:
        InvalidInputError: in Docker's words, all of them at once.
        ForbiddenError: the network only holds a configuration.
    """
    if network.is_configuration:
        raise ForbiddenError("cannot create endpoint on configuration-only network")
    problems: list[str] = []
    if network.is_builtin:
        if request.ipv4_address or request.ipv6_address:
            problems.append("user specified IP address is supported on user defined networks only")
        if request.aliases:
            problems.append(
                "network-scoped alias is supported only for containers in user defined networks"
            )
    asked: tuple[tuple[Version, str], ...] = ((4, request.ipv4_address), (6, request.ipv6_address))
    for version, text in asked:
        if text and (problem := _address_problem(network, version, text)):
            problems.append(problem)
    problems += [
        f"invalid link-local IP address: {text}"
        for text in request.link_local
        if not _is_address(text)
    ]
    try:
        endpoint_settings(request.driver_options)
    except InvalidInputError as error:
        problems.append(error.message)
    if problems:
        raise InvalidInputError(f"invalid endpoint settings:\n{joined(problems)}")


def _address_problem(network: Network, version: Version, text: str) -> str:
    if not _is_address(text) or ip_address(text).version != version:
        return f"invalid IPv{version} address: {text}"
    chosen: list[Pool] = [pool for pool in network.pools_of(version) if pool.is_chosen]
    if not network.is_builtin and not chosen:
        return (
            "user specified IP address is supported only when connecting to networks with user "
            "configured subnets"
        )
    if chosen and not any(ip_address(text) in pool.network for pool in chosen):
        return f"no configured subnet or ip-range contain the IP address {text}"
    return ""


def _is_address(text: str) -> bool:
    try:
        return not read_address(text).is_unspecified
    except ValueError:
        return False


def _address(lease: Lease | None) -> str:
    return str(lease.address) if lease else ""


def _prefix_length(lease: Lease | None) -> int:
    return lease.pool.network.prefixlen if lease else 0


def _mac_address(network: Network, request: EndpointRequest, lease: Lease | None) -> str:
    """Return the hardware address; an ipvlan has its parent's, and cannot have another."""
    if network.driver == "ipvlan":
        if request.mac_address:
            raise InvalidInputError(
                "ipvlan interfaces do not support custom mac address assignment"
            )
        return ""
    return chosen_mac(request.mac_address, lease.address) if lease else ""


def _gateway(network: Network, lease: Lease | None) -> str:
    """Return where the default route of the container leads; of internal networks, nowhere."""
    if lease is None or leads_nowhere(network) or routes_by_device(network):
        return ""
    pool = lease.pool
    return pool.auxiliary.get(_GATEWAY_KEYS[pool.version], pool.gateway)
