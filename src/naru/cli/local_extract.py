"""The tar stream of `cp` onto this machine. It comes from a container, so it is hostile.

Nothing is read, written or linked to outside the directory that was asked for: every name is
walked from there by descriptors, and no link on the way is followed, whoever made it.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tarfile

from naru.cli.failure import CommandFailedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Protocol

    from naru.cli.copy_rules import Placement

    class Readable(Protocol):
        """A stream of bytes."""

        def read(self, size: int, /) -> bytes:
            """Return up to `size` bytes; nothing at the end."""


_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1 << 20
_XATTR = "SCHILY.xattr."
_CAPABILITY = "security.capability"
_DEVICES = {
    tarfile.CHRTYPE: stat.S_IFCHR,
    tarfile.BLKTYPE: stat.S_IFBLK,
    tarfile.FIFOTYPE: stat.S_IFIFO,
}


def extract(stream: Readable, placement: Placement, *, keeps_owners: bool) -> None:
    """Extract a tar as `placement` says.

    Files belong to whoever calls unless `keeps_owners`, which takes root.

    Raises:
        CommandFailedError: the archive is broken or leads out, or something is in the way.
    """
    try:
        root = os.open(placement.directory, _DIRECTORY & ~os.O_NOFOLLOW)
    except OSError as error:
        raise _failure(placement.directory, error) from error
    try:
        with tarfile.open(
            fileobj=stream,  # type: ignore[call-overload]  # a stream is only ever read
            mode="r|",
            bufsize=_CHUNK,
            errors="surrogateescape",
        ) as archive:
            _Extraction(archive, root, placement, keeps_owners=keeps_owners).run()
    except tarfile.TarError as error:
        raise CommandFailedError(f"unexpected EOF ({error})") from error
    finally:
        os.close(root)


class _Extraction:
    """One run of `extract`."""

    def __init__(
        self, archive: tarfile.TarFile, root: int, placement: Placement, *, keeps_owners: bool
    ) -> None:
        self._archive = archive
        self._root = root
        self._placement = placement
        self._keeps_owners = keeps_owners
        self._directories: list[tuple[list[str], tarfile.TarInfo]] = []

    def run(self) -> None:
        for info in self._archive:
            # Kept, they would fill the memory.
            self._archive.members = []  # type: ignore[attr-defined]  # not in the stubs
            parts = self._parts(info.name)
            if not parts:
                continue
            try:
                with self._opened(parts[:-1], makes=True) as parent:
                    self._place(info, parent, parts)
            except OSError as error:
                raise _failure(self._shown(parts), error) from error
        for parts, info in reversed(self._directories):
            with contextlib.suppress(OSError), self._opened(parts[:-1]) as parent:
                _set_times(info, parent, parts[-1])

    def _parts(self, name: str) -> list[str]:
        renamed = self._placement.renamed(name)
        parts = [part for part in renamed.split("/") if part not in ("", ".")]
        if ".." in parts:
            raise CommandFailedError(f'"{renamed}" is outside of "{self._placement.directory}"')
        return parts

    def _shown(self, parts: list[str]) -> str:
        return os.path.join(self._placement.directory, *parts)

    @contextlib.contextmanager
    def _opened(self, parts: list[str], *, makes: bool = False) -> Iterator[int]:
        """Open a directory below the root, through no link; make what is missing if asked to."""
        current = os.dup(self._root)
        try:
            for part in parts:
                if makes:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(part, 0o777, dir_fd=current)
                following = os.open(part, _DIRECTORY, dir_fd=current)
                os.close(current)
                current = following
            yield current
        finally:
            os.close(current)

    def _place(self, info: tarfile.TarInfo, parent: int, parts: list[str]) -> None:
        name = parts[-1]
        self._make_room(info, parent, parts)
        if info.isdir():
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=parent)
            self._directories.append((parts, info))
            self._finish(info, lambda: os.open(name, _DIRECTORY, dir_fd=parent))
        elif info.isreg():
            self._finish(info, lambda: self._file(info, parent, name))
            _set_times(info, parent, name)
        elif info.issym():
            os.symlink(info.linkname, name, dir_fd=parent)
            self._own(info, parent, name)
            _set_times(info, parent, name)
        elif info.islnk():
            self._hard_link(info, parent, name)
        elif info.type in _DEVICES:
            device = os.makedev(info.devmajor, info.devminor)
            os.mknod(name, info.mode | _DEVICES[info.type], device, dir_fd=parent)
            self._own(info, parent, name)
            _set_times(info, parent, name)
        else:
            raise CommandFailedError(f"{info.name}: unhandled tar header type {info.type!r}")

    def _make_room(self, info: tarfile.TarInfo, parent: int, parts: list[str]) -> None:
        """Remove what is in the way, but never a directory, nor anything for one."""
        try:
            status = os.stat(parts[-1], dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return
        there = stat.S_ISDIR(status.st_mode)
        if there != info.isdir():
            kinds = ("directory", "non-directory") if there else ("non-directory", "directory")
            raise CommandFailedError(
                f'cannot overwrite {kinds[0]} "{self._shown(parts)}" with {kinds[1]} '
                f'"{self._placement.directory}"'
            )
        if not there:
            os.unlink(parts[-1], dir_fd=parent)

    def _file(self, info: tarfile.TarInfo, parent: int, name: str) -> int:
        descriptor = os.open(name, _FILE, 0o600, dir_fd=parent)
        try:
            content = self._archive.extractfile(info)
            assert content is not None
            while piece := content.read(_CHUNK):
                view = memoryview(piece)
                while view:
                    view = view[os.write(descriptor, view) :]
            # A sparse file may end with a hole.
            os.ftruncate(descriptor, info.size)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _finish(self, info: tarfile.TarInfo, opened: Callable[[], int]) -> None:
        """Give a file or directory its owner, attributes and mode, in this order."""
        descriptor = opened()
        try:
            if self._keeps_owners:
                with contextlib.suppress(PermissionError):
                    os.fchown(descriptor, info.uid, info.gid)
            value = info.pax_headers.get(_XATTR + _CAPABILITY)
            if value is not None:
                with contextlib.suppress(OSError):
                    os.setxattr(descriptor, _CAPABILITY, value.encode("utf-8", "surrogateescape"))
            os.fchmod(descriptor, info.mode & 0o7777)
        finally:
            os.close(descriptor)

    def _own(self, info: tarfile.TarInfo, parent: int, name: str) -> None:
        if self._keeps_owners:
            with contextlib.suppress(PermissionError):
                os.chown(name, info.uid, info.gid, dir_fd=parent, follow_symlinks=False)

    def _hard_link(self, info: tarfile.TarInfo, parent: int, name: str) -> None:
        target = self._parts(info.linkname)
        if not target:
            raise CommandFailedError(f"{info.name}: hard link to {info.linkname}")
        with self._opened(target[:-1]) as directory:
            os.link(
                target[-1], name, src_dir_fd=directory, dst_dir_fd=parent, follow_symlinks=False
            )


def _set_times(info: tarfile.TarInfo, parent: int, name: str) -> None:
    with contextlib.suppress(OverflowError):
        os.utime(name, (info.mtime, info.mtime), dir_fd=parent, follow_symlinks=False)


def _failure(path: str, error: OSError) -> CommandFailedError:
    return CommandFailedError(f"{path}: {(error.strerror or str(error)).lower()}")
