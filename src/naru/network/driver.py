"""What a kind of network must be able to do, and the kinds there are.

`networks` decides who gets which address and writes it down; a driver makes the kernel agree.
All methods are synchronous, may be called from many threads, and take `Network` and `Endpoint`
values that are settled. A driver keeps nothing in memory, so that a new engine can go on.

    driver = DRIVERS[network.driver]
    driver.prepare(network)                     # at start, and when the network is made
    driver.attach(network, endpoint, sandbox)   # per container
    ...                                         # wires end with the sandbox's namespace
    driver.destroy(network)                     # when the network is removed
"""

from __future__ import annotations

from typing import Protocol

from naru.network.bridge import BridgeDriver
from naru.network.model import Endpoint, Network
from naru.network.null import NullDriver
from naru.network.sandbox import OpenSandbox


class NetworkDriver(Protocol):
    """One kind of network."""

    def prepare(self, network: Network) -> None:
        """Make what the network needs on the host, or mend it. Idempotent.

        Raises:
            FaultError: the kernel refused.
        """

    def attach(self, network: Network, endpoint: Endpoint, sandbox: OpenSandbox) -> None:
        """Connect a sandbox. Half-done work goes away with the sandbox's namespace.

        Raises:
            FaultError: the kernel refused.
        """

    def mend(self, network: Network, endpoint: Endpoint) -> bool:
        """Make an endpoint of a running container work again; False when it is lost."""

    def wires(self, network: Network) -> list[str]:
        """Return the names of the host's interfaces that lead into sandboxes.

        Names are `plan.link_name` of endpoints; any other is a leftover.
        """

    def destroy(self, network: Network) -> None:
        """Remove what `prepare` made. Idempotent."""


# Network `host` has no sandbox, so its driver has nothing to do either.
DRIVERS: dict[str, NetworkDriver] = {
    "bridge": BridgeDriver(),
    "null": NullDriver(),
    "host": NullDriver(),
}
