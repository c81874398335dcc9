"""A container's own files: `diff`, what it changed of its image, and `export`, all of them.

What is mounted in it is not its own. Both read beside a container that runs, and hold it up in
nothing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from naru.aio import in_thread, pieces_of_thread
from naru.engine.context import EngineContext
from naru.engine.model import Container, Json
from naru.engine.views.containers import container_attributes
from naru.errors import ConflictError
from naru.store.changes import Change
from naru.store.tar_create import write_mounted


async def container_changes(ctx: EngineContext, name: str) -> list[Json]:
    """Return the paths that a container changed, sorted.

    Raises:
        NotFoundError: no such container.
    """
    container = ctx.registry.find(name)
    changes = await in_thread(_changes, ctx, container.layer)
    return [
        {"Path": "/" + change.path.decode(errors="replace"), "Kind": int(change.kind)}
        for change in changes
    ]


def _changes(ctx: EngineContext, layer: str) -> list[Change]:
    with ctx.images.snapshots.difference(layer) as found:
        return found.changes


def export_container(ctx: EngineContext, name: str) -> AsyncGenerator[bytes]:
    """Return the tar of a container's root file system, piece by piece.

    Raises:
        NotFoundError: no such container.
        ConflictError: it is being removed.
    """
    container = ctx.registry.find(name)
    refuse_removed(container, "export")
    mounts = ctx.images.snapshots.look(container.layer)
    ctx.events.publish("container", "export", container.id, container_attributes(container))
    return pieces_of_thread(lambda write: write_mounted(mounts, write))


def refuse_removed(container: Container, doing: str) -> None:
    """Refuse to read the files of a container that is on its way out.

    Raises:
        ConflictError: it is.
    """
    if container.state.status == "removing":
        raise ConflictError(f"You cannot {doing} container {container.id} which is being removed")
    if container.state.status == "dead":
        raise ConflictError(f"You cannot {doing} container {container.id} which is Dead")
