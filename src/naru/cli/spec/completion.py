"""The commands that shells complete words with, declared; `naru.cli.command_table` says how."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COMMANDS: dict[str, dict[str, Any]] = {
    "complete": {
        "usage": "[OPTIONS] [WORD...]",
        "about": "Print what could stand where the cursor is. For the scripts of 'completion'.",
        "arity": (0, None),
        "handler": "naru.cli.commands.completion:complete",
        "stops_at_argument": 1,
        "options": (
            ("breaks", "", "string", "", "Where the shell breaks words", "ours"),
            ("line", "", "string", "", "The line up to the cursor, instead of words", "ours"),
        ),
    },
    "completion": {
        "usage": "bash|fish|zsh",
        "about": "Generate the autocompletion script for the specified shell",
        "arity": (1, 1),
        "handler": "naru.cli.commands.completion:script",
        "options": (),
    },
}
