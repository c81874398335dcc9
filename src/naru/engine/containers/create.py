"""`create`: a request becomes a row, a snapshot, a folder and its volumes; nothing runs yet."""

from __future__ import annotations

import msgspec

from naru.aio import in_thread, uncancelled
from naru.api.container_config import ContainerConfig, NetworkingConfig
from naru.api.host_config import HostConfig, LogConfig
from naru.engine.containers.create_checks import check_request
from naru.engine.containers.files import delete_files, limit_layer
from naru.engine.containers.image_mounts import provide_views
from naru.engine.containers.links import wanted_links
from naru.engine.containers.merge import merge_config
from naru.engine.containers.mount_requests import wanted_mounts
from naru.engine.containers.names import generate_name
from naru.engine.containers.networking import wanted_endpoints
from naru.engine.containers.replace import spare_name, take_over
from naru.engine.containers.user_namespace import check_user_namespace
from naru.engine.containers.volume_mounts import (
    copy_up_volumes,
    inherited_mounts,
    name_anonymous_volumes,
    provide_volumes,
    remove_anonymous_volumes,
)
from naru.engine.context import EngineContext
from naru.engine.health_rule import validate_check
from naru.engine.model import Container, ContainerRecord, ContainerState
from naru.engine.views.containers import container_attributes
from naru.errors import InvalidInputError, NotFoundError
from naru.faults import fault_point
from naru.ids import is_valid_name, new_id, short_id
from naru.images.catalog import Image
from naru.network.port_requests import parse_port_requests
from naru.oci.platform import parse_platform
from naru.runtime.log_driver import check_on_host, log_policy
from naru.specgen.validate import validate_host_config

_AFTER_ROW = fault_point("engine.create.after_row")
_AFTER_SNAPSHOT = fault_point("engine.create.after_snapshot")


async def create_container(
    ctx: EngineContext,
    *,
    name: str,
    config: ContainerConfig,
    host_config: HostConfig,
    networking_config: NetworkingConfig | None,
    platform: str = "",
    replaces: bool = False,
    is_build_step: bool = False,
) -> tuple[str, list[str]]:
    """Make a container and return its id and the warnings.

    The row is written first, as one that is being removed, and becomes `created` only when the
    rest stands: an engine killed in between clears it away at its next start. With `replaces` a
    container that has the name goes then, running or not.

    Raises:
        InvalidInputError: the request contradicts itself or this host.
        NotFoundError: no such image, or no such container to join or to share volumes with.
        ConflictError: the name is taken.
    """
    name = _checked_name(ctx, name, is_needed=replaces)
    check_request(config, host_config)
    image = find_image(ctx, config.image, platform)
    merged = merge_config(config, image_defaults(image))
    fill_defaults(ctx, host_config)
    warnings = check_against_host(ctx, merged, host_config)
    container_id = new_id()
    if not merged.hostname:
        merged.hostname = default_hostname(ctx, container_id, host_config)
    mounts = wanted_mounts(merged, host_config, inherited_mounts(ctx, host_config))
    name_anonymous_volumes(mounts)
    container = Container(
        container_id,
        spare_name(name, container_id) if replaces else name,
        ContainerRecord(
            created_ns=ctx.clock.now_ns(),
            image_id=image.id,
            image_name=config.image,
            config=merged,
            host_config=host_config,
            endpoints=wanted_endpoints(ctx, merged, host_config, networking_config),
            mounts=mounts,
            is_build_step=is_build_step,
            links=wanted_links(ctx, host_config),
        ),
        ContainerState(status="removing", removes_volumes=True),
    )
    # Whoever finds the name from here on waits until there is a whole container behind it.
    async with ctx.locks.hold(container_id):
        ctx.registry.add(container)
        _AFTER_ROW()
        await _build(ctx, container, image)
        await _declare(ctx, container, takes_name=name if replaces else "")
    if replaces:
        await uncancelled(take_over(ctx, container))
    ctx.events.publish("container", "create", container_id, container_attributes(container))
    return container_id, warnings


def find_image(ctx: EngineContext, name: str, platform: str) -> Image:
    """Return the image that a request names.

    Raises:
        NotFoundError: there is none, or none for the platform.
    """
    wanted = parse_platform(platform) if platform else None
    return ctx.images.catalog.resolve(name, platform=wanted)


def image_defaults(image: Image) -> ContainerConfig:
    """Return the image's config in the API's words; the two differ in no name."""
    return msgspec.convert(msgspec.to_builtins(image.config.config), ContainerConfig)


