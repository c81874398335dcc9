"""The networks of one engine: made, found, removed. Safe for many threads.

A network is written as one that is leaving before anything is made for it, and again before
anything is taken away; what an engine finds so at its start, it removes.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterable
from dataclasses import replace

from naru.clock import Clock
from naru.db.networks import NetworkRows
from naru.errors import (
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    NaruError,
    NotFoundError,
)
from naru.faults import fault_point
from naru.ids import is_id_prefix, matching_prefix, new_id
from naru.linux.netlink import RouteSocket
from naru.network import conversions
from naru.network.address_book import AddressBook
from naru.network.configurations import check_unused, configured
from naru.network.departures import Departures
from naru.network.driver import driver_of
from naru.network.elements import network_elements
from naru.network.firewall import Firewall
from naru.network.host_networks import host_networks
from naru.network.ipam import pools_of_engine
from naru.network.model import (
    DEFAULT_NETWORK,
    VERSIONS,
    Network,
    NetworkConfig,
    NetworkRequest,
)
from naru.network.pools import settle_pools
from naru.network.router import become_ipv6_router
from naru.network.rules import Element

_log = logging.getLogger(__name__)
_CREATE_ROW = fault_point("network.create.after_row")
_CREATE_PREPARED = fault_point("network.create.prepared")
_REMOVE_NOTED = fault_point("network.remove.noted")
_REMOVE_HALF = fault_point("network.remove.half")


class Catalog:
    """All networks, by id; those that are being made or removed are not found any more."""

    def __init__(
        self,
        config: NetworkConfig,
        rows: NetworkRows,
        clock: Clock,
        addresses: AddressBook,
        firewall: Firewall,
        departures: Departures,
    ) -> None:
        self._config = config
        self._rows = rows
        self._clock = clock
        self._addresses = addresses
        self._firewall = firewall
        self._departures = departures
        self._guard = threading.Lock()
        self._networks: dict[str, Network] = {}
        self._changing: dict[str, Network] = {}
        self._endpoints: dict[str, dict[str, str]] = {}

    # Start.

    def load(self) -> None:
        """Take the networks over from the rows, and mend what they need in the kernel.

        Raises:
            FaultError: the default bridge cannot be had; of others that is logged.
        """
        networks = [conversions.network(row) for row in self._rows.networks()]
        endpoints = self._rows.endpoints()
        with self._guard:
            self._networks = {n.id: n for n in networks if not n.is_leaving}
            self._changing = {n.id: n for n in networks if n.is_leaving}
        for network in self._networks.values():
            taken = [
                address
                for row in endpoints
                if row.network_id == network.id
                for address in (row.ipv4, row.ipv6)
                if address
            ]
            self._addresses.open(network, taken)
            try:
                self._prepare(network)
            except NaruError:
                if network.is_default:
                    raise
                _log.exception("network %s cannot be used", network.name)

    def finish(self) -> None:
        """Remove what an earlier engine did not quite make, or not quite remove."""
        for network in list(self._changing.values()):
            try:
                self._demolish(network)
            except NaruError:
                _log.exception("network %s was not removed", network.name)

    # Looking.

    def all(self) -> list[Network]:
        """Return all networks."""
        with self._guard:
            return list(self._networks.values())

    def by_id(self) -> dict[str, Network]:
        """Return all networks by their ids, those too that are on their way out."""
        with self._guard:
            return self._changing | self._networks

    def resolve(self, name_or_id: str) -> Network:
        """Return the network with this name, id or start of an id; `default` is the bridge.

        Raises:
            NotFoundError: there is none.
            InvalidInputError: several ids start so.
        """
        networks = {network.id: network for network in self.all()}
        name = DEFAULT_NETWORK if name_or_id in ("", "default") else name_or_id
        if name in networks:
            return networks[name]
        for network in networks.values():
            if name == network.name:
                return network
        found = matching_prefix(name, networks) if is_id_prefix(name) else []
        if len(found) > 1:
            raise InvalidInputError(
                f"network {name_or_id} is ambiguous ({len(found)} matches found based on ID prefix)"
            )
        if not found:
            raise NotFoundError(f"network {name_or_id} not found")
        return networks[found[0]]

    def elements(self) -> set[Element]:
        """Return what the firewall has to know of all networks."""
        return {element for network in self.all() for element in network_elements(network)}

    # Endpoints keep their network from being removed.

    def claim(self, network: Network, endpoint_id: str, container_name: str) -> None:
        """Note that there is an endpoint.

        Raises:
            NotFoundError: the network is gone.
        """
        with self._guard:
            if network.id not in self._networks:
                raise NotFoundError(f"network {network.name} not found")
            self._endpoints.setdefault(network.id, {})[endpoint_id] = container_name

    def release(self, network_id: str, endpoint_id: str) -> None:
        """Note that an endpoint is gone. Idempotent."""
        with self._guard:
            self._endpoints.get(network_id, {}).pop(endpoint_id, None)

    # Making and removing.

    def create(self, request: NetworkRequest) -> Network:
        """Make a network. Atomic, durable.

        Raises:
            ConflictError: the name is taken.
            InvalidInputError: an option or a subnet is wrong, or no subnet is free.
            ForbiddenError: a subnet overlaps another, or the driver makes no such network.
            NotFoundError: no such driver, or no such configuration.
            FaultError: the kernel refused.
        """
        network = self._settle(request)
        try:
            self._rows.put_network(conversions.network_row(replace(network, is_leaving=True)))
            _CREATE_ROW()
            self._prepare(network)
            _CREATE_PREPARED()
            self._firewall.change(add=network_elements(network))
            self._rows.mark_network(network.id, is_leaving=False)
            self._rows.sync()
        except BaseException:
            with contextlib.suppress(NaruError):
                self._demolish(network)
            raise
        self._addresses.open(network)
        with self._guard:
            self._networks[network.id] = network
            self._changing.pop(network.id)
        return network

    def _prepare(self, network: Network) -> None:
        driver_of(network).prepare(network, self._config.table)
        needs_router = network.driver == "bridge" and network.ipv6 and not network.internal
        if needs_router and self._config.ip_forward:
            become_ipv6_router()

    def _settle(self, request: NetworkRequest) -> Network:
        """Fill in what the request leaves open, and hold name and subnets."""
        with self._guard:
            others = [*self._networks.values(), *self._changing.values()]
            if any(request.name == other.name for other in others):
                raise ConflictError(f"network with name {request.name} already exists")
            network = self._placed(configured(request, others), others)
            self._changing[network.id] = network
        return network

    def _placed(self, request: NetworkRequest, others: list[Network]) -> Network:
        """Return the network that is wanted, with its place among the others."""
        network = Network(
            id=new_id(),
            name=request.name,
            driver=request.driver,
            created_ns=self._clock.now_ns(),
            ipv4=request.ipv4,
            ipv6=request.ipv6,
            internal=request.internal,
            attachable=request.attachable,
            options=request.options,
            labels=request.labels,
            ipam_driver=request.ipam_driver,
            ipam_options=request.ipam_options,
            is_configuration=request.is_configuration,
            configured_by=request.configured_by,
        )
        if network.is_configuration:
            # It is no more than what was said; that is looked at when a network is made from it.
            return replace(network, pools=request.pools)
        driver = driver_of(network)
        driver.check(replace(network, pools=request.pools))
        real = [other for other in others if not other.is_configuration]
        hosts = [host_networks("", version) for version in VERSIONS]
        pools = settle_pools(
            request,
            taken=[pool.network for other in real for pool in other.pools],
            in_use=[network for host in hosts for network in host.near],
            shunned=[network for host in hosts for network in host.far],
            defaults=pools_of_engine(self._config.address_pools, self._config.engine_id),
        )
        network = replace(network, pools=pools)
        if not driver.shares_interface:
            _refuse_same_interface(network, others)
        return replace(network, borrows_interface=_is_there(driver.interface(network)))

    def remove(self, network: Network) -> None:
        """Remove a network.

        Raises:
            ForbiddenError: containers are on it, or networks were made from it.
            NotFoundError: it is gone already.
            FaultError: the kernel refused; the next start of an engine finishes it.
        """
        with self._guard:
            if network.id not in self._networks:
                raise NotFoundError(f"network {network.name} not found")
            if active := self._endpoints.get(network.id):
                raise ForbiddenError(
                    f"error while removing network: network {network.name} has active endpoints "
                    f"({_active_endpoints(active.items())})"
                )
            check_unused(network, [*self._networks.values(), *self._changing.values()])
            self._changing[network.id] = self._networks.pop(network.id)
        self._rows.mark_network(network.id, is_leaving=True)
        _REMOVE_NOTED()
        self._demolish(network)

    def _demolish(self, network: Network) -> None:
        self._departures.wait(network.id)
        self._firewall.change(remove=network_elements(network))
        _REMOVE_HALF()
        if not network.borrows_interface and not self._pass_on(network):
            driver_of(network).destroy(network)
        self._addresses.close(network.id)
        self._rows.delete_network(network.id)
        with self._guard:
            self._changing.pop(network.id, None)
            self._endpoints.pop(network.id, None)

    def _pass_on(self, network: Network) -> bool:
        """Give the interface of a network to another one that stands on it, if there is one."""
        name = driver_of(network).interface(network)
        with self._guard:
            for other in self._networks.values():
                if name and driver_of(other).interface(other) == name:
                    heir = replace(other, borrows_interface=False)
                    self._rows.put_network(conversions.network_row(heir))
                    self._networks[heir.id] = heir
                    return True
        return False

    def teardown(self) -> None:
        """Remove the interfaces of all networks; the rows stay."""
        for network in self.all():
            if not network.borrows_interface:
                driver_of(network).destroy(network)


def _is_there(interface: str) -> bool:
    if not interface:
        return False
    with RouteSocket() as kernel:
        return kernel.link(interface) is not None


def _refuse_same_interface(network: Network, others: Iterable[Network]) -> None:
    """Refuse a bridge that is another network's."""
    name = driver_of(network).interface(network)
    for other in others:
        if name and driver_of(other).interface(other) == name:
            raise ForbiddenError(
                f"cannot create network {network.id} ({name}): conflicts with network "
                f"{other.id} ({name}): networks have same bridge name"
            )


def _active_endpoints(names: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f'name:"{name}" id:"{endpoint_id[:12]}"' for endpoint_id, name in names)
