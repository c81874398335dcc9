"""What a kind of network must be able to do, and the kinds there are.

`catalog` and `sandboxes` decide who gets which address and write it down; a driver makes the
kernel agree. All methods are synchronous, may be called from many threads, and take `Network`
and `Endpoint` values that are settled. A driver keeps nothing in memory, so that a new engine
can go on.

    driver = driver_of(network)
    driver.check(network)                       # before it is made; pure
    driver.prepare(network, owner)              # at start, and when the network is made
    driver.attach(network, endpoint, sandbox)   # per container
    driver.detach(network, endpoint, sandbox)    # from a container that runs on
    ...                                         # else wires end with the sandbox's namespace
    driver.destroy(network)                     # when the network is removed
"""

from __future__ import annotations

from typing import Protocol

from naru.errors import NotFoundError
from naru.network.bridge import BridgeDriver
from naru.network.model import Endpoint, Network
from naru.network.null import NullDriver
from naru.network.parent import ParentDriver
from naru.network.sandbox import OpenSandbox


class NetworkDriver(Protocol):
    """One kind of network."""

    # Whether several networks may stand on one interface of the host.
    shares_interface: bool

    def check(self, network: Network) -> None:
        """Look at a network that a user wants. Pure.

        Raises:
            InvalidInputError: an option is unknown or wrong.
            ForbiddenError: the driver does not make such networks.
        """

    def interface(self, network: Network) -> str:
        """Return the host's interface that the network stands on, or nothing."""

    def prepare(self, network: Network, owner: str) -> None:
        """Make what the network needs on the host, or mend it. Idempotent.

        What is made carries `owner` in its alias.

        Raises:
            FaultError: the kernel refused.
        """

    def attach(self, network: Network, endpoint: Endpoint, sandbox: OpenSandbox) -> None:
        """Connect a sandbox. Half-done work goes away with the sandbox's namespace.

        Raises:
            FaultError: the kernel refused.
        """

    def detach(self, network: Network, endpoint: Endpoint, sandbox: OpenSandbox) -> None:
        """Disconnect a sandbox that stays. Idempotent.

        Raises:
            FaultError: the kernel refused.
        """

    def mend(self, network: Network, endpoint: Endpoint, sandbox: OpenSandbox) -> bool:
        """Make an endpoint of a running container work again; False when its wire was lost."""

    def wires(self, network: Network) -> list[str]:
        """Return the names of the host's interfaces that lead into sandboxes.

        Names are `plan.link_name` of endpoints; any other is a leftover.
        """

    def leaves_by_itself(self, endpoint: Endpoint) -> str:
        """Return the host's interface that goes some time after the sandbox, or nothing."""

    def destroy(self, network: Network) -> None:
        """Remove what `prepare` made. Idempotent."""


# Network `host` has no sandbox, so its driver has nothing to do either.
DRIVERS: dict[str, NetworkDriver] = {
    "bridge": BridgeDriver(),
    "macvlan": ParentDriver("macvlan"),
    "ipvlan": ParentDriver("ipvlan"),
    "null": NullDriver(),
    "host": NullDriver(),
}


def driver_of(network: Network) -> NetworkDriver:
    """Return the driver of a network.

    Raises:
        NotFoundError: there is no such driver, in Docker's words.
    """
    driver = DRIVERS.get(network.driver)
    if driver is None:
        raise NotFoundError(f'plugin "{network.driver}" not found')
    return driver
