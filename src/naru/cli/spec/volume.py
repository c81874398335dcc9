"""The commands on volumes, declared; `naru.cli.command_table` says how to read this."""

from __future__ import annotations

from naru.cli.spec.wording import FORMAT_PLAIN, FORMAT_TABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COMMANDS: dict[str, dict[str, Any]] = {
    "create": {
        "usage": "[OPTIONS] [VOLUME]",
        "about": "Create a volume",
        "arity": (0, 1),
        "handler": "naru.cli.commands.volumes:create",
        "checks": "naru.cli.options:CHECKS",
        "options": (
            ("driver", "d", "string", "local", "Specify volume driver name"),
            ("label", "", "list", "", "Set metadata for a volume"),
            ("opt", "o", "map", "map[]", "Set driver specific options"),
            ("name", "", "string", "", "Specify volume name", "hidden"),
        ),
    },
    "export": {
        "usage": "[OPTIONS] VOLUME",
        "about": "Export the content of a volume as a tar archive",
        "arity": (1, 1),
        "handler": "naru.cli.commands.volume_copies:export",
        "options": (
            ("output", "o", "string", "", "Write to a file, instead of STDOUT"),
            ("pause", "", "bool", "", "Pause containers that use the volume meanwhile"),
        ),
    },
    "import": {
        "usage": "[OPTIONS] VOLUME [FILE|-]",
        "about": "Fill a volume from a tar archive, or STDIN; it is made if there is none",
        "arity": (1, 2),
        "handler": "naru.cli.commands.volume_copies:import_volume",
        "options": (("replace", "", "bool", "", "Replace what the volume holds"),),
    },
    "inspect": {
        "usage": "[OPTIONS] VOLUME [VOLUME...]",
        "about": "Display detailed information on one or more volumes",
        "arity": (1, None),
        "handler": "naru.cli.commands.inspect:inspect_volumes",
        "options": (("format", "f", "string", "", FORMAT_PLAIN),),
    },
    "ls": {
        "usage": "[OPTIONS]",
        "about": "List volumes",
        "aliases": ("volume ls", "volume list"),
        "arity": (0, 0),
        "handler": "naru.cli.commands.volumes:list_volumes",
        "options": (
            ("filter", "f", "filter", "", 'Provide filter values (e.g. "dangling=true")'),
            ("format", "", "string", "", FORMAT_TABLE),
            ("quiet", "q", "bool", "", "Only display volume names"),
        ),
    },
    "prune": {
        "usage": "[OPTIONS]",
        "about": "Remove unused local volumes",
        "arity": (0, 0),
        "handler": "naru.cli.commands.volumes:prune",
        "options": (
            ("all", "a", "bool", "", "Remove all unused volumes, not just anonymous ones"),
            ("filter", "", "filter", "", 'Provide filter values (e.g. "label=<label>")'),
            ("force", "f", "bool", "", "Do not prompt for confirmation"),
        ),
    },
    "restore": {
        "usage": "VOLUME SNAPSHOT",
        "about": "Let a volume hold what it held when a snapshot was taken",
        "arity": (2, 2),
        "handler": "naru.cli.commands.volume_copies:restore",
        "options": (),
    },
    "rm-snapshot": {
        "usage": "VOLUME SNAPSHOT [SNAPSHOT...]",
        "about": "Remove one or more snapshots of a volume",
        "arity": (2, None),
        "handler": "naru.cli.commands.volume_copies:remove_snapshots",
        "options": (),
    },
    "snapshot": {
        "usage": "[OPTIONS] VOLUME [SNAPSHOT]",
        "about": "Keep what a volume holds now",
        "arity": (1, 2),
        "handler": "naru.cli.commands.volume_copies:snapshot",
        "options": (("pause", "", "bool", "", "Pause containers that use the volume meanwhile"),),
    },
    "snapshots": {
        "usage": "[OPTIONS] VOLUME",
        "about": "List the snapshots of a volume",
        "arity": (1, 1),
        "handler": "naru.cli.commands.volume_copies:list_snapshots",
        "options": (
            ("format", "", "string", "", FORMAT_TABLE),
            ("quiet", "q", "bool", "", "Only display names"),
        ),
    },
    "rm": {
        "usage": "[OPTIONS] VOLUME [VOLUME...]",
        "about": "Remove one or more volumes. You cannot remove a volume that is in use by a container.",
        "aliases": ("volume rm", "volume remove"),
        "arity": (1, None),
        "handler": "naru.cli.commands.volumes:remove",
        "options": (("force", "f", "bool", "", "Force the removal of one or more volumes"),),
    },
}
