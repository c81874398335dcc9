"""`container recreate`, declared; `naru.cli.command_table` says how to read this."""

from __future__ import annotations

from naru.cli.spec.container_run import COMMANDS as _MAKING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What is settled with a container's name, or means something at its making only.
_NOT_AGAIN = frozenset(
    ("attach cidfile disable-content-trust kernel-memory name pull replace use-api-socket").split()
)
_OWN = (
    ("env-rm", "", "list", "", "Remove environment variables", "ours"),
    (
        "keep-layer",
        "",
        "bool",
        "",
        "Refuse an image with which the writable layer could not be kept",
        "ours",
    ),
    ("label-rm", "", "list", "", "Remove meta data from the container", "ours"),
    ("mount-rm", "", "list", "", "Remove the mounts at these paths in the container", "ours"),
    ("publish-rm", "", "list", "", "Publish these ports of the container no longer", "ours"),
    (
        "pull",
        "",
        "string",
        "missing",
        'Pull the image that is named ("always", "missing", "never")',
        "ours",
    ),
    (
        "timeout",
        "",
        "int",
        "",
        "Seconds to wait before the container that runs is killed",
        "ours",
    ),
    (
        "wait",
        "",
        "bool",
        "",
        "Go back to the container as it was unless the new one becomes healthy",
        "ours",
    ),
    ("wait-timeout", "", "int", "60", "Seconds that the new one has to become healthy", "ours"),
)
COMMANDS: dict[str, dict[str, Any]] = {
    "recreate": {
        "usage": "CONTAINER [OPTIONS] [IMAGE] [COMMAND] [ARG...]",
        "about": "Give a container other options or another image",
        "arity": (1, None),
        "handler": "naru.cli.commands.recreate:recreate",
        "checks": "naru.cli.options:CHECKS",
        "stops_at_argument": 2,
        "options": tuple(
            sorted(
                (
                    *(
                        option
                        for option in _MAKING["create"]["options"]
                        if option[0] not in _NOT_AGAIN
                    ),
                    *_OWN,
                )
            )
        ),
    },
}
