"""What is wrong with a create request on its own, before anything is looked up. Pure.

Spec: moby, runconfig's validateNetMode and daemon's verifyContainerSettings, for rules and texts.
"""

from __future__ import annotations

from naru.api.container_config import ContainerConfig
from naru.api.host_config import HostConfig
from naru.errors import InvalidInputError
from naru.runtime.oci_runtime import signal_number
from naru.specgen.process import working_dir


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
