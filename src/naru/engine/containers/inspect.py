"""`inspect` and `top`."""

from __future__ import annotations

from typing import Any

from naru.aio import in_thread
from naru.api.version import MAXIMUM, ApiVersion
from naru.engine.containers.spec_request import cgroup_path
from naru.engine.context import EngineContext
from naru.engine.model import Container
from naru.engine.views.containers import container_attributes, inspect_view
from naru.errors import ConflictError
from naru.runtime import processes


async def inspect_container(
    ctx: EngineContext, name: str, *, size: bool, api_version: ApiVersion = MAXIMUM
) -> dict[str, Any]:
    """Return all that is known of a container.

    Raises:
        NotFoundError: no such container.
    """
    container = ctx.registry.find(name)
    view = inspect_view(ctx, container, api_version)
    if size:
        view |= await container_sizes(ctx, container)
    return view


async def container_sizes(ctx: EngineContext, container: Container) -> dict[str, int]:
    """Return the bytes of the writable layer, and those with the image's below it."""
    own = await in_thread(ctx.images.snapshots.usage, container.layer)
    image = ctx.images.catalog.get(container.record.image_id)
    return {"SizeRw": own, "SizeRootFs": own + (image.size if image else 0)}


async def top_container(ctx: EngineContext, name: str, ps_args: str) -> dict[str, Any]:
    """Return the container's processes as the host's `ps` shows them.

    Raises:
        NotFoundError: no such container.
        ConflictError: it does not run.
        InvalidInputError: `ps_args` leave the pid out, or are refused by ps.
    """
    container = ctx.registry.find(name)
    if container.state.status == "restarting":
        raise ConflictError(
            f"Container {container.id} is restarting, wait until the container is running"
        )
    if not container.is_running:
        raise ConflictError(f"Container {container.id} is not running")
    found = await processes.top(cgroup_path(ctx, container), ps_args or "-ef")
    ctx.events.publish("container", "top", container.id, container_attributes(container))
    return {"Titles": found["Titles"], "Processes": found["Processes"]}
