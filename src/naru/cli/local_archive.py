"""A local file or tree as the tar stream of `cp`: what is there, in the order of names.

Links are kept as links, sockets are left out, and a file has the size that it had at first.
"""

from __future__ import annotations

import os
import stat
import tarfile

from naru.cli.failure import CommandFailedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK = 1 << 18
_BLOCK = 512
_END = bytes(2 * _BLOCK)
_CAPABILITY = "security.capability"
_KINDS = {
    stat.S_IFREG: tarfile.REGTYPE,
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFCHR: tarfile.CHRTYPE,
    stat.S_IFBLK: tarfile.BLKTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
}


def archive(path: str, name: str, *, keeps_owners: bool) -> Iterator[bytes]:
    """Yield the archive of `path` and all below it, under `name`.

    Without `keeps_owners` everything in it belongs to root.

    Raises:
        CommandFailedError: something cannot be read.
    """
    seen: dict[tuple[int, int], str] = {}
    pending = [(path, name)]
    try:
        while pending:
            here, shown = pending.pop()
            status = os.lstat(here)
            yield from _entry(here, shown, status, seen, keeps_owners=keeps_owners)
            if stat.S_ISDIR(status.st_mode):
                names = sorted(map(os.fsencode, os.listdir(here)), reverse=True)
                pending += [
                    (f"{here}/{child}", f"{shown.rstrip('/')}/{child}")
                    for child in map(os.fsdecode, names)
                ]
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CommandFailedError(f"open {error.filename or path}: {reason}") from error
    yield _END


def _entry(
    path: str,
    name: str,
    status: os.stat_result,
    seen: dict[tuple[int, int], str],
    *,
    keeps_owners: bool,
) -> Iterator[bytes]:
    kind = _KINDS.get(stat.S_IFMT(status.st_mode))
    if kind is None:
        return
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.mtime = kind, stat.S_IMODE(status.st_mode), int(status.st_mtime)
    if keeps_owners:
        info.uid, info.gid = status.st_uid, status.st_gid
    if kind == tarfile.SYMTYPE:
        info.linkname = os.readlink(path)
    elif kind in (tarfile.CHRTYPE, tarfile.BLKTYPE):
        info.devmajor, info.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)
    if kind != tarfile.DIRTYPE and status.st_nlink > 1:
        first = seen.setdefault((status.st_dev, status.st_ino), name)
        if first != name:
            info.type, info.linkname = tarfile.LNKTYPE, first
    if info.type != tarfile.REGTYPE:
        yield info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
        return
    _add_capability(info, path)
    with open(path, "rb", buffering=0, opener=_opener) as file:
        info.size = status.st_size
        yield info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
        left = info.size
        while left and (piece := file.read(min(left, _CHUNK))):
            left -= len(piece)
            yield piece
    while left:
        gap = bytes(min(left, _CHUNK))
        left -= len(gap)
        yield gap
    yield bytes(-info.size % _BLOCK)


def _opener(path: str, flags: int) -> int:
    # What was a file a moment ago must not hold us up if it is a fifo now.
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def _add_capability(info: tarfile.TarInfo, path: str) -> None:
    try:
        value = os.getxattr(path, _CAPABILITY, follow_symlinks=False)
    except OSError:
        return
    info.pax_headers = {f"SCHILY.xattr.{_CAPABILITY}": value.decode("utf-8", "surrogateescape")}
