"""The commands on registries, declared; `naru.cli.command_table` says how to read this."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COMMANDS: dict[str, dict[str, Any]] = {
    "login": {
        "usage": "[OPTIONS] [SERVER]",
        "about": ("Authenticate to a registry.\nDefaults to Docker Hub if no server is specified."),
        "arity": (0, 1),
        "handler": "naru.cli.commands.login:log_in",
        "options": (
            ("password", "p", "string", "", "Password or Personal Access Token (PAT)"),
            (
                "password-stdin",
                "",
                "bool",
                "",
                "Take the Password or Personal Access Token (PAT) from stdin",
            ),
            ("username", "u", "string", "", "Username"),
        ),
    },
    "logout": {
        "usage": "[SERVER]",
        "about": (
            "Log out from a registry.\n"
            "If no server is specified, the default is defined by the daemon."
        ),
        "arity": (0, 1),
        "handler": "naru.cli.commands.login:log_out",
        "options": (),
    },
    "search": {
        "usage": "[OPTIONS] TERM",
        "about": "Search Docker Hub for images",
        "arity": (1, 1),
        "handler": "naru.cli.commands.search:search",
        "options": (
            ("filter", "f", "filter", "", "Filter output based on conditions provided"),
            ("format", "", "string", "", "Pretty-print search using a Go template"),
            ("limit", "", "int", "", "Max number of search results"),
            ("no-trunc", "", "bool", "", "Don't truncate output"),
        ),
    },
}