async def _build(ctx: EngineContext, container: Container, image: Image) -> None:
    def build() -> None:
        ctx.config.container_dir(container.id).mkdir(parents=True, mode=0o710)
        provide_volumes(ctx, container)
        ctx.images.snapshots.prepare(container.id, image.chain_id)
        limit_layer(ctx, container)
        provide_views(ctx, container)

    def unbuild() -> None:
        delete_files(ctx, container.id)
        remove_anonymous_volumes(ctx, container)

    try:
        await in_thread(build)
        _AFTER_SNAPSHOT()
        await copy_up_volumes(ctx, container)
        ctx.registry.save_record(container, container.record)
    except BaseException:
        await in_thread(unbuild)
        ctx.registry.remove(container)
        raise


async def _declare(ctx: EngineContext, container: Container, *, takes_name: str) -> None:
    state = ContainerState(status="created", takes_name=takes_name)
    ctx.registry.replace_state(container, state)
    if container.is_to_stay:
        # Its programs may sync what they write: that must not be lost with a row that was not, nor
        # with an image that was loaded a moment ago.
        await in_thread(ctx.images.unsettled.settle)
        await in_thread(ctx.registry.sync)


def check_against_host(
    ctx: EngineContext, merged: ContainerConfig, host_config: HostConfig
) -> list[str]:
    """Refuse what this host or this engine cannot do, and return the warnings."""
    warnings = validate_host_config(host_config, ctx.facts)
    check_user_namespace(ctx, host_config)
    _pin_joined_containers(ctx, host_config)
    log_policy(host_config.log_config.type, host_config.log_config.config or {})
    check_on_host(host_config.log_config.type, host_config.log_config.config or {})
    parse_port_requests(
        merged.exposed_ports or {},
        host_config.port_bindings or {},
        publish_all=host_config.publish_all_ports,
    )
    return warnings + validate_check(merged.healthcheck)


def _checked_name(ctx: EngineContext, name: str, *, is_needed: bool) -> str:
    if not name and is_needed:
        raise InvalidInputError("a container can be replaced by its name only")
    if not name:
        return generate_name(ctx.registry.is_name_free)
    check_name(name.removeprefix("/"), shown=name)
    return name.removeprefix("/")


def check_name(name: str, *, shown: str) -> None:
    """Refuse what cannot name a container; `shown` is the name as it was given.

    Raises:
        InvalidInputError: with Docker's words.
    """
    if not is_valid_name(name):
        raise InvalidInputError(
            f"Invalid container name ({shown}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
        )


def fill_defaults(ctx: EngineContext, host_config: HostConfig) -> None:
    """Write the engine's defaults into what the request leaves open, as inspect shows them."""
    config = ctx.config
    host_config.network_mode = host_config.network_mode or "bridge"
    host_config.ipc_mode = host_config.ipc_mode or config.ipc_mode
    host_config.runtime = host_config.runtime or config.default_runtime
    host_config.shm_size = host_config.shm_size or config.shm_size
    host_config.restart_policy.name = host_config.restart_policy.name or "no"
    if host_config.runtime not in ctx.runtimes:
        raise InvalidInputError(f"unknown or invalid runtime name: {host_config.runtime}")
    log_config = host_config.log_config
    if log_config.type in ("", config.log_driver):
        host_config.log_config = LogConfig(
            type=config.log_driver,
            config={**config.log_options, **(log_config.config or {})},
        )
    if host_config.init is None and config.init_by_default:
        host_config.init = True
    if not host_config.cgroupns_mode:
        # Who is privileged sees all groups of version 1, which are mounted for all of them.
        is_old = ctx.facts.cgroup_version == 1
        chosen = config.cgroupns_mode or ("host" if is_old else "private")
        host_config.cgroupns_mode = "host" if is_old and host_config.privileged else chosen


def _pin_joined_containers(ctx: EngineContext, host_config: HostConfig) -> None:
    """Keep the ids of containers to be joined, so that the modes survive their renaming."""
    for field in ("network_mode", "pid_mode", "ipc_mode"):
        kind, _, name = getattr(host_config, field).partition(":")
        if kind != "container":
            continue
        try:
            setattr(host_config, field, f"container:{ctx.registry.find(name).id}")
        except NotFoundError as error:
            # 404 would tell clients that the image is missing.
            raise InvalidInputError(error.message) from error


def default_hostname(ctx: EngineContext, container_id: str, host_config: HostConfig) -> str:
    """Return the hostname of a container that is not given one."""
    kind, _, name = host_config.network_mode.partition(":")
    if kind == "host" or host_config.uts_mode == "host":
        return ctx.config.hostname
    if kind == "container":
        return ctx.registry.find(name).config.hostname
    return short_id(container_id)
