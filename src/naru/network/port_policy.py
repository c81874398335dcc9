"""Where ports are published that name no address, and who is asked about them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from naru.errors import InvalidInputError
from naru.network.addresses import read_address
from naru.network.model import ANY_ADDRESS

OPEN = "open"
HOST_FIREWALL = "host-firewall"


@dataclass(frozen=True, slots=True)
class PortPolicy:
    """`asks_host` says that the host's own firewall decides who reaches published ports."""

    addresses: tuple[str, ...] = (ANY_ADDRESS,)
    asks_host: bool = False


def port_policy(text: str, ip: str) -> PortPolicy:
    """Read the setting `published-ports-policy` beside `ip`.

    Raises:
        InvalidInputError: it is none of what it can be, or contradicts `ip`.
    """
    if text in (OPEN, HOST_FIREWALL):
        return PortPolicy((ip,), asks_host=text == HOST_FIREWALL)
    try:
        addresses = tuple(str(read_address(word.strip())) for word in text.split(","))
    except ValueError as error:
        raise InvalidInputError(
            f"invalid published-ports-policy: {text}: expected {OPEN}, {HOST_FIREWALL} or "
            "addresses, such as 127.0.0.1,::1"
        ) from error
    if ip != ANY_ADDRESS:
        raise InvalidInputError(
            f"ip ({ip}) and published-ports-policy ({text}) both say where ports are published"
        )
    return PortPolicy(tuple(dict.fromkeys(addresses)))
