"""User namespaces of containers, where the engine keeps root of the container from being root.

Owns `<exec_root>/userns/<container_id>`. A namespace is made before everything that belongs to
it, the network and the root file system, and goes when they have gone.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from pathlib import Path

from naru.errors import ConflictError
from naru.faults import fault_point
from naru.linux import user_namespaces
from naru.linux.mapped_mounts import MappedTo
from naru.linux.namespaces import delete_netns
from naru.specgen.id_maps import IdMaps, map_text

_AFTER_USERNS = fault_point("runtime.user_namespaces.after_userns")


def path_of(exec_root: Path, container_id: str) -> Path:
    """Return the name of a container's user namespace, whether it has one or not."""
    return exec_root / "userns" / container_id


def owner_of(exec_root: Path, container_id: str, maps: IdMaps) -> MappedTo:
    """Return whom a container's files belong to."""
    return MappedTo(path_of(exec_root, container_id), maps.root_uid, maps.root_gid)


def provide(exec_root: Path, container_id: str, maps: IdMaps, joined: Path | None = None) -> None:
    """Give a container its user namespace: a new one, or `joined`.

    What an earlier life left behind is taken away first. Blocking.

    Raises:
        FaultError: the kernel refused.
    """
    path = path_of(exec_root, container_id)
    remove(exec_root, container_id)
    path.parent.mkdir(mode=0o711, exist_ok=True)
    if joined is None:
        user_namespaces.create_userns(path, map_text(maps.uids), map_text(maps.gids))
    else:
        user_namespaces.name_namespace(joined, path)
    _AFTER_USERNS()


def remove(exec_root: Path, container_id: str) -> None:
    """Take the name from a container's user namespace. Idempotent. Blocking."""
    path = path_of(exec_root, container_id)
    if path.exists():
        delete_netns(path)


def walk(exec_root: Path) -> list[str]:
    """Return the ids of all containers that have a user namespace."""
    try:
        return sorted(os.listdir(exec_root / "userns"))
    except FileNotFoundError:
        return []


def common_namespace(pids: Collection[int], *, mapped: bool) -> Path | None:
    """Return the user namespace of processes to be joined; None for none, or the host's.

    Raises:
        ConflictError: they have different ones, or not the kind that `mapped` says.
    """
    host = os.stat("/proc/self/ns/user").st_ino
    found: dict[int, int] = {}
    for pid in pids:
        # Who is gone meanwhile is missed where its namespaces are joined.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found[os.stat(f"/proc/{pid}/ns/user").st_ino] = pid
    if len(found) > 1 or any((number != host) != mapped for number in found):
        raise ConflictError(
            "cannot share namespaces with a container that runs in another user namespace",
            hint="run all of them with --userns=host, or none",
        )
    return Path(f"/proc/{found.popitem()[1]}/ns/user") if found and mapped else None
