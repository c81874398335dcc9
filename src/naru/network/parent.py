"""Drivers `macvlan` and `ipvlan`: containers stand on an interface of the host, without a bridge.

The parent may be any interface, a VLAN of one (`eth0.10`, made when it is not there), or, for
networks that lead nowhere, a dummy of the network's own.
"""

from __future__ import annotations

import errno

from naru.errors import FaultError, NotSupportedError
from naru.linux.link_kinds import ipvlan_data, macvlan_data, vlan_data
from naru.linux.netlink import NewLink, RouteSocket
from naru.linux.netlink_socket import NetlinkError
from naru.network.interfaces import configure, existing, is_configured
from naru.network.model import Endpoint, Network
from naru.network.parent_options import ParentSettings, parent_settings, vlan_of
from naru.network.sandbox import OpenSandbox

_MODULES = {"vlan": "8021q"}


class ParentDriver:
    """Networks on an interface of the host."""

    shares_interface = True

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def check(self, network: Network) -> None:
        """Refuse options that make no such network."""
        parent_settings(network)

    def interface(self, network: Network) -> str:
        """Return the name of the parent."""
        return parent_settings(network).parent

    def prepare(self, network: Network, owner: str) -> None:
        """Make the parent, if it is a VLAN or a dummy, and bring it up. Idempotent."""
        settings = parent_settings(network)
        with RouteSocket() as kernel:
            link = kernel.link(settings.parent)
            if link is None:
                _make_parent(kernel, settings)
                link = existing(kernel, settings.parent)
                kernel.set_alias(link.index, f"{owner} {network.id}")
            if not link.is_up:
                kernel.set_up(link.index)

    def attach(self, network: Network, endpoint: Endpoint, sandbox: OpenSandbox) -> None:
        """Make the container's interface in the sandbox, and give it its addresses."""
        settings = parent_settings(network)
        if self._kind == "macvlan":
            data = macvlan_data(settings.mode)
        else:
            data = ipvlan_data(settings.mode, settings.flag)
        with RouteSocket() as kernel:
            make_link(
                kernel,
                NewLink(
                    name=endpoint.interface,
                    kind=self._kind,
                    parent=existing(kernel, settings.parent).index,
                    mac_address=endpoint.mac_address,
                    mtu=settings.mtu,
                    netns_fd=sandbox.netns_fd,
                    data=data,
                ),
            )
        configure(sandbox, endpoint)

    def detach(self, network: Network, endpoint: Endpoint, sandbox: OpenSandbox) -> None:
        """Remove the container's interface."""
        sandbox.kernel.delete_link(endpoint.interface)

    def mend(self, network: Network, endpoint: Endpoint, sandbox: OpenSandbox) -> bool:
        """Make the container's interface again, or finish it."""
        if sandbox.kernel.link(endpoint.interface) is None:
            self.attach(network, endpoint, sandbox)
            return False
        if not is_configured(sandbox, endpoint):
            configure(sandbox, endpoint)
        return True

    def wires(self, network: Network) -> list[str]:
        """There are none: the containers' interfaces are in their namespaces alone."""
        return []

    def leaves_by_itself(self, endpoint: Endpoint) -> str:
        """Nothing of the host's goes with the sandbox."""
        return ""

    def destroy(self, network: Network) -> None:
        """Remove the parent. Idempotent."""
        with RouteSocket() as kernel:
            kernel.delete_link(parent_settings(network).parent)


def make_link(kernel: RouteSocket, link: NewLink) -> None:
    """Make an interface of a kind that not every kernel has.

    Raises:
        NotSupportedError: this one has not.
        FaultError: the kernel refused.
    """
    try:
        kernel.add_link(link)
    except NetlinkError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        raise NotSupportedError(
            f"this kernel has no interfaces of kind {link.kind}",
            hint=f"load its module: modprobe {_MODULES.get(link.kind, link.kind)}",
        ) from error


def _make_parent(kernel: RouteSocket, settings: ParentSettings) -> None:
    """Make the interface that a network stands on.

    Raises:
        FaultError: it cannot be made: it is an interface of its own, or a VLAN of none.
    """
    if settings.is_dummy:
        try:
            make_link(kernel, NewLink(settings.parent, "dummy"))
        except NotSupportedError:
            # A bridge without ports leads nowhere just as well.
            make_link(kernel, NewLink(settings.parent, "bridge"))
        return
    base, number = vlan_of(settings.parent)
    link = kernel.link(base)
    if link is None:
        raise FaultError(f"interface {base} of {settings.parent} does not exist")
    data = vlan_data(number)
    make_link(kernel, NewLink(settings.parent, "vlan", parent=link.index, data=data))
