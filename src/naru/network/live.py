"""The sandboxes that there are now, in memory, and who is on a network with whom. Thread-safe."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from naru.network.catalog import Catalog
from naru.network.model import Endpoint, Sandbox
from naru.network.names import SandboxNames, sandbox_names


def _nobody_listens(container_ids: Collection[str]) -> None:
    """Stand in until somebody does."""


class LiveSandboxes:
    """The sandboxes of running containers."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._guard = threading.Lock()
        self._sandboxes: dict[str, Sandbox] = {}
        self._members: dict[str, dict[str, Endpoint]] = {}
        self.on_names_changed: Callable[[Collection[str]], None] = _nobody_listens

    def get(self, container_id: str) -> Sandbox | None:
        """Return a container's sandbox, or None when it has none of its own."""
        with self._guard:
            return self._sandboxes.get(container_id)

    def all(self) -> list[Sandbox]:
        """Return all sandboxes."""
        with self._guard:
            return list(self._sandboxes.values())

    def names_of(self, container_id: str) -> SandboxNames | None:
        """Return what the networks of a container call each other, or None without a sandbox."""
        networks = self._catalog.by_id()
        with self._guard:
            sandbox = self._sandboxes.get(container_id)
            if sandbox is None:
                return None
            members = {
                endpoint.network_id: tuple(self._members[endpoint.network_id].values())
                for endpoint in sandbox.endpoints
            }
        return sandbox_names(sandbox, networks, members)

    def named_netns(self, container_id: str) -> Path | None:
        """Return the namespace of a container that is on a network with names; else None.

        Costs the same however many others are there: every start on a network asks it for all.
        """
        sandbox = self.get(container_id)
        if sandbox is None:
            return None
        networks = self._catalog.by_id()
        has_names = any(not networks[one.network_id].is_builtin for one in sandbox.endpoints)
        return sandbox.netns_path if has_names else None

    def keep(self, sandbox: Sandbox) -> None:
        """Take a sandbox up, or put it in the place of what it was before."""
        with self._guard:
            self._forget_members(sandbox.container_id)
            self._sandboxes[sandbox.container_id] = sandbox
            for endpoint in sandbox.endpoints:
                members = self._members.setdefault(endpoint.network_id, {})
                members[sandbox.container_id] = endpoint

    def drop(self, sandbox: Sandbox) -> None:
        """Forget a sandbox. Idempotent."""
        with self._guard:
            self._forget_members(sandbox.container_id)
            self._sandboxes.pop(sandbox.container_id, None)

    def tell(self, endpoints: Iterable[Endpoint]) -> None:
        """Tell of all containers on the networks of `endpoints` that names may have changed."""
        changed = list(endpoints)
        with self._guard:
            concerned = {
                container_id
                for endpoint in changed
                for container_id in self._members.get(endpoint.network_id, ())
            }
        self.on_names_changed(concerned | {endpoint.container_id for endpoint in changed})

    def _forget_members(self, container_id: str) -> None:
        known = self._sandboxes.get(container_id)
        for endpoint in known.endpoints if known else ():
            members = self._members[endpoint.network_id]
            members.pop(container_id, None)
            if not members:
                del self._members[endpoint.network_id]
