"""`container prune` and `system prune`.

Spec: docker/cli, container/prune.go and system/prune.go.
"""

from __future__ import annotations

from naru.cli.pruning import (
    agrees,
    deleted,
    image_lines,
    prune_filters,
    reclaimed,
    refuse_until_with_volumes,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from naru.cli.invocation import Invocation
    from naru.cli.pruning import Filters

_SURE = "Are you sure you want to continue?"


def prune_containers(invocation: Invocation) -> int:
    """Remove the containers that do not run."""
    filters = prune_filters(invocation)
    warning = f"WARNING! This will remove all stopped containers.\n{_SURE}"
    if not agrees(invocation, warning):
        return 0
    answer = invocation.client.post("/containers/prune", {"filters": filters or None})
    invocation.stdout.write(deleted("Containers", answer.get("ContainersDeleted")))
    invocation.stdout.write(reclaimed(answer))
    return 0


def prune_system(invocation: Invocation) -> int:
    """Remove whatever nobody uses, kind by kind."""
    options, filters = invocation.options, prune_filters(invocation)
    if options["volumes"]:
        refuse_until_with_volumes(filters)
    if not agrees(invocation, _warning(filters, all=options["all"], volumes=options["volumes"])):
        return 0
    space = 0
    for path, query, title, key in _steps(filters, all=options["all"], volumes=options["volumes"]):
        answer = invocation.client.post(path, query)
        lines = answer.get(key)
        if key == "ImagesDeleted":
            lines = list(image_lines(lines))
        invocation.stdout.write(deleted(title, lines))
        space += answer.get("SpaceReclaimed") or 0
    invocation.stdout.write(reclaimed({"SpaceReclaimed": space}))
    return 0


def _steps(
    filters: Filters, *, all: bool, volumes: bool
) -> list[tuple[str, dict[str, object], str, str]]:
    """Return what is asked of the engine: path, query, title of what went, and its key."""
    plain: dict[str, object] = {"filters": filters or None}
    dangling: dict[str, object] = {
        "filters": {**filters, "dangling": {"false" if all else "true": True}}
    }
    cache: dict[str, object] = {**plain, "all": True if all else None}
    steps = [
        ("/containers/prune", plain, "Containers", "ContainersDeleted"),
        ("/networks/prune", plain, "Networks", "NetworksDeleted"),
    ]
    if volumes:
        steps.append(("/volumes/prune", plain, "Volumes", "VolumesDeleted"))
    steps.append(("/images/prune", dangling, "Images", "ImagesDeleted"))
    steps.append(("/build/prune", cache, "build cache objects", "CachesDeleted"))
    return steps


def _warning(filters: Filters, *, all: bool, volumes: bool) -> str:
    kinds = [
        "all stopped containers",
        "all networks not used by at least one container",
        *(("all anonymous volumes not used by at least one container",) if volumes else ()),
        "all images without at least one container associated to them"
        if all
        else "all dangling images",
        "all build cache" if all else "unused build cache",
    ]
    text = "WARNING! This will remove:\n" + "".join(f"  - {kind}\n" for kind in kinds) + "\n"
    if filters:
        lines = "".join(
            f"  - {name}={value}\n" for name in sorted(filters) for value in sorted(filters[name])
        )
        text += f"  Items to be pruned will be filtered with:\n{lines}\n"
    return f"{text}{_SURE}"
