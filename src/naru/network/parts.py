"""What sandboxes are made with, and the last step of every endpoint, which many share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from naru.db.networks import NetworkRows
from naru.faults import fault_point
from naru.network.catalog import Catalog
from naru.network.departures import Departures
from naru.network.driver import driver_of
from naru.network.firewall import Firewall
from naru.network.flows import forget_flows_from
from naru.network.leasing import Leasing
from naru.network.live import LiveSandboxes
from naru.network.model import Endpoint, Network
from naru.network.publishing import Publishing

_RELEASE_GONE = fault_point("network.release.gone")


@dataclass(frozen=True, slots=True)
class SandboxParts:
    """The collaborators of `Sandboxes`, and of those who restore them."""

    netns_dir: Path
    rows: NetworkRows
    catalog: Catalog
    leasing: Leasing
    firewall: Firewall
    publishing: Publishing
    departures: Departures
    live: LiveSandboxes

    def netns_path(self, container_id: str) -> Path:
        """Return the name of a container's network namespace."""
        return self.netns_dir / container_id

    def network_of(self, endpoint: Endpoint) -> Network:
        """Return the network of an endpoint, which cannot be removed before it is gone."""
        return self.catalog.by_id()[endpoint.network_id]

    def depart(self, endpoint: Endpoint, *, was_published: bool = True) -> None:
        """Forget an endpoint, and free its addresses, once its wire is gone."""

        def gone() -> None:
            if was_published:
                forget_flows_from((endpoint.ipv4, endpoint.ipv6))
            _RELEASE_GONE()
            self.rows.delete_endpoints([endpoint.endpoint_id])
            self.leasing.give_back(endpoint)

        wire = driver_of(self.network_of(endpoint)).leaves_by_itself(endpoint)
        if wire:
            self.departures.expect(wire, endpoint.network_id, gone)
        else:
            gone()
        self.catalog.release(endpoint.network_id, endpoint.endpoint_id)
