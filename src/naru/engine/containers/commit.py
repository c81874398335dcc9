"""`commit`: what a container changed becomes an image on top of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import msgspec

from naru.aio import in_thread
from naru.api.container_config import ContainerConfig
from naru.dockerfile.changes import apply_changes
from naru.engine.containers.freezing import frozen
from naru.engine.containers.merge import merge_config
from naru.engine.containers.rootfs import refuse_removed
from naru.engine.context import EngineContext
from naru.engine.images.images import publish_image_event
from naru.engine.system import ENGINE_VERSION
from naru.engine.views.containers import container_attributes
from naru.errors import InvalidInputError, NotFoundError
from naru.images.catalog import check_tag_target
from naru.images.commit import NewImage, commit_snapshot
from naru.oci.image_config import RunDefaults
from naru.oci.reference import Reference


async def commit_container(
    ctx: EngineContext,
    name: str,
    *,
    repository: str,
    tag: str,
    comment: str,
    author: str,
    changes: Sequence[str],
    pauses: bool,
    config: ContainerConfig,
) -> str:
    """Make an image of a container, and return its id; volumes are no part of it.

    The image's config is `config`, changed by the Dockerfile instructions in `changes`, with
    everything that it leaves open taken from the container. With `pauses` a container that runs
    is held still meanwhile.

    Raises:
        NotFoundError: no such container, or its image was removed.
        ConflictError: it is being removed.
        InvalidInputError: the name or an instruction is malformed.

    Spec: moby, daemon/commit.go, CreateImageFromContainer.
    """
    target = _target(repository, tag)
    container = ctx.registry.find(name)
    refuse_removed(container, "commit")
    asked = container.config if config == ContainerConfig() else config
    changed = apply_changes(_as_defaults(asked), changes)
    merged = merge_config(_as_config(changed), container.config)
    parent = ctx.images.catalog.get(container.record.image_id)
    if parent is None:
        # Removed by force while the container had it: its config and history are lost.
        raise NotFoundError(f"No such image: {container.record.image_id}")
    command = container.config.cmd or []
    image = NewImage(
        parent=parent,
        config=_as_defaults(merged),
        created_by=command if isinstance(command, str) else " ".join(command),
        author=author,
        comment=comment,
        names=[target] if target else [],
        docker_version=ENGINE_VERSION,
        container=container.id,
        container_config=_as_defaults(container.config),
    )
    async with frozen(ctx, container) if pauses else contextlib.nullcontext():
        image_id = await in_thread(commit_snapshot, ctx.images, container.layer, image)
        shown = target.familiar if target else ""
        if target:
            publish_image_event(ctx, "tag", image_id, shown)
        attributes = container_attributes(
            container, comment=comment, imageID=image_id, imageRef=shown
        )
        ctx.events.publish("container", "commit", container.id, attributes)
    return image_id


def _target(repository: str, tag: str) -> Reference | None:
    if not repository:
        return None
    reference = Reference.parse(repository)
    if reference.digest is not None:
        raise InvalidInputError("cannot import digest reference")
    if tag:
        reference = reference.with_tag(tag)
    check_tag_target(reference)
    return reference.with_default_tag()


def _as_defaults(config: ContainerConfig) -> RunDefaults:
    """Return a container's config in the words of image configs; the two differ in no name."""
    return msgspec.convert(msgspec.to_builtins(config), RunDefaults)


def _as_config(defaults: RunDefaults) -> ContainerConfig:
    return msgspec.convert(msgspec.to_builtins(defaults), ContainerConfig)
