"""Sandboxes of running containers: who has which address, wire and port. Safe for many threads.

Intent is written before the kernel is touched, and forgotten after the kernel has forgotten, so
that `restore` can tell, after a kill on any line, what is to be kept and what to be cleared.
Work for different containers meets only in short critical sections.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from naru.aio import KeyedThreadLock
from naru.db.networks import PortRow
from naru.errors import FaultError, ForbiddenError, NaruError, NotFoundError
from naru.faults import fault_point
from naru.linux.namespaces import delete_netns, is_netns
from naru.network import conversions
from naru.network.driver import driver_of
from naru.network.flows import forget_flows_to
from naru.network.interfaces import set_ways_out
from naru.network.model import (
    Endpoint,
    EndpointRequest,
    PortRequest,
    PublishedPort,
    Sandbox,
    SandboxRequest,
)
from naru.network.parts import SandboxParts
from naru.network.plan import ports_by_endpoint
from naru.network.sandbox import existing_sandbox, new_sandbox

_log = logging.getLogger(__name__)
_AFTER_LEASE = fault_point("network.connect.after_lease")
_AFTER_NETNS = fault_point("network.connect.after_netns")
_BEFORE_NFT = fault_point("network.connect.before_nft")
_AFTER_NFT = fault_point("network.connect.after_nft")
_JOIN_NOTED = fault_point("network.join.noted")
_JOIN_ATTACHED = fault_point("network.join.attached")
_LEAVE_NOTED = fault_point("network.leave.noted")
_LEAVE_DETACHED = fault_point("network.leave.detached")
_REPUBLISH_HALF = fault_point("network.republish.half")
_REPUBLISH_NOTED = fault_point("network.republish.noted")
_RELEASE_NOTED = fault_point("network.release.noted")
_RELEASE_HALF = fault_point("network.release.half")
_RELEASE_UNNAMED = fault_point("network.release.unnamed")


class Sandboxes:
    """The sandboxes of running containers."""

    def __init__(self, parts: SandboxParts) -> None:
        self._parts = parts
        self._rows = parts.rows
        self._catalog = parts.catalog
        self._firewall = parts.firewall
        self._publishing = parts.publishing
        self._live = parts.live
        self._locks = KeyedThreadLock()

    # Coming and going.

    def open(self, request: SandboxRequest) -> Sandbox:
        """Make a container's sandbox. Atomic and idempotent; see `Networks.open`."""
        with self._locks.hold(request.container_id):
            sandbox = self._live.get(request.container_id)
            if sandbox is not None:
                return sandbox
            sandbox = self._open(request)
        self._live.tell(sandbox.endpoints)
        return sandbox

    def _open(self, request: SandboxRequest) -> Sandbox:
        with contextlib.ExitStack() as undo:
            endpoints: list[Endpoint] = []
            for wanted in request.endpoints:
                endpoints.append(self._lease(request, wanted, endpoints, undo))
            published = self._publishing.publish(endpoints, request.ports)
            undo.callback(self._publishing.release, published)
            path = self._parts.netns_path(request.container_id)
            sandbox = Sandbox(
                container_id=request.container_id,
                netns_path=path,
                endpoints=tuple(endpoints),
                published=published,
            )
            self._rows.add_endpoints(
                map(conversions.endpoint_row, endpoints), self._port_rows(sandbox)
            )
            # From here on the ordinary way out undoes everything, whatever has been done.
            undo.pop_all()
            undo.callback(self._give_up, sandbox)
            _AFTER_LEASE()
            with new_sandbox(path) as opened:
                _AFTER_NETNS()
                for endpoint in endpoints:
                    network = self._parts.network_of(endpoint)
                    driver_of(network).attach(network, endpoint, opened)
                set_ways_out(opened, sandbox)
            _BEFORE_NFT()
            self._move_ports(replace(sandbox, endpoints=(), published=()), sandbox)
            _AFTER_NFT()
            self._live.keep(sandbox)
            undo.pop_all()
        return sandbox

    def release(self, container_id: str) -> None:
        """Take a container's sandbox away. Idempotent; see `Networks.release`."""
        with self._locks.hold(container_id):
            sandbox = self._live.get(container_id)
            if sandbox is None:
                return
            self._release(sandbox)
            # Kept until it is done, so that what failed can be tried again.
            self._live.drop(sandbox)
        self._live.tell(sandbox.endpoints)

    def _give_up(self, sandbox: Sandbox) -> None:
        try:
            self._release(sandbox)
        except NaruError:
            _log.exception("clear the network of container %s", sandbox.container_id)

    def _release(self, sandbox: Sandbox) -> None:
        self._rows.mark_leaving(endpoint.endpoint_id for endpoint in sandbox.endpoints)
        _RELEASE_NOTED()
        self._firewall.change(remove=self._publishing.elements(sandbox))
        self._publishing.relay(sandbox, replace(sandbox, published=()))
        self._publishing.release(sandbox.published)
        _RELEASE_HALF()
        self._cut_at_once(sandbox)
        delete_netns(sandbox.netns_path)
        _RELEASE_UNNAMED()
        for endpoint in sandbox.endpoints:
            self._parts.depart(endpoint, was_published=bool(sandbox.published))

    def _cut_at_once(self, sandbox: Sandbox) -> None:
        """Remove interfaces whose going cannot be watched: their addresses are free right away."""
        unseen = [
            endpoint
            for endpoint in sandbox.endpoints
            if endpoint.addresses
            and not driver_of(self._parts.network_of(endpoint)).leaves_by_itself(endpoint)
        ]
        if not unseen or not is_netns(sandbox.netns_path):
            return
        with existing_sandbox(sandbox.netns_path) as opened:
            for endpoint in unseen:
                network = self._parts.network_of(endpoint)
                driver_of(network).detach(network, endpoint, opened)

    # Networks of a container that runs.

    def connect(self, request: SandboxRequest) -> Sandbox:
        """Add one network to a container's sandbox. Atomic; see `Networks.connect`."""
        [wanted] = request.endpoints
        with self._locks.hold(request.container_id):
            before = self._existing(request.container_id)
            network = self._catalog.resolve(wanted.network)
            if before.endpoint_on(network.id):
                raise ForbiddenError(
                    f"endpoint with name {request.container_name} already exists in network "
                    f"{network.name}"
                )
            after = self._join(before, request, wanted)
            self._live.keep(after)
        self._live.tell(after.endpoints)
        return after

    def _join(self, before: Sandbox, request: SandboxRequest, wanted: EndpointRequest) -> Sandbox:
        with contextlib.ExitStack() as undo:
            endpoint = self._lease(request, wanted, before.endpoints, undo)
            endpoints = (*before.endpoints, endpoint)
            change = self._publishing.change(before, endpoints, request.ports)
            undo.callback(self._publishing.release, change.new)
            after = replace(before, endpoints=endpoints, published=change.published)
            with self._rows.transaction():
                self._rows.add_endpoints([conversions.endpoint_row(endpoint)], ())
                self._write_ports(after)
            undo.pop_all()
            undo.callback(self._take_back, before, after, endpoint, change.new)
            _JOIN_NOTED()
            network = self._parts.network_of(endpoint)
            with existing_sandbox(before.netns_path) as opened:
                driver_of(network).attach(network, endpoint, opened)
                _JOIN_ATTACHED()
                set_ways_out(opened, after, before)
            self._move_ports(before, after)
            undo.pop_all()
        self._publishing.release(change.lost)
        return after

    def disconnect(
        self, container_id: str, network_id: str, ports: Sequence[PortRequest] = ()
    ) -> Sandbox:
        """Take one network from a container's sandbox; see `Networks.disconnect`."""
        with self._locks.hold(container_id):
            before = self._existing(container_id)
            endpoint = before.endpoint_on(network_id)
            if endpoint is None:
                raise NotFoundError(f"container {container_id} is not on network {network_id}")
            endpoints = tuple(one for one in before.endpoints if one != endpoint)
            change = self._publishing.change(before, endpoints, ports)
            after = replace(before, endpoints=endpoints, published=change.published)
            self._leave(before, after, endpoint)
            self._publishing.release(change.lost)
            self._live.keep(after)
        self._live.tell(before.endpoints)
        return after

    def _take_back(
        self, before: Sandbox, after: Sandbox, endpoint: Endpoint, new: Iterable[PublishedPort]
    ) -> None:
        try:
            self._leave(after, before, endpoint)
            self._publishing.release(new)
        except NaruError:
            _log.exception("take network %s back", endpoint.network_name)

    def _leave(self, before: Sandbox, after: Sandbox, endpoint: Endpoint) -> None:
        with self._rows.transaction():
            self._rows.mark_leaving([endpoint.endpoint_id])
            self._write_ports(after)
        _LEAVE_NOTED()
        self._move_ports(before, after)
        network = self._parts.network_of(endpoint)
        with existing_sandbox(before.netns_path) as opened:
            driver_of(network).detach(network, endpoint, opened)
            _LEAVE_DETACHED()
            set_ways_out(opened, after, before)
        self._parts.depart(endpoint)

    def _move_ports(self, before: Sandbox, after: Sandbox) -> None:
        self._firewall.change(
            add=self._publishing.elements(after), remove=self._publishing.elements(before)
        )
        self._publishing.relay(before, after)
        forget_flows_to({*before.published} ^ {*after.published})

    def republish(
        self, container_id: str, ports: Sequence[PortRequest], gone: Collection[PublishedPort]
    ) -> Sandbox:
        """Publish other ports of a container; see `Networks.republish`."""
        with self._locks.hold(container_id):
            before = self._existing(container_id)
            missing, surplus = self._publishing.differences(before, ports, gone)
            if not missing and not surplus:
                return before
            after = self._republish(before, missing, surplus)
            self._live.keep(after)
        return after

    def _republish(
        self, before: Sandbox, missing: Sequence[PortRequest], surplus: Sequence[PublishedPort]
    ) -> Sandbox:
        kept = tuple(port for port in before.published if port not in surplus)
        between = replace(before, published=kept)
        with contextlib.ExitStack() as undo:
            # What goes is gone before anything comes: it may come back for another port.
            undo.callback(self._move_ports, between, before)
            self._move_ports(before, between)
            undo.callback(self._publishing.restore, surplus)
            self._publishing.release(surplus)
            _REPUBLISH_HALF()
            new = self._publishing.publish(before.endpoints, missing)
            undo.callback(self._publishing.release, new)
            after = replace(before, published=(*kept, *new))
            undo.callback(self._write_ports, before)
            self._write_ports(after)
            _REPUBLISH_NOTED()
            self._move_ports(between, after)
            undo.pop_all()
        return after

    def relink(
        self, container_id: str, network_id: str, reaches: tuple[tuple[str, str], ...]
    ) -> None:
        """Note that those whom a container links to have other addresses, or are no more."""
        with self._locks.hold(container_id):
            before = self._live.get(container_id)
            endpoint = before.endpoint_on(network_id) if before else None
            if before is None or endpoint is None or endpoint.reaches == reaches:
                return
            linked = replace(endpoint, reaches=reaches)
            endpoints = tuple(linked if one == endpoint else one for one in before.endpoints)
            after = replace(before, endpoints=endpoints)
            details = conversions.endpoint_details(linked)
            self._rows.put_details(endpoint.endpoint_id, details)
            self._move_ports(before, after)
            self._live.keep(after)

    def rename(self, container_id: str, name: str) -> None:
        """Note that a container has another name. Of one without a sandbox, nothing."""
        with self._locks.hold(container_id):
            before = self._live.get(container_id)
            if before is None:
                return
            endpoints = tuple(replace(one, container_name=name) for one in before.endpoints)
            with self._rows.transaction():
                for endpoint in endpoints:
                    details = conversions.endpoint_details(endpoint)
                    self._rows.put_details(endpoint.endpoint_id, details)
            for endpoint in endpoints:
                # Who is on a network is told by name.
                network = self._parts.network_of(endpoint)
                self._catalog.claim(network, endpoint.endpoint_id, name)
            self._live.keep(replace(before, endpoints=endpoints))
        self._live.tell(endpoints)

    def teardown(self) -> None:
        """Take all sandboxes away."""
        for sandbox in self._live.all():
            self.release(sandbox.container_id)

    # Small steps.

    def _lease(
        self,
        request: SandboxRequest,
        wanted: EndpointRequest,
        others: Iterable[Endpoint],
        undo: contextlib.ExitStack,
    ) -> Endpoint:
        if any((*wanted.prefers, wanted.ipv4_address, wanted.ipv6_address)):
            # Until its old wire is gone, nobody gets its old address, and neither would it: a
            # container that restarts with an address of its own was refused it.
            self._parts.departures.wait(self._parts.catalog.resolve(wanted.network).id)
        return self._parts.leasing.lease(
            request.container_id, request.container_name, request.hostname, wanted, others, undo
        )

    def _existing(self, container_id: str) -> Sandbox:
        sandbox = self._live.get(container_id)
        if sandbox is None:
            raise FaultError(f"container {container_id} has no network namespace of its own")
        return sandbox

    def _port_rows(self, sandbox: Sandbox) -> list[PortRow]:
        owners = self._publishing.owners(sandbox.endpoints)
        return [
            conversions.port_row(endpoint.endpoint_id, port)
            for endpoint, port in ports_by_endpoint(sandbox.published, owners)
        ]

    def _write_ports(self, sandbox: Sandbox) -> None:
        ids = [endpoint.endpoint_id for endpoint in sandbox.endpoints]
        self._rows.replace_ports(ids, self._port_rows(sandbox))
