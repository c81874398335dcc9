"""`image prune`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from naru.cli.invocation import Invocation


def prune(invocation: Invocation) -> int:
    """Remove images that nobody needs."""
    from naru.cli.commands.volumes import confirm
    from naru.units import print_bytes_decimal

    options = invocation.options
    filters = options["filter"]
    filters.setdefault("dangling", {})["false" if options["all"] else "true"] = True
    kind = (
        "images without at least one container associated to them"
        if options["all"]
        else "dangling images"
    )
    warning = f"WARNING! This will remove all {kind}.\nAre you sure you want to continue?"
    if not options["force"] and not confirm(invocation, warning):
        return 0
    answer = invocation.client.post("/images/prune", {"filters": filters})
    if answer.get("ImagesDeleted"):
        lines = "".join(
            f"untagged: {record['Untagged']}\n"
            if record.get("Untagged")
            else f"deleted: {record['Deleted']}\n"
            for record in answer["ImagesDeleted"]
        )
        invocation.print(f"Deleted Images:\n{lines}")
    invocation.print(f"Total reclaimed space: {print_bytes_decimal(answer['SpaceReclaimed'])}")
    return 0
