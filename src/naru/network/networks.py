"""Networks and sandboxes of one engine: who has which address, wire and port.

The door to this package. All methods are synchronous and safe for many threads; work for
different containers meets only in short critical sections. The kernel keeps everything when the
engine ends, and an engine that was killed on any line is mended by the next one's `restore`.

    networks = Networks(config, database, clock)
    networks.start()             # bridges, nft table, default networks
    networks.restore(live_ids)   # once, before the first open
    networks.create(request); networks.remove(network)
    networks.open(request); networks.connect(request); networks.release(container_id)
    networks.close()             # the kernel keeps everything
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from naru.clock import Clock
from naru.db.database import Database
from naru.db.networks import NetworkRows
from naru.linux.namespaces import is_netns
from naru.network.address_book import AddressBook
from naru.network.catalog import Catalog
from naru.network.default_networks import write_default_networks
from naru.network.departures import Departures
from naru.network.driver import driver_of
from naru.network.firewall import Firewall
from naru.network.leasing import Leasing
from naru.network.live import LiveSandboxes
from naru.network.model import (
    Network,
    NetworkConfig,
    NetworkRequest,
    PortRequest,
    PublishedPort,
    Sandbox,
    SandboxRequest,
)
from naru.network.names import SandboxNames
from naru.network.parts import SandboxParts
from naru.network.publishing import Publishing
from naru.network.restoring import restore, written_elements
from naru.network.router import become_ipv4_router
from naru.network.sandboxes import Sandboxes


class Networks:
    """All networks, and the sandboxes of running containers."""

    def __init__(self, config: NetworkConfig, database: Database, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._rows = NetworkRows(database)
        addresses, departures = AddressBook(), Departures()
        firewall = Firewall(config, self._rows)
        self._catalog = Catalog(config, self._rows, clock, addresses, firewall, departures)
        self._live = LiveSandboxes(self._catalog)
        self._parts = SandboxParts(
            netns_dir=config.exec_root / "netns",
            rows=self._rows,
            catalog=self._catalog,
            leasing=Leasing(self._catalog, addresses),
            firewall=firewall,
            publishing=Publishing(config, self._catalog),
            departures=departures,
            live=self._live,
        )
        self._sandboxes = Sandboxes(self._parts)

    # Start and stop.

    def start(self) -> None:
        """Make bridges, nft table and default networks, or mend what is not as wanted.

        Idempotent, and harmless to running containers: what the kernel has is kept.

        Raises:
            FaultError: the kernel refused.
            InvalidInputError: the configured address is none, or no subnet is free.
        """
        self._parts.netns_dir.mkdir(parents=True, exist_ok=True)
        if self._config.ip_forward:
            become_ipv4_router()
        rows = self._rows.endpoints()
        in_use = any(is_netns(self._parts.netns_path(r.container_id)) for r in rows if r.ipv4)
        write_default_networks(self._config, self._rows, self._clock, keep_addresses=in_use)
        self._catalog.load()
        self._parts.publishing.start()
        self._parts.firewall.ensure(written_elements(self._parts))

    def restore(self, live: Collection[str]) -> None:
        """Take over what an earlier engine left: keep what `live` containers use, clear the rest.

        Idempotent. Returns when everything that is to go is gone.

        Raises:
            FaultError: the kernel refused.
        """
        restore(self._parts, live)

    def close(self) -> None:
        """Let go of everything in this process; the kernel keeps all of it."""
        self._parts.departures.close()
        self._parts.publishing.close()

    def teardown(self) -> None:
        """Remove all networks from the kernel, and every sandbox. For the end of an engine."""
        self._sandboxes.teardown()
        self.close()
        self._catalog.teardown()
        self._parts.firewall.teardown()

    def hindrances(self) -> list[str]:
        """Return what the host's own firewall keeps from working, as warnings. Takes some 1 ms."""
        bridges = [
            driver_of(network).interface(network)
            for network in self._catalog.all()
            if network.driver == "bridge" and not network.internal
        ]
        return self._parts.firewall.hindrances(bridges)

    def reload_firewall_rules(self) -> bool:
        """Put the administrator's firewall rules in force as they stand in their file now.

        Atomic; returns whether they are others than before.

        Raises:
            InvalidInputError: they are none, or cannot be read; those before are in force.
            FaultError: nftables refused; those before are in force.
        """
        return self._parts.firewall.reload_admin_rules()

    # Networks.

    def networks(self) -> list[Network]:
        """Return all networks."""
        return self._catalog.all()

    def resolve(self, name_or_id: str) -> Network:
        """Return the network with this name, id or start of an id; `default` is the bridge.

        Raises:
            NotFoundError: there is none.
            InvalidInputError: several ids start so.
        """
        return self._catalog.resolve(name_or_id)

    def gateway(self, name_or_id: str) -> str:
        """Return the host's address in a network, or nothing where it has none.

        Raises:
            NotFoundError: no such network.
        """
        return self.resolve(name_or_id).gateway

    def create(self, request: NetworkRequest) -> Network:
        """Make a network. Atomic: after a failure nothing is left.

        Raises:
            ConflictError: the name is taken.
            InvalidInputError: an option or a subnet is wrong, or no subnet is free.
            ForbiddenError: a subnet overlaps another, or the driver makes no such network.
            NotFoundError: no such driver, or no such configuration.
            FaultError: the kernel refused.
        """
        return self._catalog.create(request)

    def remove(self, network: Network) -> None:
        """Remove a network.

        Raises:
            ForbiddenError: running containers are on it, or networks were made from it.
            NotFoundError: it is gone already.
            FaultError: the kernel refused; the next start of an engine finishes it.
        """
        self._catalog.remove(network)

    # Sandboxes.

    def sandbox(self, container_id: str) -> Sandbox | None:
        """Return a container's sandbox, or None when it has none of its own."""
        return self._live.get(container_id)

    def sandboxes(self) -> list[Sandbox]:
        """Return the sandboxes of all running containers."""
        return self._live.all()

    def open(self, request: SandboxRequest) -> Sandbox:
        """Give a container its sandbox with addresses, wires and ports. Takes some 3 ms.

        Atomic: after a failure nothing is left. Idempotent for each container: one that has
        a sandbox keeps it.

        Raises:
            NotFoundError: no such network.
            InvalidInputError: an address asked for is none.
            ForbiddenError: it is taken.
            PublishError: a port is taken, in Docker's words.
            FaultError: no address is free, or the kernel refused.
        """
        return self._sandboxes.open(request)

    def connect(self, request: SandboxRequest) -> Sandbox:
        """Connect a container that has a sandbox to the one network that `request` names.

        Atomic: after a failure everything is as before. Its default route, and with it its
        published ports, may move to the new network.

        Raises:
            ForbiddenError: it is on that network already, or an address is taken.
            NotFoundError, InvalidInputError, PublishError, FaultError: as in `open`.
        """
        return self._sandboxes.connect(request)

    def disconnect(
        self, container_id: str, network_id: str, ports: Sequence[PortRequest] = ()
    ) -> Sandbox:
        """Take one network from a container that runs on; `ports` is all that it publishes.

        Raises:
            NotFoundError: it is not on that network.
            FaultError: the kernel refused; the next start of an engine finishes it.
        """
        return self._sandboxes.disconnect(container_id, network_id, ports)

    def republish(
        self,
        container_id: str,
        ports: Sequence[PortRequest],
        gone: Collection[PublishedPort] = (),
    ) -> Sandbox:
        """Make a running container's published ports those that `ports` asks for.

        What is published as asked stays as it is, unless it is to be `gone`; connections that
        stand go on. Atomic: after a failure everything is as before. Idempotent.

        Raises:
            PublishError: a port is taken, in Docker's words.
            InvalidInputError, NotSupportedError: an address is none, or cannot be published on.
            FaultError: the container has no sandbox of its own, or the kernel refused.
        """
        return self._sandboxes.republish(container_id, ports, gone)

    def release(self, container_id: str) -> None:
        """Take a container's sandbox away. Idempotent. Takes some 1 ms.

        Its ports are free when this returns; its addresses are a moment later, when the kernel
        has removed the wires.

        Raises:
            FaultError: the kernel refused; it may be called again, and `restore` will.
        """
        self._sandboxes.release(container_id)

    def relink(
        self, container_id: str, network_id: str, reaches: tuple[tuple[str, str], ...]
    ) -> None:
        """Note that those whom a running container links to have other addresses."""
        self._sandboxes.relink(container_id, network_id, reaches)

    # Names.

    def rename(self, container_id: str, name: str) -> None:
        """Note that a container has another name. Of one without a sandbox, nothing."""
        self._sandboxes.rename(container_id, name)

    def names_of(self, container_id: str) -> SandboxNames | None:
        """Return what the networks of a container call each other, or None without a sandbox."""
        return self._live.names_of(container_id)

    def named_netns(self, container_id: str) -> Path | None:
        """Return the namespace of a container on a network where names are resolved, or None."""
        return self._live.named_netns(container_id)

    @property
    def on_names_changed(self) -> Callable[[Collection[str]], None]:
        """What is called, from any thread, with the containers whose names may have changed."""
        return self._live.on_names_changed

    @on_names_changed.setter
    def on_names_changed(self, listener: Callable[[Collection[str]], None]) -> None:
        self._live.on_names_changed = listener
