"""Networks and sandboxes of one engine: who has which address, wire and port.

Intent is written before the kernel is touched, and forgotten after the kernel has forgotten, so
that `restore` can tell, after a kill on any line, what is to be kept and what to be cleared.
All methods are synchronous and safe for many threads; work for different containers meets only
in short critical sections.

    networks = Networks(config, database, clock)
    networks.start()             # bridge, nft table, default networks
    networks.restore(live_ids)   # once, before the first connect
    networks.connect(request); networks.release(container_id)
    networks.close()             # the kernel keeps everything
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Collection, Iterable
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from naru.clock import Clock
from naru.db.database import Database
from naru.db.networks import EndpointRow, NetworkRows
from naru.errors import InvalidInputError, NaruError, NotFoundError
from naru.faults import fault_point
from naru.ids import is_id_prefix, matching_prefix, new_id
from naru.linux.namespaces import delete_netns, is_netns
from naru.linux.netlink import RouteSocket
from naru.linux.sysctl import set_sysctl
from naru.network import conversions
from naru.network.address_book import AddressBook
from naru.network.container_locks import ContainerLocks
from naru.network.default_networks import write_default_networks
from naru.network.departures import Departures
from naru.network.driver import DRIVERS
from naru.network.firewall import Firewall
from naru.network.host_ports import HostPorts
from naru.network.model import (
    DEFAULT_NETWORK,
    Endpoint,
    EndpointRequest,
    Network,
    NetworkConfig,
    PublishedPort,
    PublishError,
    Sandbox,
)
from naru.network.plan import chosen_mac, link_name
from naru.network.rules import Forward, bridge_rules, forwards_of
from naru.network.sandbox import new_sandbox
from naru.network.udp_flows import forget_flows_from, forget_flows_to

__all__ = [
    "Endpoint",
    "EndpointRequest",
    "Network",
    "NetworkConfig",
    "Networks",
    "PublishedPort",
    "Sandbox",
]

_log = logging.getLogger(__name__)
_AFTER_LEASE = fault_point("network.connect.after_lease")
_AFTER_NETNS = fault_point("network.connect.after_netns")
_BEFORE_NFT = fault_point("network.connect.before_nft")
_AFTER_NFT = fault_point("network.connect.after_nft")
_RELEASE_NOTED = fault_point("network.release.noted")
_RELEASE_HALF = fault_point("network.release.half")
_RELEASE_UNNAMED = fault_point("network.release.unnamed")
_RELEASE_GONE = fault_point("network.release.gone")


class Networks:
    """All networks, and the sandboxes of running containers."""

    def __init__(self, config: NetworkConfig, database: Database, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._rows = NetworkRows(database)
        self._firewall = Firewall(config.table, self._rows)
        self._ports = HostPorts(config.default_host_ip)
        self._addresses = AddressBook()
        self._departures = Departures()
        self._locks = ContainerLocks()
        self._guard = threading.Lock()
        self._networks: dict[str, Network] = {}
        self._sandboxes: dict[str, Sandbox] = {}

    # Start and stop.

    def start(self) -> None:
        """Make bridge, nft table and default networks, or mend what is not as wanted.

        Idempotent, and harmless to running containers: what the kernel has is kept.

        Raises:
            FaultError: the kernel refused, or no subnet is free.
            InvalidInputError: the configured address is none.
        """
        self._netns_dir.mkdir(parents=True, exist_ok=True)
        if self._config.ip_forward:
            set_sysctl("net/ipv4/ip_forward", "1")
        rows = self._rows.endpoints()
        in_use = any(is_netns(self._netns_path(row.container_id)) for row in rows if row.ipv4)
        write_default_networks(self._config, self._rows, self._clock, keep_addresses=in_use)
        networks = [conversions.network(row) for row in self._rows.networks()]
        with self._guard:
            self._networks = {network.id: network for network in networks}
        for network in networks:
            DRIVERS[network.driver].prepare(network)
            if network.subnet:
                taken = [row.ipv4 for row in rows if row.network_id == network.id and row.ipv4]
                self._addresses.open(network, taken)
        self._firewall.ensure(bridge_rules(networks), self._written_forwards())

    def restore(self, live: Collection[str]) -> None:
        """Take over what an earlier engine left: keep what `live` containers use, clear the rest.

        Idempotent. Returns when everything that is to go is gone.

        Raises:
            FaultError: the kernel refused.
        """
        kept = set(live)
        ports = self._rows.ports()
        leaving: list[EndpointRow] = []
        for row in self._rows.endpoints():
            if row.is_leaving or row.container_id not in kept:
                leaving.append(row)
                continue
            endpoint = conversions.endpoint(row, self._networks[row.network_id].name)
            published = conversions.published(ports, row.id)
            self._adopt(row.container_id, endpoint, published)
        self._rows.mark_leaving(row.id for row in leaving)
        self._firewall.ensure(bridge_rules(self._networks.values()), self._written_forwards())
        for path in self._netns_dir.iterdir():
            if path.name not in kept:
                delete_netns(path)
        for row in leaving:
            self._depart(row)
        self._remove_unknown_wires(leaving)
        self._departures.wait()

    def close(self) -> None:
        """Let go of everything in this process; the kernel keeps all of it."""
        self._departures.close()
        self._ports.close()

    def teardown(self) -> None:
        """Remove all networks from the kernel, and every sandbox. For the end of an engine."""
        for container_id in list(self._sandboxes):
            self.release(container_id)
        self.close()
        for network in self._networks.values():
            DRIVERS[network.driver].destroy(network)
        self._firewall.teardown()

    # Networks.

    def networks(self) -> list[Network]:
        """Return all networks."""
        with self._guard:
            return list(self._networks.values())

    def resolve(self, name_or_id: str) -> Network:
        """Return the network with this name, id or start of an id; `default` is the bridge.

        Raises:
            NotFoundError: there is none.
            InvalidInputError: several ids start so.
        """
        networks = {network.id: network for network in self.networks()}
        name = DEFAULT_NETWORK if name_or_id in ("", "default") else name_or_id
        for network in networks.values():
            if name in (network.name, network.id):
                return network
        found = matching_prefix(name, networks) if is_id_prefix(name) else []
        if len(found) > 1:
            raise InvalidInputError(
                f"network {name_or_id} is ambiguous ({len(found)} matches found based on ID prefix)"
            )
        if not found:
            raise NotFoundError(f"network {name_or_id} not found")
        return networks[found[0]]

    def gateway(self, name_or_id: str) -> str:
        """Return the host's address in a network, or nothing where it has none.

        Raises:
            NotFoundError: no such network.
        """
        return self.resolve(name_or_id).gateway

    # Sandboxes.

    def sandbox(self, container_id: str) -> Sandbox | None:
        """Return a container's sandbox, or None when it has none of its own."""
        with self._guard:
            return self._sandboxes.get(container_id)

    def connect(self, request: EndpointRequest) -> Sandbox:
        """Give a container its sandbox with an address, a wire and its ports. Takes some 3 ms.

        Atomic: after a failure nothing is left. Idempotent for each container: one that has
        a sandbox keeps it.

        Raises:
            NotFoundError: no such network.
            InvalidInputError: an address asked for is none.
            ConflictError: it is taken.
            PublishError: a port is taken, in Docker's words.
            FaultError: no address is free, or the kernel refused.
        """
        with self._locks.hold(request.container_id):
            sandbox = self.sandbox(request.container_id)
            if sandbox is None:
                sandbox = self._connect(request)
            return sandbox

    def release(self, container_id: str) -> None:
        """Take a container's sandbox away. Idempotent. Takes some 1 ms.

        Its ports are free when this returns; its address is a moment later, when the kernel
        has removed the wire.

        Raises:
            FaultError: the kernel refused; it may be called again, and `restore` will.
        """
        with self._locks.hold(container_id):
            with self._guard:
                sandbox = self._sandboxes.get(container_id)
            if sandbox is not None:
                self._release(sandbox)
                with self._guard:
                    # Kept until it is done, so that what failed can be tried again.
                    self._sandboxes.pop(container_id, None)

    def _connect(self, request: EndpointRequest) -> Sandbox:
        network = self.resolve(request.network)
        with contextlib.ExitStack() as undo:
            sandbox, row = self._lease(network, request, undo)
            self._rows.add_endpoint(row, conversions.port_rows(row.id, sandbox.published))
            # From here on the ordinary way out undoes everything, whatever has been done.
            undo.pop_all()
            undo.callback(self._give_up, sandbox)
            _AFTER_LEASE()
            with new_sandbox(sandbox.netns_path) as opened:
                _AFTER_NETNS()
                for endpoint in sandbox.endpoints:
                    DRIVERS[network.driver].attach(network, endpoint, opened)
            _BEFORE_NFT()
            self._firewall.add(_forwards(sandbox))
            forget_flows_to(sandbox.published)
            _AFTER_NFT()
            with self._guard:
                self._sandboxes[sandbox.container_id] = sandbox
            undo.pop_all()
        return sandbox

    def _lease(
        self, network: Network, request: EndpointRequest, undo: contextlib.ExitStack
    ) -> tuple[Sandbox, EndpointRow]:
        """Choose and hold address and ports, in memory."""
        if request.ipv4_address and network.is_builtin:
            raise InvalidInputError(
                "user specified IP address is supported on user defined networks only"
            )
        endpoint_id = new_id()
        address = self._addresses.take(network, request.ipv4_address)
        published: tuple[PublishedPort, ...] = ()
        mac_address = ""
        if address is not None:
            undo.callback(self._addresses.give_back, network.id, str(address))
            mac_address = chosen_mac(request.mac_address, address)
            try:
                published = self._ports.reserve(request.ports)
            except PublishError as error:
                raise PublishError(
                    "driver failed programming external connectivity on endpoint "
                    f"{request.container_name} ({endpoint_id}): {error.message}"
                ) from error
            undo.callback(self._ports.release, published)
        endpoint = Endpoint(
            network_id=network.id,
            network_name=network.name,
            endpoint_id=endpoint_id,
            ipv4=str(address or ""),
            prefix_length=IPv4Network(network.subnet).prefixlen if network.subnet else 0,
            gateway=network.gateway,
            mac_address=mac_address,
        )
        path = self._netns_path(request.container_id)
        sandbox = Sandbox(request.container_id, path, (endpoint,), published)
        return sandbox, conversions.endpoint_row(endpoint, request.container_id)

    def _give_up(self, sandbox: Sandbox) -> None:
        try:
            self._release(sandbox)
        except NaruError:
            _log.exception("clear the network of container %s", sandbox.container_id)

    def _release(self, sandbox: Sandbox) -> None:
        self._rows.mark_leaving(endpoint.endpoint_id for endpoint in sandbox.endpoints)
        _RELEASE_NOTED()
        self._firewall.remove(_forwards(sandbox))
        self._ports.release(sandbox.published)
        _RELEASE_HALF()
        delete_netns(sandbox.netns_path)
        _RELEASE_UNNAMED()
        for endpoint in sandbox.endpoints:
            self._depart(
                conversions.endpoint_row(endpoint, sandbox.container_id, is_leaving=True),
                had_udp=any(port.protocol == "udp" for port in sandbox.published),
            )

    def _depart(self, row: EndpointRow, *, had_udp: bool = True) -> None:
        """Forget an endpoint, and free its address, once its wire is gone."""

        def gone() -> None:
            if had_udp and row.ipv4:
                forget_flows_from(row.ipv4)
            _RELEASE_GONE()
            self._rows.delete_endpoints([row.id])
            self._addresses.give_back(row.network_id, row.ipv4)

        if row.ipv4:
            self._departures.expect(link_name(row.id), gone)
        else:
            gone()

    def _adopt(
        self, container_id: str, endpoint: Endpoint, published: tuple[PublishedPort, ...]
    ) -> None:
        network = self._networks[endpoint.network_id]
        if not DRIVERS[network.driver].mend(network, endpoint):
            _log.warning("container %s has lost its wire to %s", container_id, network.name)
        for refusal in self._ports.restore(published):
            _log.warning("a port of container %s is not held: %s", container_id, refusal)
        path = self._netns_path(container_id)
        with self._guard:
            sandbox = self._sandboxes.get(container_id) or Sandbox(container_id, path, (), ())
            if endpoint not in sandbox.endpoints:
                self._sandboxes[container_id] = replace(
                    sandbox,
                    endpoints=(*sandbox.endpoints, endpoint),
                    published=(*sandbox.published, *published),
                )

    def _remove_unknown_wires(self, leaving: Iterable[EndpointRow]) -> None:
        known = {link_name(row.id) for row in leaving}
        with self._guard:
            known |= {
                link_name(endpoint.endpoint_id)
                for sandbox in self._sandboxes.values()
                for endpoint in sandbox.endpoints
            }
        for network in self.networks():
            for wire in DRIVERS[network.driver].wires(network):
                if wire not in known:
                    _log.warning("removing interface %s, which belongs to nobody", wire)
                    with RouteSocket() as kernel:
                        kernel.delete_link(wire)

    def _written_forwards(self) -> list[Forward]:
        ports = self._rows.ports()
        return [
            forward
            for row in self._rows.endpoints()
            if row.ipv4
            for forward in forwards_of(IPv4Address(row.ipv4), conversions.published(ports, row.id))
        ]

    @property
    def _netns_dir(self) -> Path:
        return self._config.exec_root / "netns"

    def _netns_path(self, container_id: str) -> Path:
        return self._netns_dir / container_id


def _forwards(sandbox: Sandbox) -> list[Forward]:
    if not sandbox.published:
        return []
    return forwards_of(IPv4Address(sandbox.endpoints[0].ipv4), sandbox.published)
