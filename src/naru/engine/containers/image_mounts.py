"""`--mount type=image`: read-only views of images inside a container.

A view is a snapshot of its own, named after the container and numbered from zero without a gap.
While it is there the image's layers are, whatever becomes of the image's name.
"""

from __future__ import annotations

from naru.engine.context import EngineContext
from naru.engine.model import Container
from naru.faults import fault_point

_AFTER_VIEW = fault_point("engine.create.after_view")
_SEPARATOR = "/"


def provide_views(ctx: EngineContext, container: Container) -> None:
    """Make the views that a new container mounts. Blocking.

    Raises:
        NotFoundError: no such image.
    """
    mounts = (mount for mount in container.record.mounts if mount.type == "image")
    for number, mount in enumerate(mounts):
        image = ctx.images.catalog.resolve(mount.name)
        mount.source = _key(container.id, number)
        ctx.images.snapshots.view(mount.source, image.chain_id)
        _AFTER_VIEW()


def remove_views(ctx: EngineContext, container_id: str) -> None:
    """Remove the views of a container. Blocking, idempotent."""
    snapshots, count = ctx.images.snapshots, 0
    while snapshots.stat(_key(container_id, count)) is not None:
        count += 1
    # From the last one on, so that half a removal leaves no gap.
    for number in reversed(range(count)):
        snapshots.remove(_key(container_id, number))


def owner_of(snapshot_key: str) -> str:
    """Return the container that a snapshot belongs to, be it a root or a view."""
    return snapshot_key.partition(_SEPARATOR)[0]


def _key(container_id: str, number: int) -> str:
    return f"{container_id}{_SEPARATOR}{number}"
