"""Which containers run in a user namespace, and what they cannot have then.

Spec: dockerd's userns-remap; moby, verifyPlatformContainerSettings for the texts.
"""

from __future__ import annotations

from naru.api.host_config import HostConfig
from naru.engine.context import EngineContext
from naru.engine.model import Container
from naru.errors import InvalidInputError
from naru.runtime import user_namespaces
from naru.specgen.id_maps import IdMaps


def id_maps(ctx: EngineContext, host_config: HostConfig) -> IdMaps | None:
    """Return who a container's users are on the host; None where they are the host's own."""
    return None if host_config.userns_mode == "host" else ctx.config.id_maps


def check_user_namespace(ctx: EngineContext, host_config: HostConfig) -> None:
    """Refuse what nobody but the host's own root can have.

    Raises:
        InvalidInputError: with Docker's words.
    """
    if id_maps(ctx, host_config) is None:
        return
    if host_config.privileged:
        raise InvalidInputError(
            "privileged mode is incompatible with user namespaces.  You must run the container in "
            "the host namespace when running privileged mode"
        )
    if host_config.network_mode == "host":
        raise InvalidInputError(
            "cannot share the host's network namespace when user namespaces are enabled"
        )
    if host_config.pid_mode == "host":
        raise InvalidInputError(
            "cannot share the host PID namespace when user namespaces are enabled"
        )


def provide_user_namespace(ctx: EngineContext, container: Container) -> None:
    """Make the container's user namespace, if it is to have one. Blocking.

    Namespaces belong to the user namespace that they were made in: who joins another container's
    network, processes or shared memory joins that one too.

    Raises:
        NotFoundError: a container to be joined is gone.
        ConflictError: it joins containers of different user namespaces.
        FaultError: the kernel refused.
    """
    maps = id_maps(ctx, container.host_config)
    if ctx.config.id_maps is None:
        return
    pids = {joined.state.pid for joined in _joined(ctx, container) if joined.is_running}
    namespace = user_namespaces.common_namespace(pids, mapped=maps is not None)
    if maps is not None:
        user_namespaces.provide(ctx.config.exec_root, container.id, maps, namespace)


def _joined(ctx: EngineContext, container: Container) -> list[Container]:
    host_config = container.host_config
    modes = (host_config.network_mode, host_config.ipc_mode, host_config.pid_mode)
    names = [mode.partition(":")[2] for mode in modes if mode.startswith("container:")]
    return [ctx.registry.find(name) for name in names]
