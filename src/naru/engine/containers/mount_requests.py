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
from naru.errors import InvalidInputError, NotSupportedError
from naru.ids import is_valid_name

_PROPAGATIONS = frozenset({"private", "rprivate", "shared", "rshared", "slave", "rslave"})
_LABELS = frozenset({"z", "Z"})
_CONSISTENCIES = frozenset({"consistent", "cached", "delegated"})


def wanted_mounts(
    config: ContainerConfig, host_config: HostConfig, inherited: Iterable[MountRecord] = ()
) -> list[MountRecord]:
    """Return the mounts that a request asks for; volumes may still lack a name.

    `inherited` come from `--volumes-from`: what the request names itself replaces them, and both
    come before the volumes that the image declares.

    Raises:
        InvalidInputError: a mount is malformed, or two have one destination.
        NotSupportedError: its type or an option of it is none of ours.
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
    if not 2 <= len(parts) <= 3 or not parts[0] or not parts[1]:
        if len(parts) == 1 and parts[0].startswith("/"):
            return MountRecord(
                type="volume", destination=_clean(text, wrong), driver="local", copy_up=True
            )
        raise InvalidInputError(wrong)
    source = parts[0]
    kind = "bind" if source.startswith("/") else "volume"
    destination = _clean(parts[1], f'{wrong}: invalid mount config for type "{kind}"')
    mode = parts[2] if len(parts) == 3 else ""
    options = [option for option in mode.split(",") if option]
    read_write, propagation = _bind_options(options, text)
    if source.startswith("/"):
        if "nocopy" in options:
            raise InvalidInputError(wrong)
        return MountRecord(
            type="bind",
            source=posixpath.normpath(source),
            destination=destination,
            mode=mode,
            read_write=read_write,
            propagation=propagation or "rprivate",
        )
    if not is_valid_name(source):
        raise InvalidInputError(
            f'{wrong}: create {source}: "{source}" includes invalid characters for a local '
            'volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass '
            "a host directory, use absolute path"
        )
    if propagation:
        raise InvalidInputError(wrong)
    return MountRecord(
        type="volume",
        name=source,
        destination=destination,
        driver="local",
        mode=mode or "z",
        read_write=read_write,
        copy_up="nocopy" not in options,
    )


def _bind_options(options: list[str], text: str) -> tuple[bool, str]:
    read_write, propagation, seen = True, "", set[str]()
    for option in options:
        if option in ("ro", "rw"):
            kind = "access"
            read_write = option == "rw"
        elif option in _PROPAGATIONS:
            kind, propagation = "propagation", option
        elif option in _LABELS:
            kind = "label"
        elif option in _CONSISTENCIES:
            kind = "consistency"
        elif option == "nocopy":
            kind = "copy"
        else:
            raise InvalidInputError(
                f"invalid volume specification: '{text}': invalid mode: {option}"
            )
        if kind in seen:
            raise InvalidInputError(
                f"invalid volume specification: '{text}': invalid mode: {option}"
            )
        seen.add(kind)
    return read_write, propagation


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
        case "image" | "npipe" | "cluster":
            raise NotSupportedError(f"{wrong}: mounts of this type are not supported")
        case _:
            raise InvalidInputError(f'mount type unknown: "{mount.type}"')


def _bind_mount(mount: Mount, destination: str, wrong: str) -> MountRecord:
    if not mount.source:
        raise InvalidInputError(f"{wrong}: field Source must not be empty")
    if not mount.source.startswith("/"):
        raise InvalidInputError(
            f"{wrong}: invalid mount path: '{mount.source}' mount path must be absolute"
        )
    if mount.volume_options or mount.tmpfs_options or mount.image_options:
        raise InvalidInputError(f"{wrong}: options of another type are given")
    options = mount.bind_options
    propagation = options.propagation if options else ""
    if propagation and propagation not in _PROPAGATIONS:
        raise InvalidInputError(f"{wrong}: invalid propagation mode: {propagation}")
    flags = []
    if options and options.non_recursive:
        flags.append("bind")
    if options and options.create_mountpoint:
        flags.append("create")
    if options and options.read_only_force_recursive:
        raise NotSupportedError(f"{wrong}: recursive read-only mounts are not supported")
    return MountRecord(
        type="bind",
        source=posixpath.normpath(mount.source),
        destination=destination,
        read_write=not mount.read_only,
        propagation=propagation or "rprivate",
        options=flags or ["required"],
    )


def _volume_mount(mount: Mount, destination: str, wrong: str) -> MountRecord:
    if mount.bind_options or mount.tmpfs_options or mount.image_options:
        raise InvalidInputError(f"{wrong}: options of another type are given")
    options = mount.volume_options
    if mount.source and not is_valid_name(mount.source):
        raise InvalidInputError(
            f'create {mount.source}: "{mount.source}" includes invalid characters for a local '
            'volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass '
            "a host directory, use absolute path"
        )
    subpath = options.subpath if options else ""
    if subpath.startswith("/") or ".." in subpath.split("/"):
        raise InvalidInputError(f"{wrong}: subpath must be a relative path within the volume")
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


def _tmpfs_mount(mount: Mount, destination: str, wrong: str) -> MountRecord:
    if mount.source:
        raise InvalidInputError(f"{wrong}: field Source must not be specified")
    if mount.bind_options or mount.volume_options or mount.image_options:
        raise InvalidInputError(f"{wrong}: options of another type are given")
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
    return MountRecord(
        type="tmpfs", destination=destination, read_write=not mount.read_only, options=options
    )


def _tmpfs(destination: str, options: str) -> MountRecord:
    words = [word for word in options.split(",") if word]
    return MountRecord(
        type="tmpfs",
        destination=_clean(destination, f"invalid tmpfs specification: '{destination}'"),
        mode=options,
        read_write="ro" not in words,
        options=words,
    )


def _clean(path: str, wrong: str) -> str:
    if not path.startswith("/"):
        raise InvalidInputError(
            f"{wrong}: invalid mount path: '{path}' mount path must be absolute"
        )
    cleaned = posixpath.normpath(path)
    if cleaned in ("/", "//"):
        raise InvalidInputError(f"{wrong}: invalid specification: destination can't be '/'")
    return cleaned
