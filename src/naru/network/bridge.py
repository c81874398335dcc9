"""Driver `bridge`: a bridge on the host, and a veth pair from it into each sandbox.

Carries out what `plan` and `options` decide. Every call is a handful of netlink messages.
"""

from __future__ import annotations

import os

from naru.errors import FaultError, ForbiddenError
from naru.faults import fault_point
from naru.linux.netlink import NewLink, RouteSocket, VethPair
from naru.linux.sysctl import set_sysctl
from naru.network.host_policy import LINK_GROUP
from naru.network.interfaces import configure, existing, is_configured
from naru.network.ipam import mac_for
from naru.network.model import VERSIONS, Endpoint, Interface, Network
from naru.network.options import BridgeSettings, bridge_settings
from naru.network.plan import link_name
from naru.network.sandbox import OpenSandbox

_AFTER_LINK = fault_point("network.connect.after_link")


class BridgeDriver:
    """Networks on a bridge of the host."""

    shares_interface = False

    def check(self, network: Network) -> None:
        """Refuse options and subnets that make no bridge."""
        bridge_settings(network)
        for version in VERSIONS:
            if len(network.pools_of(version)) > 1:
                raise ForbiddenError("bridge driver doesn't support multiple subnets")

    def interface(self, network: Network) -> str:
        """Return the name of the bridge."""
        return bridge_settings(network).bridge

    def prepare(self, network: Network, owner: str) -> None:
        """Make the bridge with its addresses, or mend it. Idempotent; ports are left alone."""
        settings = bridge_settings(network)
        wanted = bridge_addresses(network, settings)
        with RouteSocket() as kernel:
            link = kernel.link(settings.bridge)
            if link is None:
                seed = network.pools[0].network.network_address + 1
                mac_address = mac_for(wanted[0].ip if wanted else seed)
                kernel.add_link(
                    NewLink(settings.bridge, "bridge", mac_address=mac_address, mtu=settings.mtu)
                )
                link = existing(kernel, settings.bridge)
                kernel.set_alias(link.index, f"{owner} {network.id}")
            if link.kind != "bridge":
                raise FaultError(
                    f"interface {settings.bridge} is no bridge", hint="name another one"
                )
            if link.mtu != settings.mtu:
                kernel.set_mtu(link.index, settings.mtu)
            kernel.set_group(link.index, LINK_GROUP)
            _set_host_sysctls(settings, ipv6=network.ipv6)
            there = [entry for version in VERSIONS for entry in kernel.addresses(version)]
            for address in wanted:
                if (link.index, address) not in there:
                    kernel.add_address(link.index, address)
            kernel.set_up(link.index)

    def attach(self, network: Network, endpoint: Endpoint, sandbox: OpenSandbox) -> None:
        """Lay the wire into the sandbox and give its end its addresses."""
        settings = bridge_settings(network)
        with RouteSocket() as kernel:
            bridge = existing(kernel, settings.bridge)
            name = link_name(endpoint.endpoint_id)
            kernel.add_veth(
                VethPair(
                    name=name,
                    master=bridge.index,
                    peer_name=endpoint.interface,
                    peer_mac_address=endpoint.mac_address,
                    peer_netns_fd=sandbox.netns_fd,
                    mtu=settings.mtu,
                )
            )
            _AFTER_LINK()
            _set_port(kernel, name, settings)
        configure(sandbox, endpoint)

    def detach(self, network: Network, endpoint: Endpoint, sandbox: OpenSandbox) -> None:
        """Take the wire away; both its ends go."""
        with RouteSocket() as kernel:
            kernel.delete_link(link_name(endpoint.endpoint_id))

    def mend(self, network: Network, endpoint: Endpoint, sandbox: OpenSandbox) -> bool:
        """Put a wire back on the bridge, or lay a new one where there is none."""
        settings = bridge_settings(network)
        name = link_name(endpoint.endpoint_id)
        with RouteSocket() as kernel:
            bridge = existing(kernel, settings.bridge)
            link = kernel.link(name)
            if link is None:
                self.attach(network, endpoint, sandbox)
                return False
            if link.master != bridge.index:
                kernel.set_master(link.index, bridge.index)
            _set_port(kernel, name, settings)
            if not is_configured(sandbox, endpoint):
                configure(sandbox, endpoint)
        return True

    def wires(self, network: Network) -> list[str]:
        """Return the names of all wires on the bridge, whoever laid them."""
        with RouteSocket() as kernel:
            bridge = kernel.link(bridge_settings(network).bridge)
            if bridge is None:
                return []
            return [
                link.name
                for link in kernel.links()
                if link.master == bridge.index and link.kind == "veth"
            ]

    def leaves_by_itself(self, endpoint: Endpoint) -> str:
        """Return the host's end, which goes when the sandbox does."""
        return link_name(endpoint.endpoint_id)

    def destroy(self, network: Network) -> None:
        """Remove the bridge. Idempotent."""
        with RouteSocket() as kernel:
            kernel.delete_link(bridge_settings(network).bridge)


def bridge_addresses(network: Network, settings: BridgeSettings) -> list[Interface]:
    """Return the addresses that the bridge itself has. Pure."""
    return [
        pool.gateway_interface
        for pool in network.pools
        if pool.gateway_interface is not None
        and settings.mode(pool.version) != "isolated"
        and not (settings.inhibits_ipv4 and pool.version == 4)
    ]


def _set_host_sysctls(settings: BridgeSettings, *, ipv6: bool) -> None:
    bridge = settings.bridge
    # Answers to 127.0.0.1 come in through the bridge; see the chain `guard` in `ruleset`.
    set_sysctl(f"net/ipv4/conf/{bridge}/route_localnet", "1")
    if not settings.inter_container:
        # Containers on such a bridge meet at the host alone: it answers for their neighbours, and
        # the firewall says which of them may be reached, and does not tell of a shorter way.
        set_sysctl(f"net/ipv4/conf/{bridge}/proxy_arp_pvlan", "1")
        set_sysctl(f"net/ipv4/neigh/{bridge}/proxy_delay", "0")
        set_sysctl(f"net/ipv4/conf/{bridge}/send_redirects", "0")
    if os.path.exists(f"/proc/sys/net/ipv6/conf/{bridge}"):
        if ipv6:
            set_sysctl(f"net/ipv6/conf/{bridge}/disable_ipv6", "0")
            # While the bridge makes sure that its link-local address is nobody else's, it asks
            # for no neighbour, and what is forwarded to a container in its first second is lost.
            set_sysctl(f"net/ipv6/conf/{bridge}/accept_dad", "0")
        # A container must not become the host's IPv6 router.
        set_sysctl(f"net/ipv6/conf/{bridge}/accept_ra", "0")


def _set_port(kernel: RouteSocket, name: str, settings: BridgeSettings) -> None:
    # Where br_netfilter is on, as Docker switches it on, translation happens inside the bridge:
    # a container that calls its own published port needs its frames back.
    is_isolated = not settings.inter_container
    kernel.set_port(name, is_isolated=is_isolated, is_hairpin=not is_isolated)
