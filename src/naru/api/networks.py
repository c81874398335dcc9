"""Bodies of the requests about networks.

Spec: Engine API 1.50, NetworkCreate, NetworkConnect, NetworkDisconnect, definition IPAM.
"""

from __future__ import annotations

from msgspec import field

from naru.api.container_config import EndpointSettings
from naru.api.wire import Wire


class IPAMConfig(Wire):
    """One subnet, and what is said about it."""

    subnet: str = ""
    ip_range: str = ""
    gateway: str = ""
    auxiliary_addresses: dict[str, str] | None = None


class IPAM(Wire):
    """Where the addresses of a network come from."""

    driver: str = ""
    options: dict[str, str] | None = None
    config: list[IPAMConfig] | None = None


class ConfigReference(Wire):
    """The network whose configuration is to be copied."""

    network: str = ""


class NetworkCreateRequest(Wire):
    """The body of create."""

    name: str = ""
    driver: str = ""
    scope: str = ""
    enable_ipv4: bool | None = None
    enable_ipv6: bool | None = None
    ipam: IPAM | None = None
    internal: bool = False
    attachable: bool = False
    ingress: bool = False
    config_only: bool = False
    config_from: ConfigReference | None = None
    options: dict[str, str] | None = None
    labels: dict[str, str] | None = None


class NetworkConnectRequest(Wire):
    """The body of connect."""

    container: str = ""
    endpoint_config: EndpointSettings | None = field(default=None)


class NetworkDisconnectRequest(Wire):
    """The body of disconnect."""

    container: str = ""
    force: bool = False
