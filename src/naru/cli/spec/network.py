"""The commands on networks, declared; `naru.cli.command_table` says how to read this."""

from __future__ import annotations

from naru.cli.spec.wording import FORMAT_PLAIN, FORMAT_TABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_CHANGES = "naru.cli.commands.network_changes"

COMMANDS: dict[str, dict[str, Any]] = {
    "connect": {
        "usage": "[OPTIONS] NETWORK CONTAINER",
        "about": "Connect a container to a network",
        "arity": (2, 2),
        "handler": f"{_CHANGES}:connect",
        "checks": "naru.cli.options:CHECKS",
        "options": (
            ("alias", "", "strings", "", "Add network-scoped alias for the container"),
            ("driver-opt", "", "strings", "", "driver options for the network"),
            (
                "gw-priority",
                "",
                "int",
                "",
                (
                    "Highest gw-priority provides the default gateway. "
                    "Accepts positive and negative values."
                ),
            ),
            ("ip", "", "string", "", 'IPv4 address (e.g., "172.30.100.104")'),
            ("ip6", "", "string", "", 'IPv6 address (e.g., "2001:db8::33")'),
            ("link", "", "list", "", "Add link to another container"),
            ("link-local-ip", "", "strings", "", "Add a link-local address for the container"),
        ),
    },
    "create": {
        "usage": "[OPTIONS] NETWORK",
        "about": "Create a network",
        "arity": (1, 1),
        "handler": f"{_CHANGES}:create",
        "checks": "naru.cli.options:CHECKS",
        "options": (
            ("attachable", "", "bool", "", "Enable manual container attachment"),
            (
                "aux-address",
                "",
                "map",
                "map[]",
                "Auxiliary IPv4 or IPv6 addresses used by Network driver",
            ),
            ("config-from", "", "string", "", "The network from which to copy the configuration"),
            ("config-only", "", "bool", "", "Create a configuration only network"),
            ("driver", "d", "string", "bridge", "Driver to manage the Network"),
            ("gateway", "", "strings", "", "IPv4 or IPv6 Gateway for the master subnet"),
            ("ingress", "", "bool", "", "Create swarm routing-mesh network"),
            ("internal", "", "bool", "", "Restrict external access to the network"),
            ("ip-range", "", "strings", "", "Allocate container ip from a sub-range"),
            ("ipam-driver", "", "string", "default", "IP Address Management Driver"),
            ("ipam-opt", "", "map", "map[]", "Set IPAM driver specific options"),
            ("ipv4", "", "bool", "true", "Enable or disable IPv4 address assignment"),
            ("ipv6", "", "bool", "", "Enable or disable IPv6 address assignment"),
            ("label", "", "list", "", "Set metadata on a network"),
            ("opt", "o", "map", "map[]", "Set driver specific options"),
            ("scope", "", "string", "", "Control the network's scope"),
            (
                "subnet",
                "",
                "strings",
                "",
                "Subnet in CIDR format that represents a network segment",
            ),
        ),
    },
    "disconnect": {
        "usage": "[OPTIONS] NETWORK CONTAINER",
        "about": "Disconnect a container from a network",
        "arity": (2, 2),
        "handler": f"{_CHANGES}:disconnect",
        "options": (
            ("force", "f", "bool", "", "Force the container to disconnect from a network"),
        ),
    },
    "inspect": {
        "usage": "[OPTIONS] NETWORK [NETWORK...]",
        "about": "Display detailed information on one or more networks",
        "arity": (1, None),
        "handler": "naru.cli.commands.inspect:inspect_networks",
        "options": (
            ("format", "f", "string", "", FORMAT_PLAIN),
            ("verbose", "v", "bool", "", "Verbose output for diagnostics"),
        ),
    },
    "ls": {
        "usage": "[OPTIONS]",
        "about": "List networks",
        "aliases": ("network ls", "network list"),
        "arity": (0, 0),
        "handler": "naru.cli.commands.networks:list_networks",
        "options": (
            ("filter", "f", "filter", "", 'Provide filter values (e.g. "driver=bridge")'),
            ("format", "", "string", "", FORMAT_TABLE),
            ("no-trunc", "", "bool", "", "Do not truncate the output"),
            ("quiet", "q", "bool", "", "Only display network IDs"),
        ),
    },
    "prune": {
        "usage": "[OPTIONS]",
        "about": "Remove all unused networks",
        "arity": (0, 0),
        "handler": f"{_CHANGES}:prune",
        "options": (
            ("filter", "", "filter", "", 'Provide filter values (e.g. "until=<timestamp>")'),
            ("force", "f", "bool", "", "Do not prompt for confirmation"),
        ),
    },
    "rm": {
        "usage": "NETWORK [NETWORK...]",
        "about": "Remove one or more networks",
        "aliases": ("network rm", "network remove"),
        "arity": (1, None),
        "handler": f"{_CHANGES}:remove",
        "options": (("force", "f", "bool", "", "Do not error if the network does not exist"),),
    },
}
