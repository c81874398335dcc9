"""The commands on the engine itself, and `inspect` of anything, declared.

`naru.cli.command_table` says how to read this.
"""

from __future__ import annotations

from naru.cli.spec.wording import FORMAT_PLAIN, FORMAT_TABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COMMANDS: dict[str, dict[str, Any]] = {
    "check": {
        "usage": "[OPTIONS]",
        "about": "Check the store of images, and repair it",
        "arity": (0, 0),
        "handler": "naru.cli.commands.system_check:check",
        "options": (
            ("format", "", "string", "", FORMAT_TABLE, "ours"),
            ("full", "", "bool", "", "Compare every byte of unpacked layers, too", "ours"),
            ("no-trunc", "", "bool", "", "Don't truncate output", "ours"),
            ("quick", "", "bool", "", "Only look whether everything is there", "ours"),
            ("quiet", "q", "bool", "", "Only display what is left to be repaired", "ours"),
            ("repair", "", "bool", "", "Repair what can be repaired", "ours"),
        ),
    },
    "df": {
        "usage": "[OPTIONS]",
        "about": "Show docker disk usage",
        "arity": (0, 0),
        "handler": "naru.cli.commands.system_df:show",
        "options": (
            ("format", "", "string", "", FORMAT_TABLE),
            ("verbose", "v", "bool", "", "Show detailed information on space usage"),
        ),
    },
    "dial-stdio": {
        "usage": "",
        "about": (
            "Proxy the stdio stream to the daemon connection. Should not be invoked manually."
        ),
        "arity": (0, 0),
        "handler": "naru.cli.commands.dial_stdio:dial_stdio",
        "options": (),
    },
    "events": {
        "usage": "[OPTIONS]",
        "about": "Get real time events from the server",
        "aliases": ("system events", "events"),
        "arity": (0, 0),
        "handler": "naru.cli.commands.events:events",
        "options": (
            ("filter", "f", "filter", "", "Filter output based on conditions provided"),
            ("format", "", "string", "", FORMAT_PLAIN),
            ("since", "", "string", "", "Show all events created since timestamp"),
            ("until", "", "string", "", "Stream events until this timestamp"),
        ),
    },
    "info": {
        "usage": "[OPTIONS]",
        "about": "Display system-wide information",
        "aliases": ("system info", "info"),
        "arity": (0, 0),
        "handler": "naru.cli.commands.info:info",
        "options": (("format", "f", "string", "", FORMAT_PLAIN),),
    },
    "inspect": {
        "usage": "[OPTIONS] NAME|ID [NAME|ID...]",
        "about": "Return low-level information on Docker objects",
        "arity": (1, None),
        "handler": "naru.cli.commands.inspect:inspect_anything",
        "options": (
            ("format", "f", "string", "", FORMAT_PLAIN),
            ("size", "s", "bool", "", "Display total file sizes if the type is container"),
            ("type", "", "string", "", "Only inspect objects of the given type"),
        ),
    },
    "prune": {
        "usage": "[OPTIONS]",
        "about": "Remove unused data",
        "arity": (0, 0),
        "handler": "naru.cli.commands.system_prune:prune_system",
        "options": (
            ("all", "a", "bool", "", "Remove all unused images not just dangling ones"),
            ("filter", "", "filter", "", 'Provide filter values (e.g. "label=<key>=<value>")'),
            ("force", "f", "bool", "", "Do not prompt for confirmation"),
            ("volumes", "", "bool", "", "Prune anonymous volumes"),
        ),
    },
    "version": {
        "usage": "[OPTIONS]",
        "about": "Show the Docker version information",
        "arity": (0, 0),
        "handler": "naru.cli.commands.version:version",
        "options": (("format", "f", "string", "", FORMAT_PLAIN),),
    },
}
