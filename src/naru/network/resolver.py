"""The embedded name servers of all containers, in a thread with a loop of its own.

Containers on networks of the user's own find each other by name at 127.0.0.11. The thread keeps
questions of names and requests of clients from waiting for each other.

    resolver = Resolver(networks, upstreams)
    resolver.start()
    networks.on_names_changed = resolver.names_changed
    resolver.names_changed(all_containers)     # once, after networks.restore
    resolver.close()
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from naru.aio import KeyedThreadLock, LoopThread
from naru.errors import NaruError
from naru.network.dns_forward import Forwarder
from naru.network.dns_server import NameServer, open_sockets
from naru.network.dns_zone import Zone, zone_of
from naru.network.names import SandboxNames

_log = logging.getLogger(__name__)
_EMPTY = Zone()
# Below those that the kernel gives to clients.
_FIRST_PORT, _PORTS = 20000, 12000


def _port_of(container_id: str) -> int:
    """Return the port of a container's server: the same for every engine, and no ephemeral one."""
    return _FIRST_PORT + int(container_id[:8], 16) % _PORTS


@dataclass(slots=True)
class _Served:
    """One container's server, and what it knows until names change."""

    server: NameServer
    zone: Zone | None = None
    has_way_out: bool = True
    changes: int = 0


class NamesSource(Protocol):
    """Who knows the names: `Networks`."""

    def named_netns(self, container_id: str) -> Path | None: ...
    def names_of(self, container_id: str) -> SandboxNames | None: ...


class Resolver:
    """Keeps a name server in every sandbox that needs one. Safe for many threads."""

    def __init__(self, networks: NamesSource, upstreams: Callable[[str], Sequence[str]]) -> None:
        """Answer from the names of a container, and ask the `upstreams` of it for all else."""
        self._networks = networks
        self._upstreams = upstreams
        self._thread = LoopThread("naru-dns")
        self._forwarder = Forwarder()
        self._locks = KeyedThreadLock()
        self._served: dict[str, _Served] = {}

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Close all servers and end the thread. Containers go on, without names until the next."""
        self._thread.close(self._end)

    async def _end(self) -> None:
        for served in list(self._served.values()):
            await served.server.close()
        self._served.clear()

    def names_changed(self, container_ids: Collection[str]) -> None:
        """Make the servers of these containers agree with their networks. Blocking.

        When this returns, a container that needs a server can ask it. One that cannot have one
        is logged: it runs on without names.
        """
        for container_id in container_ids:
            with self._locks.hold(container_id):
                self._mend(container_id)

    def _mend(self, container_id: str) -> None:
        netns_path = self._networks.named_netns(container_id)
        served = self._served.get(container_id)
        if netns_path is None:
            if served is not None:
                del self._served[container_id]
                self._thread.call(served.server.end)
        elif served is not None:
            # Not made anew, nor looked up, here: on a large network every start tells everybody.
            served.changes += 1
            served.zone = None
        else:
            self._open(container_id, netns_path)

    def _open(self, container_id: str, netns_path: Path) -> None:
        try:
            sockets = open_sockets(netns_path, _port_of(container_id))
        except (NaruError, OSError):
            _log.exception("container %s has no name server", container_id)
            return
        server = NameServer(
            sockets,
            lambda: self._zone(container_id),
            lambda: self._servers(container_id),
            self._forwarder,
        )
        self._served[container_id] = _Served(server)
        self._thread.call(server.begin)

    # What servers ask, in the loop.

    def _zone(self, container_id: str) -> Zone:
        served = self._served.get(container_id)
        if served is None:
            return _EMPTY
        zone = served.zone
        if zone is None:
            changes = served.changes
            names = self._networks.names_of(container_id)
            zone = zone_of(names) if names else _EMPTY
            served.has_way_out = names is not None and names.has_way_out
            if served.changes == changes:
                served.zone = zone
        return zone

    def _servers(self, container_id: str) -> Sequence[str]:
        served = self._served.get(container_id)
        if served is None or not served.has_way_out:
            return ()
        return self._upstreams(container_id)
