"""What is wrong with a create request on its own, before anything is looked up. Pure.

Spec: moby, runconfig's validateNetMode and daemon's verifyContainerSettings, for rules and texts.
"""

from __future__ import annotations

import re

from naru.api.container_config import ContainerConfig
from naru.api.host_config import HostConfig
from naru.errors import InvalidInputError
from naru.network.addresses import read_address
from naru.network.port_requests import parse_port_range
from naru.runtime.oci_runtime import signal_number
from naru.specgen.process import working_dir

_SCOPE = re.compile(r"[A-Za-z0-9_.-]+")
_HOST_GATEWAY = "host-gateway"
# How soon the two sides of a bind see each other's writes: on Linux at once, whatever is asked.
_CONSISTENCIES = frozenset({"", "default", "consistent", "cached", "delegated"})


def check_request(config: ContainerConfig, host_config: HostConfig) -> None:
    """Check everything that needs no more than the request.

    Raises:
        InvalidInputError: with Docker's words.
    """
    _check_network_options(config, host_config)
    working_dir(config.working_dir)
    for entry in config.env or ():
        if entry.startswith("=") or not entry:
            raise InvalidInputError(f"invalid environment variable: {entry}")
    if config.stop_signal and not signal_number(config.stop_signal):
        raise InvalidInputError(f"invalid signal: {config.stop_signal}")
    for port in config.exposed_ports or ():
        parse_port_range(port)
    _check_names_of_hosts(host_config)
    for path in (*(host_config.masked_paths or ()), *(host_config.readonly_paths or ())):
        if not path.startswith("/"):
            raise InvalidInputError(f"invalid path to hide: '{path}' must be absolute")
    for mount in host_config.mounts or ():
        if mount.consistency not in _CONSISTENCIES:
            raise InvalidInputError(f"invalid mount consistency: {mount.consistency}")


def _check_names_of_hosts(host_config: HostConfig) -> None:
    for entry in host_config.extra_hosts or ():
        name, colon, address = entry.partition(":")
        if not name or not colon:
            raise InvalidInputError(f'bad format for add-host: "{entry}"')
        if address != _HOST_GATEWAY and not _is_address(address):
            raise InvalidInputError(f'invalid IP address in add-host: "{address}"')
    for server in host_config.dns or ():
        # Of a neighbour on a link, the scope says on which.
        bare, percent, scope = server.partition("%")
        if not _is_address(bare) or (percent and not _SCOPE.fullmatch(scope)):
            raise InvalidInputError(f"bad nameserver address: {server}")
    for text in (*(host_config.dns_search or ()), *(host_config.dns_options or ())):
        # Each would be more than what it says in resolv.conf.
        if not text.isprintable() or " " in text:
            raise InvalidInputError(f"invalid DNS search domain or option: {text!r}")


def _is_address(text: str) -> bool:
    try:
        read_address(text)
    except ValueError:
        return False
    return True


def _check_network_options(config: ContainerConfig, host_config: HostConfig) -> None:
    kind, has_name, name = host_config.network_mode.partition(":")
    if kind == "container" and not name:
        raise InvalidInputError(
            "Invalid network mode: invalid container format container:<name|id>"
            if has_name
            else "invalid container network mode: expected container:<name|id>"
        )
    if host_config.uts_mode == "host" and config.hostname:
        raise InvalidInputError("conflicting options: hostname and the UTS mode")
    joins = kind == "container"
    undefined = "This would result in undefined behavior"
    conflicts = (
        (joins and config.hostname, "hostname and the network mode"),
        (
            joins and host_config.links,
            f"container type network can't be used with links. {undefined}",
        ),
        (
            kind == "host" and host_config.links,
            f"host type networking can't be used with links. {undefined}",
        ),
        (joins and host_config.dns, "dns and the network mode"),
        (joins and host_config.extra_hosts, "custom host-to-IP mapping and the network mode"),
        (joins and config.mac_address, "mac-address and the network mode"),
        (
            joins and (host_config.port_bindings or host_config.publish_all_ports),
            "port publishing and the container type network mode",
        ),
        (joins and config.exposed_ports, "port exposing and the container type network mode"),
    )
    for is_conflict, options in conflicts:
        if is_conflict:
            raise InvalidInputError(f"conflicting options: {options}")
