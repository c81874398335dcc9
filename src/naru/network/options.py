"""Options of networks and endpoints, read into values and checked. Pure.

An option of Docker's own (`com.docker.network.…`) that its driver does not know is refused: it
is a slip, and would be without effect. Any other key is somebody's note; it is kept and shown.

Spec: Docker 28, options of the drivers bridge, macvlan and ipvlan, and of endpoints.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from naru.errors import InvalidInputError
from naru.network.addresses import read_address
from naru.network.model import Network, Version
from naru.units import parse_flag

OPTION_BRIDGE = "com.docker.network.bridge.name"
OPTION_DEFAULT = "com.docker.network.bridge.default_bridge"
OPTION_ICC = "com.docker.network.bridge.enable_icc"
OPTION_MASQUERADE = "com.docker.network.bridge.enable_ip_masquerade"
OPTION_HOST_IP = "com.docker.network.bridge.host_binding_ipv4"
OPTION_MODE4 = "com.docker.network.bridge.gateway_mode_ipv4"
OPTION_MODE6 = "com.docker.network.bridge.gateway_mode_ipv6"
OPTION_INHIBIT4 = "com.docker.network.bridge.inhibit_ipv4"
OPTION_TRUSTED = "com.docker.network.bridge.trusted_host_interfaces"
OPTION_MTU = "com.docker.network.driver.mtu"
OPTION_ENABLE4 = "com.docker.network.enable_ipv4"
OPTION_ENABLE6 = "com.docker.network.enable_ipv6"
OPTION_SOURCE4 = "com.docker.network.host_ipv4"
OPTION_SOURCE6 = "com.docker.network.host_ipv6"
OPTION_PREFIX = "com.docker.network.container_iface_prefix"
ENDPOINT_SYSCTLS = "com.docker.network.endpoint.sysctls"
ENDPOINT_INTERFACE = "com.docker.network.endpoint.ifname"

DEFAULT_MTU = 1500
GatewayMode = Literal["nat", "nat-unprotected", "routed", "isolated"]
_MODES: tuple[GatewayMode, ...] = ("nat", "nat-unprotected", "routed", "isolated")
_OWN = "com.docker.network."
_COMMON = frozenset({OPTION_MTU, OPTION_ENABLE4, OPTION_ENABLE6, OPTION_PREFIX})
_BRIDGE = _COMMON | {
    OPTION_BRIDGE,
    OPTION_DEFAULT,
    OPTION_ICC,
    OPTION_MASQUERADE,
    OPTION_HOST_IP,
    OPTION_MODE4,
    OPTION_MODE6,
    OPTION_INHIBIT4,
    OPTION_TRUSTED,
    OPTION_SOURCE4,
    OPTION_SOURCE6,
}
_ENDPOINT = frozenset({ENDPOINT_SYSCTLS, ENDPOINT_INTERFACE})
# Stricter than the kernel, for names stand in the firewall's text.
_INTERFACE = re.compile(r"[A-Za-z0-9_.-]{1,15}")
_PREFIX = re.compile(r"[A-Za-z0-9_.-]{1,12}")
_SYSCTL = re.compile(r"net\.(ipv4|ipv6|mpls)\.([a-z0-9_]+)\.(?:IFNAME|ifname)\.([a-z0-9_]+)=(.*)")


@dataclass(frozen=True, kw_only=True)
class BridgeSettings:
    """What a bridge network is like, with every default filled in.

    `sources` are the host's addresses that containers appear as; without one of a version,
    whichever the way out has.
    """

    bridge: str
    mtu: int = DEFAULT_MTU
    inter_container: bool = True
    masquerade: bool = True
    host_ip: str = ""
    mode4: GatewayMode = "nat"
    mode6: GatewayMode = "nat"
    inhibits_ipv4: bool = False
    interface_prefix: str = "eth"
    trusted_interfaces: tuple[str, ...] = ()
    source4: str = ""
    source6: str = ""

    def mode(self, version: Version) -> GatewayMode:
        """Return how packets of a version get in and out."""
        return self.mode4 if version == 4 else self.mode6

    def source(self, version: Version) -> str:
        """Return the host's address that containers appear as, or nothing."""
        return self.source4 if version == 4 else self.source6


