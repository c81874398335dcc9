"""`--userns-remap`: whose subordinate ids containers get, and where their engine keeps its data.

As in Docker each mapping has a data root of its own, named by the ids of its root. The account
that `default` means is made when it is missing, with the next ids that are free.

Spec: dockerd 28, userns-remap; subuid(5), useradd(8), usermod(8).
"""

from __future__ import annotations

import logging
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Final

from naru.daemon.settings import DaemonConfig
from naru.errors import FaultError, InvalidInputError, ToolFailedError
from naru.linux import mount_tree, process, user_namespaces
from naru.linux.mapped_mounts import open_namespace
from naru.linux.namespaces import delete_netns
from naru.specgen.id_maps import (
    DEFAULT_ACCOUNT,
    DEFAULT_SETTING,
    RANGE_SIZE,
    IdMaps,
    has_ranges,
    map_text,
    maps_of,
    next_free_id,
    resolve_accounts,
)

_log = logging.getLogger(__name__)
_TOOL_TIMEOUT_S: Final = 30.0
_SEARCHABLE: Final = stat.S_IXOTH


def remapped(config: DaemonConfig) -> tuple[DaemonConfig, IdMaps | None]:
    """Return the configuration with the data root of its mapping, and the mapping.

    Raises:
        InvalidInputError: no such account, or it has no subordinate ids.
        FaultError: this machine cannot map ids there, or a directory is closed to others.
    """
    if not config.userns_remap:
        return config, None
    maps = _find_maps(config.userns_remap)
    if maps.root_uid == 0:
        _log.warning("user namespaces: root cannot be remapped with itself; they are off")
        return config, None
    data_root = Path(config.data_root) / f"{maps.root_uid}.{maps.root_gid}"
    exec_root = Path(config.exec_root)
    for folder in (data_root, exec_root):
        folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    # Nobody on the host but root may come near what containers' root owns as root on disk.
    data_root.chmod(0o700)
    _check_search(exec_root)
    _check_mapping(data_root, exec_root, maps)
    return replace(config, data_root=str(data_root)), maps


def _find_maps(setting: str) -> IdMaps:
    if setting == DEFAULT_SETTING:
        _provide_default_account()
    passwd, group = _read("/etc/passwd"), _read("/etc/group")
    user, group_name = resolve_accounts(setting, passwd, group)
    return maps_of(
        user,
        group_name,
        uid=_number(user, passwd),
        gid=_number(group_name, group),
        subuid=_read("/etc/subuid"),
        subgid=_read("/etc/subgid"),
    )


def _provide_default_account() -> None:
    names = {line.partition(":")[0] for line in _read("/etc/passwd").splitlines()}
    try:
        if DEFAULT_ACCOUNT not in names:
            _run("useradd", "--system", "--user-group", "--no-create-home")
        subuid, subgid = _read("/etc/subuid"), _read("/etc/subgid")
        first = next_free_id(subuid, subgid)
        wanted = f"{first}-{first + RANGE_SIZE - 1}"
        if not has_ranges(DEFAULT_ACCOUNT, subuid):
            _run("usermod", "--add-subuids", wanted)
        if not has_ranges(DEFAULT_ACCOUNT, subgid):
            _run("usermod", "--add-subgids", wanted)
    except ToolFailedError as error:
        raise FaultError(
            f'Error during "{DEFAULT_ACCOUNT}" user creation: {error.message}'
        ) from error


def _run(*words: str) -> None:
    process.run_blocking([*words, DEFAULT_ACCOUNT], timeout=_TOOL_TIMEOUT_S)


def _check_search(folder: Path) -> None:
    """Refuse a path that containers' root cannot walk along: the runtime does so as that one."""
    for place in (folder, *folder.parents):
        if not os.stat(place).st_mode & _SEARCHABLE:
            raise FaultError(
                f"a subdirectory in the path of the exec root ({place}) restricts access to the "
                "remapped root uid/gid; please fix by allowing 'o+x' permissions on existing "
                "directories"
            )


def _check_mapping(data_root: Path, exec_root: Path, maps: IdMaps) -> None:
    """Try what every start needs, so that it is this start which fails."""
    trial = exec_root / "userns-trial"
    if trial.exists():
        delete_netns(trial)
    user_namespaces.create_userns(trial, map_text(maps.uids), map_text(maps.gids))
    try:
        with open_namespace(trial) as namespace, mount_tree.copied(data_root) as copy:
            mount_tree.map_ids(copy, namespace)
    except FaultError as error:
        raise FaultError(
            f"userns-remap: the file system of {data_root} cannot map ids: {error.message}",
            hint="it takes Linux 5.19 and a file system such as ext4, xfs or btrfs",
        ) from error
    finally:
        delete_netns(trial)


def _number(name: str, text: str) -> str:
    for line in text.splitlines():
        fields = line.split(":")
        if len(fields) > 2 and fields[0] == name:
            return fields[2]
    return ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError as error:
        raise InvalidInputError(f"open {path}: no such file or directory") from error
