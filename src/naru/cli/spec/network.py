"""The commands on networks, declared; `naru.cli.command_table` says how to read this."""

from __future__ import annotations

from naru.cli.spec.wording import FORMAT_PLAIN, FORMAT_TABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COMMANDS: dict[str, dict[str, Any]] = {
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
}
