"""After a start of the engine: the sandboxes that an earlier one left, kept or cleared away."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from naru.db.networks import EndpointRow, PortRow
from naru.errors import NaruError
from naru.linux.namespaces import delete_netns
from naru.linux.netlink import RouteSocket
from naru.network import conversions
from naru.network.driver import driver_of
from naru.network.interfaces import mend_ways_out
from naru.network.model import Endpoint, PublishedPort, Sandbox
from naru.network.parts import SandboxParts
from naru.network.plan import link_name, ports_by_endpoint
from naru.network.rules import Element
from naru.network.sandbox import existing_sandbox

_log = logging.getLogger(__name__)


def written_elements(parts: SandboxParts) -> set[Element]:
    """Return what the firewall has to know of all networks, and of the ports that are written."""
    found = parts.catalog.elements()
    for sandbox in _written(parts).values():
        found |= parts.publishing.elements(sandbox)
    return found


def restore(parts: SandboxParts, live: Collection[str]) -> None:
    """Take over what an earlier engine left: keep what `live` containers use, clear the rest.

    Idempotent. Returns when everything that is to go is gone.

    Raises:
        FaultError: the kernel refused.
    """
    kept = set(live)
    leaving = [
        row
        for row in parts.rows.endpoints()
        if row.is_leaving or row.container_id not in kept or not _has_network(parts, row)
    ]
    parts.rows.mark_leaving(row.id for row in leaving)
    sandboxes = _written(parts)
    for container_id in kept - set(sandboxes):
        path = parts.netns_path(container_id)
        if path.exists():
            sandboxes[container_id] = Sandbox(container_id=container_id, netns_path=path)
    parts.firewall.ensure(written_elements(parts))
    for sandbox in sandboxes.values():
        if parts.live.get(sandbox.container_id) is None:
            _adopt(parts, sandbox)
    for path in parts.netns_dir.iterdir():
        if path.name not in kept:
            delete_netns(path)
    for row in leaving:
        parts.depart(conversions.endpoint(row, ""))
    _remove_unknown_wires(parts, leaving)
    parts.departures.wait()
    parts.catalog.finish()


def _has_network(parts: SandboxParts, row: EndpointRow) -> bool:
    network = parts.catalog.by_id().get(row.network_id)
    return network is not None and not network.is_leaving


def _written(parts: SandboxParts) -> dict[str, Sandbox]:
    """Return the sandboxes that the rows describe."""
    networks, ports = parts.catalog.by_id(), parts.rows.ports()
    endpoints: dict[str, list[Endpoint]] = {}
    for row in parts.rows.endpoints():
        if not row.is_leaving and _has_network(parts, row):
            endpoint = conversions.endpoint(row, networks[row.network_id].name)
            endpoints.setdefault(row.container_id, []).append(endpoint)
    return {
        container_id: Sandbox(
            container_id=container_id,
            netns_path=parts.netns_path(container_id),
            endpoints=tuple(found),
            published=_leading(parts, found, ports),
        )
        for container_id, found in endpoints.items()
    }


def _leading(
    parts: SandboxParts, endpoints: Sequence[Endpoint], rows: Iterable[PortRow]
) -> tuple[PublishedPort, ...]:
    """Return the ports of a sandbox; an engine without relays leaves out those that need one."""
    written = conversions.published(rows, (one.endpoint_id for one in endpoints))
    owners = parts.publishing.owners(endpoints)
    return tuple(port for _, port in ports_by_endpoint(written, owners))


def _adopt(parts: SandboxParts, sandbox: Sandbox) -> None:
    for refusal in parts.publishing.restore(sandbox.published):
        _log.warning("a port of container %s is not held: %s", sandbox.container_id, refusal)
    for endpoint in sandbox.endpoints:
        network = parts.network_of(endpoint)
        parts.catalog.claim(network, endpoint.endpoint_id, endpoint.container_name)
    try:
        with existing_sandbox(sandbox.netns_path) as opened:
            for endpoint in sandbox.endpoints:
                network = parts.network_of(endpoint)
                if not driver_of(network).mend(network, endpoint, opened):
                    _log.warning(
                        "container %s had lost its wire to %s", sandbox.container_id, network.name
                    )
            mend_ways_out(opened, sandbox)
    except NaruError:
        _log.exception("the network of container %s is not whole", sandbox.container_id)
    parts.publishing.relay(replace(sandbox, published=()), sandbox)
    parts.live.keep(sandbox)


def _remove_unknown_wires(parts: SandboxParts, leaving: Iterable[EndpointRow]) -> None:
    known = {link_name(row.id) for row in leaving}
    for sandbox in parts.live.all():
        known |= {link_name(endpoint.endpoint_id) for endpoint in sandbox.endpoints}
    for network in parts.catalog.all():
        for wire in driver_of(network).wires(network):
            if wire not in known:
                _log.warning("removing interface %s, which belongs to nobody", wire)
                with RouteSocket() as kernel:
                    kernel.delete_link(wire)
