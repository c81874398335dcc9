"""Driver `null`: a sandbox with loopback alone. Networks `none` and `host` use it."""

from __future__ import annotations

from naru.errors import ForbiddenError
from naru.network.model import Endpoint, Network
from naru.network.sandbox import OpenSandbox


class NullDriver:
    """A network without wires; every engine has one of a kind."""

    shares_interface = False

    def check(self, network: Network) -> None:
        """Refuse a second one."""
        raise ForbiddenError(f'only one instance of "{network.driver}" network is allowed')

    def interface(self, network: Network) -> str:
        """There is none."""
        return ""

    def prepare(self, network: Network, owner: str) -> None:
        """Nothing is needed."""

    def attach(self, network: Network, endpoint: Endpoint, sandbox: OpenSandbox) -> None:
        """The sandbox has its loopback; that is all."""

    def detach(self, network: Network, endpoint: Endpoint, sandbox: OpenSandbox) -> None:
        """Nothing was laid."""

    def mend(self, network: Network, endpoint: Endpoint, sandbox: OpenSandbox) -> bool:
        """Nothing can come off."""
        return True

    def wires(self, network: Network) -> list[str]:
        """There are none."""
        return []

    def leaves_by_itself(self, endpoint: Endpoint) -> str:
        """Nothing has to go."""
        return ""

    def destroy(self, network: Network) -> None:
        """Nothing was made."""
