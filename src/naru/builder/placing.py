"""Copying sources into the root of an image that is being built.

Names and links of both sides are resolved by the kernel inside their roots. Owners, modes, times,
attributes, hard links and devices come along, unless the step says otherwise; sockets stay.
Blocks on the disk. A failure leaves a part: throw the target away.

Spec: Dockerfile reference, "COPY"; moby, builder/dockerfile/copy.go, performCopyForInfo.
"""

from __future__ import annotations

import contextlib
import errno
import os
import posixpath
import stat
from dataclasses import dataclass, field

from naru.builder.checksum import Directories, open_plain, place_of, walk
from naru.builder.sources import Source
from naru.dockerfile.ignorefile import IgnoreRules
from naru.errors import FaultError, InvalidInputError, NaruError
from naru.linux import fs, safe_path, xattr

Owner = tuple[int, int]

_CHUNK = 1 << 30
_MAX_LINKS = 40
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NOT_HERE = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF)
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_OURS = (errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, *_DISK_FULL)


@dataclass(slots=True)
class _Copying:
    """One directory on its way: both sides, and where files with several names went first."""

    origin: Directories
    target: Directories
    first_names: dict[tuple[int, int], bytes] = field(default_factory=dict)


class Placing:
    """Puts sources into one root, the way that one step asks for.

    `owner` of None keeps that of each source; what has to be made on the way is root's then.
    `mode` of None keeps the mode.
    """

    def __init__(
        self, root: int, rules: IgnoreRules, *, owner: Owner | None, mode: int | None
    ) -> None:
        self._root = root
        self._rules = rules
        self._owner = owner
        self._mode = mode

    def put(self, source: Source, destination: str) -> None:
        """Copy one source to an absolute path; with a slash at its end that is a directory.

        What is in the way of a file is replaced; directories are merged.

        Raises:
            InvalidInputError: the destination cannot be such.
            FaultError: the disk is full or fails.
        """
        try:
            if source.is_directory:
                self._put_directory(source, destination)
            else:
                self._put_file(source, destination)
        except OSError as error:
            raise copy_failure(error, destination) from error

    def make_directory(self, path: str, owner: Owner = (0, 0)) -> int:
        """Open a directory, made with all parents that are missing; what is made is `owner`'s.

        A link that leads nowhere is followed: what it leads to is made.

        Raises:
            OSError: something on the way is no directory, or the disk fails.
        """
        return self._make_directory(path, owner, _MAX_LINKS)

    def _make_directory(self, path: str, owner: Owner, links: int) -> int:
        prefix = ""
        for name in [part for part in path.split("/") if part]:
            parent, prefix = prefix, f"{prefix}/{name}"
            try:
                os.close(safe_path.open_at(self._root, prefix, _DIRECTORY))
            except FileNotFoundError:
                self._make_one(parent, name, owner, links)
        return safe_path.open_at(self._root, prefix, _DIRECTORY)

    def _make_one(self, parent: str, name: str, owner: Owner, links: int) -> None:
        above = safe_path.open_at(self._root, parent, _DIRECTORY)
        try:
            os.mkdir(name, 0o755, dir_fd=above)
            made = os.open(name, _DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
            try:
                os.fchown(made, *owner)
                # The process's umask has no say here.
                os.fchmod(made, 0o755)
            finally:
                os.close(made)
        except FileExistsError as error:
            # The kernel did not find it, so it is a link.
            if not links:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from error
            place = os.fsdecode(b"/".join((b"", *filter(None, place_of(self._root, above)))))
            target = posixpath.join(place, os.readlink(name, dir_fd=above))
            os.close(self._make_directory(posixpath.normpath(target), owner, links - 1))
        finally:
            os.close(above)

    def _put_directory(self, source: Source, destination: str) -> None:
        with contextlib.ExitStack() as opened:
            origin = safe_path.open_at(source.tree.root, source.path, _DIRECTORY)
            opened.callback(os.close, origin)
            is_new = not self._is_there(destination)
            target = self.make_directory(destination)
            opened.callback(os.close, target)
            if is_new and self._owner is not None:
                # As in Docker the directory is the owner's, and root's what leads to it.
                os.fchown(target, *self._owner)
            copying = _Copying(
                opened.enter_context(Directories(origin)), opened.enter_context(Directories(target))
            )
            directories: list[tuple[bytes, os.stat_result]] = []
            for path, status in walk(origin, self._rules):
                if stat.S_ISDIR(status.st_mode):
                    directories.append((path, status))
                self._copy(copying, target, path, status)
            for path, status in reversed(directories):
                self._finish(target, path, status)

    def _is_there(self, path: str) -> bool:
        try:
            os.close(safe_path.open_at(self._root, path, os.O_PATH))
        except FileNotFoundError:
            return False
        return True

    def _copy(self, copying: _Copying, target: int, path: bytes, status: os.stat_result) -> None:
        parent, _, name = path.rpartition(b"/")
        above, below = copying.origin.open(parent), copying.target.open(parent)
        identity = (status.st_dev, status.st_ino)
        if stat.S_ISDIR(status.st_mode):
            self._copy_directory(above, below, name, status)
        elif status.st_nlink > 1 and identity in copying.first_names:
            fs.remove_at(below, name)
            os.link(copying.first_names[identity], name, src_dir_fd=target, dst_dir_fd=below)
        elif not stat.S_ISSOCK(status.st_mode):
            self._copy_file(above, name, below, name)
            if status.st_nlink > 1:
                copying.first_names[identity] = path

    def _copy_directory(self, above: int, below: int, name: bytes, status: os.stat_result) -> None:
        try:
            os.mkdir(name, 0o755, dir_fd=below)
        except FileExistsError:
            there = os.stat(name, dir_fd=below, follow_symlinks=False)
            if not stat.S_ISDIR(there.st_mode):
                fs.remove_at(below, name)
                os.mkdir(name, 0o755, dir_fd=below)
        self._dress(above, name, below, name, status)

    def _finish(self, target: int, path: bytes, status: os.stat_result) -> None:
        """Set the time of a directory, which everything that was put into it has changed."""
        made = open_plain(target, path)
        try:
            os.utime(made, ns=(status.st_atime_ns, status.st_mtime_ns))
        finally:
            os.close(made)

    def _put_file(self, source: Source, destination: str) -> None:
        destination = self._file_path(source, destination)
        parent, _, name = destination.rpartition("/")
        with contextlib.ExitStack() as opened:
            below = self.make_directory(parent, self._owner or (0, 0))
            opened.callback(os.close, below)
            link = safe_path.open_at(source.tree.root, source.path, os.O_PATH)
            opened.callback(os.close, link)
            origin, last = place_of(source.tree.root, link)
            above = open_plain(source.tree.root, origin)
            opened.callback(os.close, above)
            self._copy_file(above, last, below, os.fsencode(name))

    def _file_path(self, source: Source, destination: str) -> str:
        """Return where a file goes: into a directory, through a link, or just there."""
        is_directory = destination.endswith("/")
        try:
            found = safe_path.open_at(self._root, destination.rstrip("/"), os.O_PATH)
        except FileNotFoundError:
            pass
        else:
            try:
                is_directory = is_directory or stat.S_ISDIR(os.fstat(found).st_mode)
                if not is_directory:
                    parent, name = place_of(self._root, found)
                    return "/" + os.fsdecode(parent + b"/" + name)
            finally:
                os.close(found)
        return f"{destination.rstrip('/')}/{source.name}" if is_directory else destination

    def _copy_file(self, above: int, name: bytes, below: int, new_name: bytes) -> None:
        status = os.stat(name, dir_fd=above, follow_symlinks=False)
        fs.remove_at(below, new_name)
        if stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(name, dir_fd=above), new_name, dir_fd=below)
        elif stat.S_ISREG(status.st_mode):
            _copy_content(above, name, below, new_name)
        else:
            os.mknod(new_name, status.st_mode, status.st_rdev, dir_fd=below)
        self._dress(above, name, below, new_name, status)
        times = (status.st_atime_ns, status.st_mtime_ns)
        os.utime(new_name, ns=times, dir_fd=below, follow_symlinks=False)

    def _dress(
        self, above: int, name: bytes, below: int, new_name: bytes, status: os.stat_result
    ) -> None:
        """Give a copy its owner, its mode and its attributes."""
        owner = self._owner or (status.st_uid, status.st_gid)
        os.chown(new_name, *owner, dir_fd=below, follow_symlinks=False)
        if not stat.S_ISLNK(status.st_mode):
            # After the owner: changing that takes set-user-id bits away.
            mode = stat.S_IMODE(status.st_mode) if self._mode is None else self._mode
            os.chmod(new_name, mode, dir_fd=below)
        for attribute, value in xattr.read_all(xattr.path_at(above, name)).items():
            if not attribute.startswith(("trusted.overlay.", "user.overlay.")):
                xattr.set_at(below, new_name, os.fsencode(attribute), value)


def _copy_content(above: int, name: bytes, below: int, new_name: bytes) -> None:
    with contextlib.ExitStack() as opened:
        reader = os.open(name, _READ | os.O_NOFOLLOW, dir_fd=above)
        opened.callback(os.close, reader)
        writer = os.open(new_name, _WRITE, 0o600, dir_fd=below)
        opened.callback(os.close, writer)
        try:
            while os.copy_file_range(reader, writer, _CHUNK):
                pass
        except OSError as error:
            if error.errno not in _NOT_HERE:
                raise
            while os.sendfile(writer, reader, None, _CHUNK):
                pass


def copy_failure(error: OSError, destination: str) -> NaruError:
    """Tell a broken disk from a destination that cannot be."""
    number = error.errno or errno.EIO
    message = f"failed to copy files: {destination}: {os.strerror(number).lower()}"
    if number in _OURS:
        hint = "the disk is full; remove images or add space" if number in _DISK_FULL else ""
        return FaultError(message, hint=hint)
    return InvalidInputError(message)
