"""`--mount type=image`: read-only views of images inside a container.

A view is a snapshot of its own, named after the container and numbered.
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
    snapshots, number = ctx.images.snapshots, 0
    for mount in container.record.mounts:
        if mount.type != "image" or mount.source:
            continue
        image = ctx.images.catalog.resolve(mount.name)
        while snapshots.stat(_key(container.id, number)) is not None:
            number += 1
        mount.source = _key(container.id, number)
        snapshots.view(mount.source, image.chain_id)
        _AFTER_VIEW()


def remove_views(ctx: EngineContext, container_id: str) -> None:
    """Remove the views of a container, and its layers beside the first. Blocking, idempotent."""
    for info in ctx.images.snapshots.walk(below=container_id + _SEPARATOR):
        ctx.images.snapshots.remove(info.key)


def owner_of(snapshot_key: str) -> str:
    """Return the container that a snapshot belongs to, be it a root or a view."""
    return snapshot_key.partition(_SEPARATOR)[0]


def _key(container_id: str, number: int) -> str:
    return f"{container_id}{_SEPARATOR}{number}"
