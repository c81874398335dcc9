"""What must hold for settings, wherever they came from.

Everything that can be known without touching the machine is checked here, so that
`narud --validate` and a reload refuse what a start would refuse.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Interface, ip_address

from naru.daemon.registries import hosts_of, proxies_of
from naru.daemon.settings import DaemonConfig
from naru.errors import InvalidInputError, NotSupportedError
from naru.images.layers.compress import COMPRESSIONS
from naru.network.ipam import parse_address_pool
from naru.network.port_policy import port_policy
from naru.runtime.log_driver import log_policy

_LEVELS = ("debug", "info", "warn", "error", "fatal")
_STORAGE_DRIVERS = ("", "overlay2", "overlay", "vfs", "native")
_ULIMIT = re.compile(r"[a-z]+=-?\d+(:-?\d+)?")
# The kernel's limit on names of links.
_LONGEST_BRIDGE = 15
# Below that IPv4 cannot work.
_SMALLEST_MTU = 68

_OPEN_API = """
         Access to the remote API is equivalent to root access on the host. Refer
         to the 'Docker daemon attack surface' section in the documentation for
         more information: https://docs.docker.com/go/attack-surface/"""


def check(config: DaemonConfig) -> None:
    """Check what can be checked without the machine.

    Raises:
        InvalidInputError: a value is malformed.
        NotSupportedError: it is something that this engine does not do.
    """
    for message in (*_bad_numbers(config), *_bad_addresses(config), *_bad_entries(config)):
        raise InvalidInputError(message)
    for entry in config.default_address_pool:
        parse_address_pool(entry)
    _check_logging(config)
    port_policy(config.published_ports_policy, config.ip)
    hosts_of(config)
    proxies_of(config)
    if not config.live_restore:
        raise NotSupportedError(
            "live-restore=false is not supported: containers always outlive the engine"
        )
    if config.storage_driver not in _STORAGE_DRIVERS:
        raise NotSupportedError(
            f"storage driver {config.storage_driver} is not supported",
            hint="overlay2 and vfs are",
        )
    if config.bridge == "none":
        raise NotSupportedError("bridge=none is not supported: containers need a default network")


def open_api_warnings(config: DaemonConfig) -> tuple[str, ...]:
    """Return what to tell users of an engine that strangers can command over the network."""
    found = []
    for host in config.hosts:
        protocol, _, address = host.partition("://")
        if protocol == "tcp" and not (config.tls or config.tlsverify):
            found.append(f"http://{address} without encryption.")
        elif protocol == "tcp" and not config.tlsverify:
            found.append(f"https://{address} without TLS client verification.")
    return tuple(f"WARNING: API is accessible on {text}{_OPEN_API}" for text in found)


def _check_logging(config: DaemonConfig) -> None:
    options = dict(entry.split("=", 1) for entry in config.log_opt)
    try:
        log_policy(config.log_driver, options)
    except (InvalidInputError, NotSupportedError) as error:
        raise type(error)(f"failed to set log opts: {error.message}", hint=error.hint) from error


def _bad_numbers(config: DaemonConfig) -> Iterator[str]:
    if config.max_concurrent_downloads < 1:
        yield f"invalid max concurrent downloads: {config.max_concurrent_downloads}"
    if config.max_concurrent_uploads < 1:
        yield f"invalid max concurrent uploads: {config.max_concurrent_uploads}"
    if config.max_download_attempts < 1:
        yield f"invalid max download attempts: {config.max_download_attempts}"
    if config.shutdown_timeout < 0:
        yield f"invalid shutdown timeout: {config.shutdown_timeout}"
    if config.mtu < _SMALLEST_MTU:
        yield f"invalid mtu: {config.mtu}"


def _bad_addresses(config: DaemonConfig) -> Iterator[str]:
    if not config.bridge or len(config.bridge) > _LONGEST_BRIDGE or "/" in config.bridge:
        yield f"invalid bridge name: {config.bridge}"
    if config.bip and not _is_interface(config.bip):
        yield f"invalid CIDR address: {config.bip}"
    named = (config.ip, *([config.host_gateway_ip] if config.host_gateway_ip else ()))
    for address in (*config.dns, *named):
        if not _is_address(address):
            yield f"{address} is not an ip address"
    for host in config.hosts:
        if "://" not in host:
            yield f"unable to parse host '{host}': expected PROTOCOL://ADDRESS"


def _bad_entries(config: DaemonConfig) -> Iterator[str]:
    if config.default_ipc_mode not in ("private", "shareable"):
        yield (
            f'IPC mode "{config.default_ipc_mode}" is not supported as default value for the engine'
        )
    if config.default_cgroupns_mode not in ("", "private", "host"):
        yield (
            f'cgroupns mode "{config.default_cgroupns_mode}" is not supported as default value for '
            "the engine"
        )
    if config.push_compression not in COMPRESSIONS:
        yield (
            f'invalid push compression: "{config.push_compression}": expected '
            f"{' or '.join(COMPRESSIONS)}"
        )
    if config.log_level not in _LEVELS:
        yield f"invalid logging level: {config.log_level}"
    for entry in (*config.log_opt, *config.label, *config.add_runtime):
        if "=" not in entry:
            yield f"bad attribute format: {entry}"
    for entry in config.default_ulimit:
        if _ULIMIT.fullmatch(entry) is None:
            yield f"invalid ulimit argument: {entry}"


def _is_interface(text: str) -> bool:
    try:
        IPv4Interface(text)
    except ValueError:
        return False
    return "/" in text


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
