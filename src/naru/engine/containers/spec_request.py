"""What `specgen` needs to know of one start: files in /etc, mounts, namespaces, cgroup."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from naru.api.container_config import ContainerConfig
from naru.engine.containers.hosts_file import hosts
from naru.engine.containers.links import links_of
from naru.engine.containers.mount_points import mount_points
from naru.engine.containers.resolver_file import resolv_conf
from naru.engine.containers.user_namespace import id_maps
from naru.engine.context import EngineContext
from naru.engine.model import Container
from naru.errors import ConflictError, FaultError, InvalidInputError
from naru.network import etc_files
from naru.network.legacy_links import variables
from naru.network.model import Sandbox
from naru.runtime import bundle as bundles
from naru.runtime import user_namespaces
from naru.runtime.bundle import Bundle
from naru.runtime.cdi_files import read_registry
from naru.specgen.cdi import Edits, device_names
from naru.specgen.generate import SpecRequest


def cgroup_path(ctx: EngineContext, container: Container) -> str:
    """Return the container's cgroup, from the root of every hierarchy."""
    parent = container.host_config.cgroup_parent or ctx.config.cgroup_parent
    return "/" + "/".join([*filter(None, parent.split("/")), container.id])


def spec_request(
    ctx: EngineContext,
    container: Container,
    bundle: Bundle,
    etc: dict[str, Path],
    netns_path: Path | None,
) -> SpecRequest:
    """Gather everything that the runtime spec is made from. Blocking; reads the root mount.

    Raises:
        NotFoundError: the container whose namespace is to be shared is gone.
        ConflictError: it does not run.
        InvalidInputError: it does not share.
    """
    maps = id_maps(ctx, container.host_config)
    exec_root = ctx.config.exec_root
    return SpecRequest(
        container_id=container.id,
        config=_with_links(ctx, container),
        host_config=container.host_config,
        rootfs=bundle.rootfs,
        hostname=container.config.hostname,
        passwd=bundles.read_rootfs_text(bundle, "etc/passwd"),
        group=bundles.read_rootfs_text(bundle, "etc/group"),
        mounts=mount_points(ctx, container, bundle),
        etc_files=etc,
        netns_path=netns_path,
        pid_namespace=_shared_namespace(ctx, container.host_config.pid_mode, "pid"),
        ipc_namespace=_shared_namespace(ctx, container.host_config.ipc_mode, "ipc"),
        shm_path=_shared_memory(ctx, container, bundle),
        id_maps=maps,
        user_namespace=user_namespaces.path_of(exec_root, container.id) if maps else None,
        cgroups_path=cgroup_path(ctx, container),
        device_edits=_device_edits(ctx, container),
        ulimits=ctx.config.ulimits,
        no_new_privileges=ctx.config.no_new_privileges,
        seccomp_profile=ctx.config.seccomp_profile,
    )


def _with_links(ctx: EngineContext, container: Container) -> ContainerConfig:
    """Return the config with the variables of links; what the user says of them counts more."""
    told = variables(links_of(ctx, container))
    if not told:
        return container.config
    return msgspec.structs.replace(container.config, env=[*told, *(container.config.env or ())])


def _device_edits(ctx: EngineContext, container: Container) -> tuple[Edits, ...]:
    requests = container.host_config.device_requests
    if not requests:
        return ()
    registry, complaints = read_registry(ctx.config.cdi_spec_dirs)
    try:
        return tuple(registry.resolve(device_names(requests, registry.names())))
    except InvalidInputError as error:
        if not complaints:
            raise
        raise InvalidInputError(f"{error.message} ({'; '.join(complaints)})") from error


def _shared_process(ctx: EngineContext, mode: str, what: str) -> int:
    kind, _, name = mode.partition(":")
    if kind != "container":
        return 0
    donor = ctx.registry.find(name)
    if not donor.is_running:
        if what == "IPC":
            raise ConflictError(
                f"can't join IPC of container {donor.id}: container {donor.id} is not running"
            )
        raise ConflictError(f"cannot join {what} of a non running container: {donor.id}")
    return donor.state.pid


def _shared_namespace(ctx: EngineContext, mode: str, kind: str) -> Path | None:
    pid = _shared_process(ctx, mode, kind.upper())
    return Path(f"/proc/{pid}/ns/{kind}") if pid else None


def _shared_memory(ctx: EngineContext, container: Container, bundle: Bundle) -> Path | None:
    """Return shared memory that outlives this spec: one to be joined, or another container's.

    Raises:
        InvalidInputError: the other container keeps its own to itself.
    """
    mode = container.host_config.ipc_mode
    if mode == "shareable":
        maps = id_maps(ctx, container.host_config)
        return bundles.mount_shm(bundle, container.host_config.shm_size, maps)
    kind, _, name = mode.partition(":")
    if kind != "container":
        return None
    donor = ctx.registry.find(name)
    if donor.host_config.ipc_mode != "shareable":
        raise InvalidInputError(
            f"cannot join IPC of a container: container {donor.id}: non-shareable IPC "
            "(hint: use IpcMode:shareable for the donor container)"
        )
    return bundles.existing(ctx.config.exec_root, donor.id).shm


def write_etc_files(
    ctx: EngineContext, container: Container, sandbox: Sandbox | None
) -> dict[str, Path]:
    """Write hosts, hostname and resolv.conf, and return where each is to be mounted. Blocking.

    A container that joins another one's network shares that one's files.
    """
    owner = container
    if container.joined_container():
        owner = ctx.registry.find(container.joined_container())
    folder = ctx.config.container_dir(owner.id)
    if owner is container:
        maps = id_maps(ctx, container.host_config)
        owner_ids = (maps.root_uid, maps.root_gid) if maps else (0, 0)
        for name, text in (
            ("hostname", etc_files.hostname_text(container.config.hostname)),
            ("hosts", hosts(ctx, container, sandbox)),
            ("resolv.conf", resolv_conf(ctx, container)),
        ):
            _write(folder / name, text, owner_ids)
    return {f"/etc/{name}": folder / name for name in ("hosts", "hostname", "resolv.conf")}


def _write(path: Path, text: str, owner: tuple[int, int]) -> None:
    try:
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)
        os.chown(path, *owner)
    except OSError as error:
        raise FaultError(f"write {path}: {os.strerror(error.errno or 0).lower()}") from error
