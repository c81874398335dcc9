"""The options of a local volume, read as mount(8) reads them. Pure.

Spec: mount(8), filesystem-independent mount options; Docker's local volume driver.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from naru.errors import InvalidInputError
from naru.linux.mount import MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_REC, Mount
from naru.units import parse_bytes

_SIZE = "size"
_KNOWN = frozenset({"type", "o", "device", _SIZE})
_REQUIRED = ("device", "type")
_NETWORKED = frozenset({"nfs", "nfs4", "cifs"})
_ADDRESS = "addr="
_MS_SYNCHRONOUS, _MS_DIRSYNC, _MS_NOATIME, _MS_NODIRATIME = 0x10, 0x80, 0x400, 0x800
_MS_RELATIME, _MS_STRICTATIME = 1 << 21, 1 << 24
_SET = {
    "bind": MS_BIND,
    "rbind": MS_BIND | MS_REC,
    "ro": MS_RDONLY,
    "nosuid": MS_NOSUID,
    "nodev": MS_NODEV,
    "noexec": MS_NOEXEC,
    "sync": _MS_SYNCHRONOUS,
    "dirsync": _MS_DIRSYNC,
    "noatime": _MS_NOATIME,
    "nodiratime": _MS_NODIRATIME,
    "relatime": _MS_RELATIME,
    "strictatime": _MS_STRICTATIME,
}
_CLEAR = {
    "rw": MS_RDONLY,
    "suid": MS_NOSUID,
    "dev": MS_NODEV,
    "exec": MS_NOEXEC,
    "async": _MS_SYNCHRONOUS,
    "atime": _MS_NOATIME,
    "diratime": _MS_NODIRATIME,
    "norelatime": _MS_RELATIME,
    "nostrictatime": _MS_STRICTATIME,
    "defaults": 0,
}


def check_options(options: Mapping[str, str]) -> None:
    """Refuse what is no option of a local volume.

    Raises:
        InvalidInputError: in Docker's words.
    """
    for name in options:
        if name not in _KNOWN:
            raise InvalidInputError(f'invalid option: "{name}"')
    if not is_plain(options):
        for name in _REQUIRED:
            if not options.get(name):
                raise InvalidInputError(f'missing required option: "{name}"')


def is_plain(options: Mapping[str, str]) -> bool:
    """Say whether the content is a directory of the volume's own, and no mount."""
    return not set(options) - {_SIZE}


def quota_of(options: Mapping[str, str]) -> int:
    """Return how many bytes the content may take; 0 where there is no such limit.

    Raises:
        InvalidInputError: no size, in Docker's words.
    """
    text = options.get(_SIZE, "")
    return parse_bytes(text) if text else 0


def shown(mount: Mount, target: str) -> str:
    """Return a mount as errors show it, in Docker's words and without passwords."""
    words = [
        "password=********" if word.startswith("password=") else word
        for word in mount.data.split(",")
    ]
    parts = [f"mount {mount.source}:{target}"]
    if mount.flags:
        parts.append(f"flags: {mount.flags:#x}")
    if mount.data:
        parts.append(f"data: {','.join(words)}")
    return ", ".join(parts)


def resolved(mount: Mount, resolve: Callable[[str], str]) -> Mount:
    """Return the mount of a network file system with a number for its server's name.

    The kernel does not ask name servers; mount(8) and dockerd do it for it.

    Raises as `resolve` does.
    """
    if mount.type not in _NETWORKED:
        return mount
    words = mount.data.split(",")
    for number, word in enumerate(words):
        if word.startswith(_ADDRESS):
            words[number] = _ADDRESS + resolve(word.removeprefix(_ADDRESS))
    return replace(mount, data=",".join(words))


def mount_of(options: Mapping[str, str]) -> Mount | None:
    """Return the mount that holds the volume's content; None when it is a directory of its own."""
    if is_plain(options):
        return None
    flags, data = 0, []
    for word in filter(None, options.get("o", "").split(",")):
        if word in _SET:
            flags |= _SET[word]
        elif word in _CLEAR:
            flags &= ~_CLEAR[word]
        else:
            data.append(word)
    kind = "bind" if flags & MS_BIND else options["type"]
    return Mount(type=kind, source=options["device"], flags=flags, data=",".join(data))
