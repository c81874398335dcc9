"""`network create`, `rm`, `connect`, `disconnect` and `prune`."""

from __future__ import annotations

from naru.cli.batch import describe
from naru.cli.commands.volumes import pairs
from naru.cli.failure import CommandFailedError
from naru.cli.pruning import agrees, deleted, prune_filters
from naru.errors import NaruError, NotFoundError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from naru.cli.invocation import Invocation


def create(invocation: Invocation) -> int:
    """Make a network and print its id."""
    from naru.cli.subnets import consolidate

    options = invocation.options
    body: dict[str, Any] = {
        "Name": invocation.args[0],
        "Driver": options["driver"],
        "Scope": options["scope"],
        "IPAM": {
            "Driver": options["ipam-driver"],
            "Options": pairs(options["ipam-opt"]),
            "Config": consolidate(
                options["subnet"],
                options["ip-range"],
                options["gateway"],
                pairs(options["aux-address"]),
            ),
        },
        "Internal": options["internal"],
        "Attachable": options["attachable"],
        "Ingress": options["ingress"],
        "ConfigOnly": options["config-only"],
        "ConfigFrom": {"Network": options["config-from"]} if options["config-from"] else None,
        "Options": pairs(options["opt"]),
        "Labels": pairs(options["label"]),
    }
    for name, key in (("ipv4", "EnableIPv4"), ("ipv6", "EnableIPv6")):
        if options.changed(name):
            body[key] = options[name]
    invocation.print(invocation.client.post("/networks/create", body=body)["Id"])
    return 0


def remove(invocation: Invocation) -> int:
    """Remove networks, each by itself."""
    status = 0
    for name in invocation.args:
        try:
            invocation.client.delete(_path(name))
        except NaruError as error:
            if invocation.options["force"] and isinstance(error, NotFoundError):
                continue
            invocation.complain(describe(error))
            status = 1
            continue
        invocation.print(name)
    if status:
        invocation.complain(f"exit status {status}")
    return status


def connect(invocation: Invocation) -> int:
    """Connect a container to a network."""
    options = invocation.options
    network, container = invocation.args
    addresses: dict[str, Any] = {
        "IPv4Address": options["ip"],
        "IPv6Address": options["ip6"],
        "LinkLocalIPs": options["link-local-ip"],
    }
    body = {
        "Container": container,
        "EndpointConfig": {
            "IPAMConfig": {key: value for key, value in addresses.items() if value},
            "Links": options["link"] or None,
            "Aliases": options["alias"] or None,
            "DriverOpts": _driver_options(options["driver-opt"]),
            "GwPriority": options["gw-priority"],
        },
    }
    invocation.client.post(_path(network, "/connect"), body=body)
    return 0


def _driver_options(texts: list[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise CommandFailedError("invalid key/value pair format in driver options")
        found[key.strip()] = value.strip()
    return found


def disconnect(invocation: Invocation) -> int:
    """Take a network from a container."""
    network, container = invocation.args
    body = {"Container": container, "Force": invocation.options["force"]}
    invocation.client.post(_path(network, "/disconnect"), body=body)
    return 0


def prune(invocation: Invocation) -> int:
    """Remove the networks that no container uses."""
    filters = prune_filters(invocation)
    warning = (
        "WARNING! This will remove all custom networks not used by at least one container.\n"
        "Are you sure you want to continue?"
    )
    if not agrees(invocation, warning):
        return 0
    answer = invocation.client.post("/networks/prune", {"filters": filters or None})
    invocation.stdout.write(deleted("Networks", answer.get("NetworksDeleted")))
    return 0


def _path(name: str, tail: str = "") -> str:
    from naru.client.transport import quote

    if not name.strip():
        raise CommandFailedError("invalid network name or ID: value is empty")
    return f"/networks/{quote(name)}{tail}"
