"""What all `prune` commands share: the user's filters, the question, and the lines printed.

Spec: docker/cli, command/utils.go (PruneFilters, PromptForConfirmation).
"""

from __future__ import annotations

from naru.cli.failure import CommandFailedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from naru.cli.invocation import Invocation

Filters = dict[str, dict[str, bool]]


def prune_filters(invocation: Invocation) -> Filters:
    """Return the filters given, and `pruneFilters` of config.json where they say nothing else.

    A label that the command line names wins over one of the configuration, kept or pruned.
    """
    given: Filters = {name: dict(values) for name, values in invocation.options["filter"].items()}
    for text in invocation.config.get("pruneFilters") or ():
        name, _, value = text.partition("=")
        if name in ("label", "label!"):
            opposite = "label!" if name == "label" else "label"
            if value in given.get(name, ()) or value in given.get(opposite, ()):
                continue
        elif name in given:
            continue
        given.setdefault(name, {})[value] = True
    return given


def agrees(invocation: Invocation, question: str) -> bool:
    """Ask unless `--force` was given; only `y` and `yes` agree, and the end of stdin does not."""
    if invocation.options["force"]:
        return True
    invocation.print(f"{question} [y/N] ", end="")
    invocation.stdout.flush()
    return invocation.stdin.readline().strip().lower() in ("y", "yes")


def deleted(title: str, lines: Iterable[str] | None) -> str:
    """Return what is printed of things that went; nothing when none did."""
    shown = "".join(f"{line}\n" for line in lines or ())
    return f"Deleted {title}:\n{shown}\n" if shown else ""


def image_lines(records: Iterable[dict[str, Any]] | None) -> Iterable[str]:
    """Yield a line for each name and each layer of images that went."""
    for record in records or ():
        if record.get("Untagged"):
            yield f"untagged: {record['Untagged']}"
        else:
            yield f"deleted: {record['Deleted']}"


def reclaimed(answer: dict[str, Any]) -> str:
    """Return the last line of a prune."""
    from naru.cli import human

    return f"Total reclaimed space: {human.size(answer['SpaceReclaimed'], 4)}\n"


def refuse_until_with_volumes(filters: Filters) -> None:
    """Refuse what would be honoured for all kinds but volumes.

    Raises:
        CommandFailedError: with docker's words.
    """
    if "until" in filters:
        raise CommandFailedError('ERROR: The "until" filter is not supported with "--volumes"')
