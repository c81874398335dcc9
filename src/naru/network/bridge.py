"""Driver `bridge`: a bridge on the host, and a veth pair from it into each sandbox.

Carries out what `plan` decides. Every call is a handful of netlink messages, without forks.
"""

from __future__ import annotations

import os

from naru.errors import FaultError
from naru.faults import fault_point
from naru.linux.netlink import Link, RouteSocket, VethPair
from naru.linux.sysctl import set_sysctl
from naru.network.ipam import mac_for
from naru.network.model import Endpoint, Network
from naru.network.plan import OPTION_BRIDGE, OPTION_MTU, EndpointPlan, link_name, plan_endpoint
from naru.network.sandbox import OpenSandbox

_AFTER_LINK = fault_point("network.connect.after_link")


class BridgeDriver:
    """Networks on a bridge of the host."""

    def prepare(self, network: Network) -> None:
        """Make the bridge with its address, or mend it. Idempotent; ports are left alone."""
        name, mtu = network.options[OPTION_BRIDGE], int(network.options[OPTION_MTU])
        address = network.gateway_interface
        with RouteSocket() as kernel:
            link = kernel.link(name)
            if link is None:
                kernel.add_bridge(name, mac_for(address.ip), mtu)
                link = _existing(kernel, name)
            if link.kind != "bridge":
                raise FaultError(f"interface {name} is no bridge", hint="name another one")
            if link.mtu != mtu:
                kernel.set_mtu(link.index, mtu)
            if (link.index, address) not in kernel.addresses():
                kernel.add_address(link.index, address)
            kernel.set_up(link.index)
        # Answers to 127.0.0.1 come in through the bridge; see the chain `guard` in `rules`.
        set_sysctl(f"net/ipv4/conf/{name}/route_localnet", "1")
        if os.path.exists(f"/proc/sys/net/ipv6/conf/{name}"):
            # A container must not become the host's IPv6 router.
            set_sysctl(f"net/ipv6/conf/{name}/accept_ra", "0")

    def attach(self, network: Network, endpoint: Endpoint, sandbox: OpenSandbox) -> None:
        """Lay the wire into the sandbox and give its end address and default route."""
        plan = plan_endpoint(network, endpoint)
        with RouteSocket() as kernel:
            bridge = _existing(kernel, plan.bridge)
            kernel.add_veth(
                VethPair(
                    name=plan.link_name,
                    master=bridge.index,
                    peer_name=plan.interface_name,
                    peer_mac_address=plan.mac_address,
                    peer_netns_fd=sandbox.netns_fd,
                    mtu=plan.mtu,
                )
            )
            _AFTER_LINK()
            _set_port(kernel, plan)
        inner = _existing(sandbox.kernel, plan.interface_name)
        sandbox.kernel.add_address(inner.index, plan.address)
        sandbox.kernel.set_up(inner.index)
        sandbox.kernel.add_default_route(plan.gateway)

    def mend(self, network: Network, endpoint: Endpoint) -> bool:
        """Put a wire that came off the bridge back on; False when the wire is gone."""
        with RouteSocket() as kernel:
            bridge = _existing(kernel, network.options[OPTION_BRIDGE])
            link = kernel.link(link_name(endpoint.endpoint_id))
            if link is None:
                return False
            if link.master != bridge.index:
                kernel.set_master(link.index, bridge.index)
                _set_port(kernel, plan_endpoint(network, endpoint))
            return True

    def wires(self, network: Network) -> list[str]:
        """Return the names of all wires on the bridge, whoever laid them."""
        with RouteSocket() as kernel:
            bridge = kernel.link(network.options[OPTION_BRIDGE])
            if bridge is None:
                return []
            return [
                link.name
                for link in kernel.links()
                if link.master == bridge.index and link.kind == "veth"
            ]

    def destroy(self, network: Network) -> None:
        """Remove the bridge. Idempotent."""
        with RouteSocket() as kernel:
            kernel.delete_link(network.options[OPTION_BRIDGE])


def _existing(kernel: RouteSocket, name: str) -> Link:
    link = kernel.link(name)
    if link is None:
        raise FaultError(f"interface {name} is gone")
    return link


def _set_port(kernel: RouteSocket, plan: EndpointPlan) -> None:
    # Where br_netfilter is on, as Docker switches it on, translation happens inside the bridge:
    # a container that calls its own published port needs its frames back.
    kernel.set_port(plan.link_name, is_isolated=plan.is_isolated, is_hairpin=not plan.is_isolated)