def bridge_settings(network: Network) -> BridgeSettings:
    """Read the options of a network of driver `bridge`.

    Raises:
        InvalidInputError: one is unknown, or has a value that it cannot have.
    """
    options = network.options
    _refuse_unknown(options, _BRIDGE, "bridge")
    settings = BridgeSettings(
        bridge=_interface(options, OPTION_BRIDGE) or f"br-{network.id[:12]}",
        mtu=_number(options, OPTION_MTU) or DEFAULT_MTU,
        inter_container=_flag(options, OPTION_ICC, default=True),
        masquerade=_flag(options, OPTION_MASQUERADE, default=True),
        host_ip=_address(options, OPTION_HOST_IP),
        mode4=_mode(options, OPTION_MODE4),
        mode6=_mode(options, OPTION_MODE6),
        inhibits_ipv4=_flag(options, OPTION_INHIBIT4, default=False),
        interface_prefix=interface_prefix(options),
        trusted_interfaces=tuple(t for t in options.get(OPTION_TRUSTED, "").split(":") if t),
        source4=_address(options, OPTION_SOURCE4),
        source6=_address(options, OPTION_SOURCE6),
    )
    for name in settings.trusted_interfaces:
        if not _INTERFACE.fullmatch(name):
            raise _invalid(OPTION_TRUSTED, name, "no interface name")
    if "isolated" in (settings.mode4, settings.mode6) and not network.internal:
        key = OPTION_MODE4 if settings.mode4 == "isolated" else OPTION_MODE6
        raise InvalidInputError(f"gateway mode 'isolated' can only be used for an internal network"
                                f" (option {key})")  # fmt: skip
    return settings


def check_other_driver(options: Mapping[str, str], driver: str) -> int:
    """Check the options that drivers without a bridge have in common; return the MTU.

    Raises:
        InvalidInputError: one is unknown, or has a value that it cannot have.
    """
    _refuse_unknown(options, _COMMON, driver)
    interface_prefix(options)
    return _number(options, OPTION_MTU)


def interface_prefix(options: Mapping[str, str]) -> str:
    """Return how interfaces inside containers are called, before their number."""
    prefix = options.get(OPTION_PREFIX, "") or "eth"
    if not _PREFIX.fullmatch(prefix) or prefix in (".", "..", "lo"):
        raise _invalid(OPTION_PREFIX, prefix, "no start of an interface name")
    return prefix


def enabled_versions(request_options: Mapping[str, str]) -> tuple[bool | None, bool | None]:
    """Return what the options say about IPv4 and IPv6, None where they say nothing."""
    found: list[bool | None] = []
    for key in (OPTION_ENABLE4, OPTION_ENABLE6):
        text = request_options.get(key)
        try:
            found.append(None if text is None else parse_flag(text))
        except InvalidInputError as error:
            raise InvalidInputError(f'driver-opt "{key}" is not a valid bool') from error
    return found[0], found[1]


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """What a container's interface on a network shall be like.

    `sysctls` are pairs of a path below /proc/sys, with `IFNAME` for the interface, and a value.
    """

    interface: str = ""
    sysctls: tuple[tuple[str, str], ...] = ()


def endpoint_settings(options: Mapping[str, str]) -> EndpointSettings:
    """Read the options of an endpoint.

    Raises:
        InvalidInputError: one is unknown, or has a value that it cannot have.
    """
    _refuse_unknown(options, _ENDPOINT, "endpoint")
    sysctls = []
    for text in filter(None, options.get(ENDPOINT_SYSCTLS, "").split(",")):
        match = _SYSCTL.fullmatch(text)
        if match is None:
            raise InvalidInputError(
                f"unrecognised network interface sysctl '{text}'; represent 'net.X.Y.ethN.Z=V' as "
                "'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'"
            )
        family, group, name, value = match.groups()
        sysctls.append((f"net/{family}/{group}/IFNAME/{name}", value))
    return EndpointSettings(_interface(options, ENDPOINT_INTERFACE), tuple(sysctls))


def _refuse_unknown(options: Mapping[str, str], known: frozenset[str], driver: str) -> None:
    for key in options:
        if key.startswith(_OWN) and key not in known:
            raise InvalidInputError(f"unknown {driver} option {key}")


def _flag(options: Mapping[str, str], key: str, *, default: bool) -> bool:
    text = options.get(key)
    if text is None:
        return default
    try:
        return parse_flag(text)
    except InvalidInputError as error:
        raise _invalid(key, text, error.message) from error


def _number(options: Mapping[str, str], key: str) -> int:
    text = options.get(key, "0")
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", text):
        raise _invalid(key, text, f'strconv.Atoi: parsing "{text}": invalid syntax')
    if int(text) < 0:
        raise InvalidInputError(f"invalid MTU number: {int(text)}")
    return int(text)


def _address(options: Mapping[str, str], key: str) -> str:
    text = options.get(key)
    if text is None:
        return ""
    try:
        return str(read_address(text))
    except ValueError as error:
        raise _invalid(key, text, "nil ip") from error


def _mode(options: Mapping[str, str], key: str) -> GatewayMode:
    text = options.get(key, "nat")
    for mode in _MODES:
        if text == mode:
            return mode
    raise _invalid(key, text, f"unknown gateway mode {text}")


def _interface(options: Mapping[str, str], key: str) -> str:
    name = options.get(key, "")
    if name and (not _INTERFACE.fullmatch(name) or name in (".", "..", "lo")):
        raise _invalid(key, name, "no interface name")
    return name


def _invalid(key: str, value: str, why: str) -> InvalidInputError:
    return InvalidInputError(f"failed to parse {key} value: {value} ({why})")
