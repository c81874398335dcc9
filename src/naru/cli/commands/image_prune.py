"""`image prune`."""

from __future__ import annotations

from naru.cli.failure import CommandFailedError
from naru.cli.pruning import agrees, deleted, image_lines, prune_filters, reclaimed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from naru.cli.invocation import Invocation


def prune(invocation: Invocation) -> int:
    """Remove images that nobody needs."""
    options, filters = invocation.options, prune_filters(invocation)
    keep = ""
    if options.changed("keep"):
        if not options["all"]:
            raise CommandFailedError("--keep is for tags, which go only with --all")
        if options["keep"] < 1:
            raise CommandFailedError(f"--keep takes a number from 1, not {options['keep']}")
        filters.setdefault("keep", {})[str(options["keep"])] = True
        last = "tag" if options["keep"] == 1 else f"{options['keep']} tags"
        keep = f", but for the last {last} of each repository"
    filters.setdefault("dangling", {})["false" if options["all"] else "true"] = True
    kind = (
        "images without at least one container associated to them"
        if options["all"]
        else "dangling images"
    )
    warning = f"WARNING! This will remove all {kind}{keep}.\nAre you sure you want to continue?"
    if not agrees(invocation, warning):
        return 0
    answer = invocation.client.post("/images/prune", {"filters": filters})
    invocation.stdout.write(deleted("Images", image_lines(answer.get("ImagesDeleted"))))
    invocation.stdout.write(reclaimed(answer))
    return 0
