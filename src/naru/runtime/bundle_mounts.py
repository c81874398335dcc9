"""Mounts that are made in a bundle before the runtime starts, for the spec to bind.

Owns `<bundle>/m`. They serve what a runtime cannot be told, or cannot be trusted to do the same
way everywhere: a view of an image, a folder inside a volume that nobody can swap for a link
meanwhile, files under other owners. `bundle.remove` takes them off.
"""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from naru.errors import FaultError, InvalidInputError, reason_of
from naru.linux import mapped_mounts, mount, mount_tree, safe_path, user_namespaces
from naru.linux.mount import Mount
from naru.runtime.bundle import Bundle
from naru.runtime.user_namespaces import owner_of
from naru.specgen.id_maps import IdMaps, exchanged, map_text

_log = logging.getLogger(__name__)


def bind_inside(
    bundle: Bundle,
    number: int,
    root: Path,
    subpath: str = "",
    maps: IdMaps | None = None,
    *,
    user: tuple[int, int] | None = None,
) -> Path:
    """Mount what is at `subpath` below `root` in the bundle, and return where.

    With `maps` the files belong to the container's user namespace. With `user`, one of the
    container's, he has what belongs to the owner of the mounted place; nothing changes on disk.
    Links are followed as if `root` were the whole world, and what is mounted there is what was
    found, whoever changes the way to it later.

    Raises:
        InvalidInputError: there is nothing, in Docker's words; or its file system cannot give it
            to a user.
        FaultError: the kernel refused.
    """
    shown = str(root / subpath)
    with _found(root, subpath, shown) as descriptor:
        status = os.fstat(descriptor)
        owner = status.st_uid, status.st_gid
        if user is None or user == owner:
            return _bind(bundle, number, descriptor, maps, shown=shown)
        exchange = exchanged(maps, owner, user)
        target = _target(bundle, number, descriptor)
        with (
            user_namespaces.temporary_userns(
                map_text(exchange.uids), map_text(exchange.gids)
            ) as namespace,
            mount_tree.copied(descriptor) as copy,
        ):
            try:
                mount_tree.map_ids(copy, namespace)
            except FaultError as error:
                raise InvalidInputError(
                    f"{shown} cannot be given to the container's user (option U): its file system "
                    "cannot map ids"
                ) from error
            mount_tree.put(copy, target)
        return target


@contextlib.contextmanager
def _found(root: Path, subpath: str, shown: str) -> Iterator[int]:
    try:
        descriptor = safe_path.open_beneath(root, subpath, os.O_PATH)
    except OSError as error:
        reason = reason_of(error)
        raise InvalidInputError(f"cannot access path {shown}: {reason}") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _bind(bundle: Bundle, number: int, descriptor: int, maps: IdMaps | None, *, shown: str) -> Path:
    target = _target(bundle, number, descriptor)
    with mount_tree.copied(descriptor, recursive=maps is None) as copy:
        if maps:
            owner = owner_of(bundle.exec_root, bundle.path.name, maps)
            with mapped_mounts.open_namespace(owner.namespace) as namespace:
                _map(copy, namespace, shown)
        mount_tree.put(copy, target)
    return target


def _target(bundle: Bundle, number: int, descriptor: int) -> Path:
    is_directory = stat.S_ISDIR(os.fstat(descriptor).st_mode)
    return _place(bundle, str(number), is_directory=is_directory)


def _map(copy: int, namespace: int, shown: str) -> None:
    """Map ids where the file system can; elsewhere, as on NFS, files keep their owners."""
    try:
        mount_tree.map_ids(copy, namespace)
    except FaultError:
        _log.warning("the file system of %s cannot map ids: it is mounted as it is", shown)


def mount_view(
    bundle: Bundle,
    number: int,
    mounts: Sequence[Mount],
    subpath: str = "",
    maps: IdMaps | None = None,
) -> Path:
    """Mount a snapshot, or what is at `subpath` in it, in the bundle, and return where.

    Raises:
        InvalidInputError: there is no such path in it, in Docker's words.
        FaultError: the kernel refused.
    """
    view = _place(bundle, f"{number}-view", is_directory=True)
    if maps:
        owner = owner_of(bundle.exec_root, bundle.path.name, maps)
        mapped_mounts.mount_all(mounts, view, owner)
    else:
        mount.mount_all(mounts, view)
    if not subpath:
        return view
    shown = f"{subpath} of the image"
    with _found(view, subpath, shown) as descriptor:
        return _bind(bundle, number, descriptor, None, shown=shown)


def _place(bundle: Bundle, name: str, *, is_directory: bool) -> Path:
    target = bundle.mounts / name
    bundle.mounts.mkdir(exist_ok=True)
    if is_directory:
        target.mkdir()
    else:
        target.touch()
    return target
