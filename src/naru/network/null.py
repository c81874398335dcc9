"""Driver `null`: a sandbox with loopback alone. Network `none` uses it."""

from __future__ import annotations

from naru.network.model import Endpoint, Network
from naru.network.sandbox import OpenSandbox


class NullDriver:
    """A network without wires."""

    def prepare(self, network: Network) -> None:
        """Nothing is needed."""

    def attach(self, network: Network, endpoint: Endpoint, sandbox: OpenSandbox) -> None:
        """The sandbox has its loopback; that is all."""

    def mend(self, network: Network, endpoint: Endpoint) -> bool:
        """Nothing can come off."""
        return True

    def wires(self, network: Network) -> list[str]:
        """There are none."""
        return []

    def destroy(self, network: Network) -> None:
        """Nothing was made."""
