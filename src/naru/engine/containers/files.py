"""What a container has on disk besides its row, and how it goes away."""

from __future__ import annotations

import contextlib

from naru.engine.containers.image_mounts import remove_views
from naru.engine.context import EngineContext
from naru.engine.model import Container
from naru.errors import NotSupportedError
from naru.faults import fault_point
from naru.runtime import bundle as bundles
from naru.specgen.resource_checks import layer_limit

_HALF = fault_point("engine.remove.half")


def limit_layer(ctx: EngineContext, container: Container) -> None:
    """Limit the fresh writable layer, if `--storage-opt size=` asks for it. Blocking.

    Raises:
        NotSupportedError: the file system has no such limits; in Docker's words.
    """
    size = layer_limit(container.host_config)
    if not size:
        return
    try:
        ctx.images.snapshots.limit(container.layer, size)
    except NotSupportedError as error:
        raise NotSupportedError(
            "--storage-opt is supported only for overlay over xfs with 'pquota' mount option",
            hint=error.message,
        ) from error


def delete_files(ctx: EngineContext, container_id: str) -> None:
    """Delete bundle, folder and snapshots of a container. Blocking, idempotent."""
    bundles.remove(ctx.config.exec_root, container_id)
    folder = ctx.config.container_dir(container_id)
    with contextlib.suppress(FileNotFoundError):
        for entry in folder.iterdir():
            entry.unlink()
        folder.rmdir()
    _HALF()
    remove_views(ctx, container_id)
    ctx.images.snapshots.remove(container_id)
