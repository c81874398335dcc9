"""Which mounts a create request asks for: binds, `--mount`, anonymous volumes, tmpfs. Pure.

Spec: Engine API 1.50, HostConfig.Binds and HostConfig.Mounts; moby's linux mount parser for the
texts of refusals.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from naru.api.container_config import ContainerConfig
from naru.api.host_config import HostConfig, Mount
from naru.engine.model import MountRecord
from naru.errors import InvalidInputError
from naru.specgen.mounts import tmpfs_options

_PROPAGATIONS = frozenset({"private", "rprivate", "shared", "rshared", "slave", "rslave"})
# Options in a `MountRecord` of a bind: what read-only means for what is mounted below it.
READ_ONLY_TOP = "ro-top"
READ_ONLY_ALL = "ro-all"
# In one of a bind or a volume: its files belong to the container's user. Podman has it as U.
USER_OWNS = "U"
# What may stand after the second colon of -v, each kind once.
_MODES = {
    "access": frozenset({"ro", "rw"}),
    "propagation": _PROPAGATIONS,
    "label": frozenset({"z", "Z"}),
    "consistency": frozenset({"consistent", "cached", "delegated"}),
    "copy": frozenset({"nocopy"}),
    "owner": frozenset({USER_OWNS}),
}


def wanted_mounts(
    config: ContainerConfig, host_config: HostConfig, inherited: Iterable[MountRecord] = ()
) -> list[MountRecord]:
    """Return the mounts that a request asks for; volumes may still lack a name.

    `inherited` come from `--volumes-from`: what the request names itself replaces them, and both
    come before the volumes that the image declares.

    Raises:
        InvalidInputError: a mount is malformed, or two have one destination.
    """
    named = [
        *(parse_bind(bind) for bind in host_config.binds or ()),
        *(_from_mount(mount) for mount in host_config.mounts or ()),
        *(_tmpfs(destination, opts) for destination, opts in (host_config.tmpfs or {}).items()),
    ]
    seen = set[str]()
    for mount in named:
        if mount.destination in seen:
            raise InvalidInputError(f"Duplicate mount point: {mount.destination}")
        seen.add(mount.destination)
    mounts = {mount.destination: mount for mount in (*inherited, *named)}
    for volume in config.volumes or ():
        destination = _clean(volume, f"invalid volume specification: '{volume}'")
        if destination not in mounts:
            mounts[destination] = MountRecord(
                type="volume", destination=destination, driver="local", copy_up=True
            )
    return list(mounts.values())


def parse_bind(text: str) -> MountRecord:
    """Read `source:destination[:options]`; a source without a slash names a volume.

    Raises:
        InvalidInputError: with Docker's words for what is wrong.
    """
    wrong = f"invalid volume specification: '{text}'"
    parts = text.split(":")
    if len(parts) == 1 and text.startswith("/"):
        return MountRecord(
            type="volume", destination=_clean(text, wrong), driver="local", copy_up=True
        )
    is_mode = len(parts) == 2 and _is_mode(parts[1])
    if not 2 <= len(parts) <= 3 or not parts[0] or not parts[1] or is_mode:
        raise InvalidInputError(wrong)
    source = parts[0]
    kind = "bind" if source.startswith("/") else "volume"
    destination = _clean(parts[1], f'{wrong}: invalid mount config for type "{kind}"')
    mode = parts[2] if len(parts) == 3 else ""
    options = [option for option in mode.split(",") if option]
    read_write, propagation = _bind_options(mode)
    owned = [USER_OWNS] if USER_OWNS in options else []
    if source.startswith("/"):
        if "nocopy" in options:
            raise InvalidInputError(f"{wrong}: {_extra_field('bind', 'VolumeOptions')}")
        return MountRecord(
            type="bind",
            source=posixpath.normpath(source),
            destination=destination,
            mode=mode,
            read_write=read_write,
            propagation=propagation or "rprivate",
            options=owned,
        )
    if propagation:
        raise InvalidInputError(f"{wrong}: {_extra_field('volume', 'BindOptions')}")
    return MountRecord(
        type="volume",
        name=source,
        destination=destination,
        driver="local",
        mode=mode or "z",
        read_write=read_write,
        copy_up="nocopy" not in options,
        options=owned,
    )


def _bind_options(mode: str) -> tuple[bool, str]:
    read_write, propagation, seen = True, "", set[str]()
    for option in mode.split(",") if mode else ():
        kind = _kind_of_option(option)
        if not kind or kind in seen:
            raise InvalidInputError(f"invalid mode: {mode}")
        seen.add(kind)
        if kind == "access":
            read_write = option == "rw"
        elif kind == "propagation":
            propagation = option
    return read_write, propagation


def _is_mode(text: str) -> bool:
    return all(_kind_of_option(option) for option in text.split(","))


def _kind_of_option(option: str) -> str:
    for kind, words in _MODES.items():
        if option in words:
            return kind
    return ""


def _extra_field(kind: str, field: str) -> str:
    return f'invalid mount config for type "{kind}": field {field} must not be specified'


def _from_mount(mount: Mount) -> MountRecord:
    wrong = f'invalid mount config for type "{mount.type}"'
    if not mount.target:
        raise InvalidInputError(f"{wrong}: field Target must not be empty")
    destination = _clean(mount.target, wrong)
    match mount.type:
        case "bind":
            return _bind_mount(mount, destination, wrong)
        case "volume":
            return _volume_mount(mount, destination, wrong)
        case "tmpfs":
            return _tmpfs_mount(mount, destination, wrong)
        case "image":
            return _image_mount(mount, destination, wrong)
        case _:
            raise InvalidInputError(f"{wrong}: mount type unknown")


def _refuse_options(mount: Mount, wrong: str, *fields: str) -> None:
    given = {
        "BindOptions": mount.bind_options,
        "VolumeOptions": mount.volume_options,
        "ImageOptions": mount.image_options,
        "TmpfsOptions": mount.tmpfs_options,
    }
    for field in fields:
        if given[field] is not None:
            raise InvalidInputError(f"{wrong}: field {field} must not be specified")


def _check_subpath(subpath: str, wrong: str) -> None:
    depth = 0
    for part in subpath.split("/"):
        depth += -1 if part == ".." else 0 if part in ("", ".") else 1
        if depth < 0 or subpath.startswith("/"):
            raise InvalidInputError(f"{wrong}: subpath must be a relative path within the volume")


def _bind_mount(mount: Mount, destination: str, wrong: str) -> MountRecord:
    if not mount.source:
        raise InvalidInputError(f"{wrong}: field Source must not be empty")
    if not mount.source.startswith("/"):
        raise InvalidInputError(
            f"{wrong}: invalid mount path: '{mount.source}' mount path must be absolute"
        )
    _refuse_options(mount, wrong, "VolumeOptions", "ImageOptions", "TmpfsOptions")
    options = mount.bind_options
    propagation = options.propagation if options else ""
    if propagation and propagation not in _PROPAGATIONS:
        raise InvalidInputError(f"{wrong}: invalid propagation mode: {propagation}")
    flags = []
    if options and options.non_recursive:
        flags.append("bind")
    if options and options.create_mountpoint:
        flags.append("create")
    if options and mount.read_only:
        if options.read_only_non_recursive and options.read_only_force_recursive:
            raise InvalidInputError(
                f"{wrong}: mount options conflict: ReadOnlyNonRecursive && ReadOnlyForceRecursive"
            )
        if options.read_only_non_recursive:
            flags.append(READ_ONLY_TOP)
        if options.read_only_force_recursive:
            flags.append(READ_ONLY_ALL)
    return MountRecord(
        type="bind",
        source=posixpath.normpath(mount.source),
        destination=destination,
        read_write=not mount.read_only,
        propagation=propagation or "rprivate",
        options=flags if "create" in flags else [*flags, "required"],
    )


def _volume_mount(mount: Mount, destination: str, wrong: str) -> MountRecord:
    _refuse_options(mount, wrong, "BindOptions", "ImageOptions", "TmpfsOptions")
    options = mount.volume_options
    subpath = options.subpath if options else ""
    _check_subpath(subpath, wrong)
    driver = options.driver_config.name if options and options.driver_config else ""
    return MountRecord(
        type="volume",
        name=mount.source,
        destination=destination,
        driver=driver or "local",
        mode="z",
        read_write=not mount.read_only,
        subpath=subpath,
        copy_up=not (options and options.no_copy),
    )


def _image_mount(mount: Mount, destination: str, wrong: str) -> MountRecord:
    _refuse_options(mount, wrong, "BindOptions", "VolumeOptions", "TmpfsOptions")
    if not mount.source:
        raise InvalidInputError(f"{wrong}: field Source must not be empty")
    subpath = mount.image_options.subpath if mount.image_options else ""
    _check_subpath(subpath, wrong)
    return MountRecord(
        type="image",
        name=mount.source,
        destination=destination,
        read_write=False,
        subpath=subpath,
    )


def _tmpfs_mount(mount: Mount, destination: str, wrong: str) -> MountRecord:
    if mount.source:
        raise InvalidInputError(f"{wrong}: field Source must not be specified")
    _refuse_options(mount, wrong, "BindOptions", "VolumeOptions", "ImageOptions")
    options = []
    if mount.tmpfs_options:
        if mount.tmpfs_options.size_bytes < 0:
            raise InvalidInputError(f"{wrong}: size must not be negative")
        if mount.tmpfs_options.size_bytes:
            options.append(f"size={mount.tmpfs_options.size_bytes}")
        if mount.tmpfs_options.mode:
            options.append(f"mode={mount.tmpfs_options.mode:o}")
        options += ["=".join(pair) for pair in mount.tmpfs_options.options or ()]
    if mount.read_only:
        options.append("ro")
    tmpfs_options(options)
    return MountRecord(
        type="tmpfs", destination=destination, read_write=not mount.read_only, options=options
    )


def _tmpfs(destination: str, options: str) -> MountRecord:
    words = [word for word in options.split(",") if word]
    return MountRecord(
        type="tmpfs",
        destination=_clean(destination),
        mode=options,
        read_write="ro" not in words,
        options=words,
    )


def _clean(path: str, wrong: str = "") -> str:
    prefix = f"{wrong}: " if wrong else ""
    if not path.startswith("/"):
        raise InvalidInputError(f"{prefix}invalid mount path: '{path}' mount path must be absolute")
    cleaned = posixpath.normpath(path)
    if cleaned in ("/", "//"):
        raise InvalidInputError(f"{prefix}invalid specification: destination can't be '/'")
    return cleaned
