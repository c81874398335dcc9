"""Which namespaces are new, shared with another container, or the host's; and sysctls. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from naru.api.container_config import ContainerConfig
from naru.api.host_config import HostConfig
from naru.errors import InvalidInputError
from naru.oci.runtime_spec import Json
from naru.specgen.id_maps import IdMaps

_IPC_SYSCTLS: Final = frozenset(
    f"kernel.{name}"
    for name in "msgmax msgmnb msgmni sem shmall shmmax shmmni shm_rmid_forced".split()
)
_EVERY_PORT: Final = "net.ipv4.ip_unprivileged_port_start"
_EVERY_PING: Final = "net.ipv4.ping_group_range"

_LAST_GID: Final = 2_147_483_647


def namespaces(
    host_config: HostConfig,
    *,
    netns_path: Path | None,
    pid_namespace: Path | None,
    ipc_namespace: Path | None,
    user_namespace: Path | None = None,
) -> list[Json]:
    """Return the spec's list; a kind that is missing from it is the host's.

    `netns_path` is the container's network namespace, None the host's, and `user_namespace` the
    one that it belongs to; the other paths are those of a container that this one joins.
    """
    found: list[Json] = [{"type": "mount"}]
    if netns_path is not None:
        found.append({"type": "network", "path": str(netns_path)})
    if host_config.uts_mode != "host":
        found.append({"type": "uts"})
    if host_config.pid_mode != "host":
        found.append(_namespace("pid", pid_namespace))
    if host_config.ipc_mode != "host":
        found.append(_namespace("ipc", ipc_namespace))
    if host_config.cgroupns_mode == "private":
        found.append({"type": "cgroup"})
    if user_namespace is not None:
        found.append({"type": "user", "path": str(user_namespace)})
    return found


def _namespace(kind: str, path: Path | None) -> Json:
    return {"type": kind} if path is None else {"type": kind, "path": str(path)}


def sysctls(
    config: ContainerConfig,
    host_config: HostConfig,
    netns_path: Path | None,
    id_maps: IdMaps | None = None,
) -> dict[str, str]:
    """Return the kernel settings of a container: the user's, and what Docker sets by itself.

    Raises:
        InvalidInputError: a setting that is not the container's own.
    """
    asked = dict(host_config.sysctls or {})
    if config.domainname:
        asked.setdefault("kernel.domainname", config.domainname)
    check_sysctls(asked, host_config, has_own_network=netns_path is not None)
    if netns_path is not None and not host_config.network_mode.startswith("container:"):
        # Capabilities would be asked for what cannot hurt anybody in a namespace of its own.
        asked.setdefault(_EVERY_PORT, "0")
        asked.setdefault(_EVERY_PING, f"0 {id_maps.last_gid if id_maps else _LAST_GID}")
    return asked


def check_sysctls(
    asked: Mapping[str, str], host_config: HostConfig, *, has_own_network: bool
) -> None:
    """Refuse settings that would change the host.

    Raises:
        InvalidInputError: with runc's words.
    """
    for name in asked:
        plain = name.replace("/", ".")
        if not all(plain.split(".")):
            raise InvalidInputError(f'sysctl "{name}" is not in a separate kernel namespace')
        if plain in _IPC_SYSCTLS or plain.startswith("fs.mqueue."):
            if host_config.ipc_mode == "host":
                raise InvalidInputError(
                    f'sysctl "{name}" is not allowed in the hosts ipc namespace'
                )
        elif plain.startswith("net."):
            if not has_own_network:
                raise InvalidInputError(f'sysctl "{name}" not allowed in host network namespace')
        elif plain == "kernel.domainname":
            if host_config.uts_mode == "host":
                raise InvalidInputError(
                    f'sysctl "{name}" is not allowed in the hosts UTS namespace'
                )
        elif plain == "kernel.hostname":
            raise InvalidInputError(
                f'sysctl "{name}" is not allowed as it conflicts with the OCI "hostname" field'
            )
        else:
            raise InvalidInputError(f'sysctl "{name}" is not in a separate kernel namespace')
