"""What a container has on disk besides its row, and how it goes away."""

from __future__ import annotations

import contextlib

from naru.engine.containers.image_mounts import remove_views
from naru.engine.context import EngineContext
from naru.faults import fault_point
from naru.runtime import bundle as bundles

_HALF = fault_point("engine.remove.half")


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
