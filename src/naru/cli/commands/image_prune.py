"""`image prune`."""

from __future__ import annotations

from naru.cli.pruning import agrees, deleted, image_lines, prune_filters, reclaimed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from naru.cli.invocation import Invocation


def prune(invocation: Invocation) -> int:
    """Remove images that nobody needs."""
    options, filters = invocation.options, prune_filters(invocation)
    filters.setdefault("dangling", {})["false" if options["all"] else "true"] = True
    kind = (
        "images without at least one container associated to them"
        if options["all"]
        else "dangling images"
    )
    warning = f"WARNING! This will remove all {kind}.\nAre you sure you want to continue?"
    if not agrees(invocation, warning):
        return 0
    answer = invocation.client.post("/images/prune", {"filters": filters})
    invocation.stdout.write(deleted("Images", image_lines(answer.get("ImagesDeleted"))))
    invocation.stdout.write(reclaimed(answer))
    return 0
