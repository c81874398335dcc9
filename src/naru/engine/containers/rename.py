"""`rename`."""

from __future__ import annotations

from naru.aio import in_thread
from naru.engine.containers.create import check_name
from naru.engine.context import EngineContext
from naru.engine.views.containers import container_attributes
from naru.errors import ConflictError, InvalidInputError


async def rename_container(ctx: EngineContext, name: str, new_name: str) -> None:
    """Give a container another name. Atomic.

    Raises:
        NotFoundError: no such container.
        InvalidInputError: the new name is none, or the old one.
        ConflictError: another container has the new name.
    """
    container = ctx.registry.find(name)
    new_name = new_name.removeprefix("/")
    if not new_name:
        raise InvalidInputError("Neither old nor new names may be empty")
    async with ctx.locks.hold(container.id):
        if container.name == new_name:
            raise InvalidInputError("Renaming a container with the same name as its current name")
        old_name = container.name
        try:
            check_name(new_name, shown=f"/{new_name}")
            ctx.registry.rename(container, new_name)
        except (InvalidInputError, ConflictError) as error:
            # Compose and others look for these words.
            raise type(error)(f"Error when allocating new name: {error.message}") from error
        await in_thread(ctx.networks.rename, container.id, new_name)
    ctx.events.publish(
        "container",
        "rename",
        container.id,
        container_attributes(container, oldName=f"/{old_name}"),
    )
