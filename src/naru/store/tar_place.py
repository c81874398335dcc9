"""One entry of a tar onto a directory tree: files, directories, links and devices, with all they have.

Shared by layers and by archives that users copy into containers, whose processes may change the
tree meanwhile: every name is resolved by the kernel below the tree's root, and no link is followed
by its last name. Which entries are placed, and where, is for the callers to say. Blocks on the
disk.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

from naru.errors import CorruptDataError, FaultError, InvalidInputError, NaruError
from naru.linux import xattr
from naru.store import tar_read, whiteout
from naru.store.tar_read import Entry, TarReader, show
from naru.store.tree import Tree

_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NAMED = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_DEVICE_TYPES = {
    tar_read.CHARACTER: stat.S_IFCHR,
    tar_read.BLOCK_DEVICE: stat.S_IFBLK,
    tar_read.FIFO: stat.S_IFIFO,
}
# Nanoseconds. The kernel bounds times to what the filesystem can hold; Python wants 64 bits.
_MAX_TIME = 2**33 * 10**9
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_OURS = (errno.EIO, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM, *_DISK_FULL)


Owners = Callable[[int, int], tuple[int, int]]
"""From a user and a group to a user and a group."""


class EntryPlacer:
    """Puts the current entries of a reader into a tree, one after the other; then `finish`."""

    def __init__(
        self,
        reader: TarReader,
        tree: Tree,
        *,
        what: str,
        path_of_link: Callable[[bytes], bytes],
        owner: tuple[int, int] | None = None,
        on_host: Owners | None = None,
        keeps_mounted: bool = False,
    ) -> None:
        """Prepare; `what` begins the messages of errors, `path_of_link` finds hard links' targets.

        `owner` takes the place of what the entries say, and `on_host` says who that is here. With
        `keeps_mounted`, a file that cannot be replaced because it is mounted there gets new
        content instead.
        """
        self._reader = reader
        self._tree = tree
        self._what = what
        self._path_of_link = path_of_link
        self._owner = owner
        self._on_host = on_host
        self._keeps_mounted = keeps_mounted
        self.size = 0
        """Bytes of files and of symbolic links."""
        # What the process's umask takes away from a mode, and open(2) cannot be told to ignore.
        self._masked = _umask() | 0o7000
        self._directories: dict[bytes, Entry] = {}
        self._root: Entry | None = None

    @property
    def has_root(self) -> bool:
        """Whether `finish` will change the root directory itself."""
        return self._root is not None

    def keep_root(self, entry: Entry) -> None:
        """Note what the root directory is to be like."""
        self._root = entry

    def place(self, entry: Entry, path: bytes) -> None:
        """Make the entry at `path`, in place of what is there; missing parents are made.

        Raises:
            OSError: the kernel refuses; `failure` makes words of it.
            InvalidInputError, CorruptDataError: the entry cannot be.
        """
        parent_path, _, name = path.rpartition(b"/")
        parent, parent_path = self._tree.parent(parent_path)
        path = parent_path + b"/" + name if parent_path else name
        kind = entry.kind
        if kind == tar_read.REGULAR:
            self._file(entry, parent, name)
        elif kind == tar_read.DIRECTORY:
            self._directory(entry, parent, name, path)
            self._directories[path] = entry
        elif kind == tar_read.HARD_LINK:
            self._hard_link(entry, parent, name)
        else:
            self._special(entry, parent, name)
        self._tree.mark(path, parent_path)

    def _file(self, entry: Entry, parent: int, name: bytes) -> None:
        mode = entry.mode
        try:
            descriptor = os.open(name, _FILE_FLAGS, mode, dir_fd=parent)
        except FileExistsError:
            if not self._make_room(entry, parent, name):
                return
            descriptor = os.open(name, _FILE_FLAGS, mode, dir_fd=parent)
        try:
            if entry.size:
                self._reader.copy_to(descriptor)
                self.size += entry.size
            # Not even root's own: a directory may hand its group on.
            os.fchown(descriptor, *self._owner_of(entry))
            # A change of owner drops setuid, and writing to a file drops it as well.
            if mode & self._masked:
                os.fchmod(descriptor, mode)
            if entry.xattrs:
                self._set_xattrs(entry, parent, name)
            os.utime(descriptor, ns=_times(entry))
        finally:
            os.close(descriptor)

    def _make_room(self, entry: Entry, parent: int, name: bytes) -> bool:
        """Remove what is in the way; False if it could only be filled anew, and was."""
        try:
            self._tree.remove(parent, name)
        except OSError as error:
            if error.errno != errno.EBUSY or not self._keeps_mounted:
                raise
            self._fill_mounted(entry, parent, name, error)
            return False
        return True

    def _fill_mounted(self, entry: Entry, parent: int, name: bytes, busy: OSError) -> None:
        named = os.open(name, _NAMED, dir_fd=parent)
        try:
            if not stat.S_ISREG(os.fstat(named).st_mode):
                raise busy
            flags = os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC
            descriptor = os.open(b"/proc/self/fd/%d" % named, flags)
        finally:
            os.close(named)
        try:
            self._reader.copy_to(descriptor)
            self.size += entry.size
        finally:
            os.close(descriptor)

    def _directory(self, entry: Entry, parent: int, name: bytes, path: bytes) -> None:
        try:
            os.mkdir(name, entry.mode, dir_fd=parent)
        except FileExistsError:
            if not self._tree.is_directory(parent, name):
                self._tree.remove(parent, name)
                os.mkdir(name, entry.mode, dir_fd=parent)
        descriptor = os.open(name, _FOLDER, dir_fd=parent)
        try:
            os.fchown(descriptor, *self._owner_of(entry))
            os.fchmod(descriptor, entry.mode)
            if entry.xattrs:
                self._set_xattrs(entry, parent, name)
        except BaseException:
            os.close(descriptor)
            raise
        # What comes next is most often in it.
        self._tree.adopt(path, descriptor)

    def _hard_link(self, entry: Entry, parent: int, name: bytes) -> None:
        target_parent_path, _, target_name = self._path_of_link(entry.link).rpartition(b"/")
        if not target_name:
            raise InvalidInputError(f"{self._what}: {entry}: hard link to {show(entry.link)}")
        try:
            target_parent, _ = self._tree.existing(target_parent_path)
            target = os.stat(target_name, dir_fd=target_parent, follow_symlinks=False)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                raise
            self._tree.require_parent(entry.link)
            raise CorruptDataError(
                f"{self._what}: {entry}: hard link to {show(entry.link)}, which is not there"
            ) from error
        if stat.S_ISDIR(target.st_mode):
            raise InvalidInputError(f"{self._what}: {entry}: hard link to a directory")

        try:
            self._link(target_parent, target_name, parent, name)
        except FileExistsError:
            present = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if (present.st_dev, present.st_ino) == (target.st_dev, target.st_ino):
                return
            self._tree.remove(parent, name)
            target_parent, _ = self._tree.existing(target_parent_path)
            self._link(target_parent, target_name, parent, name)

    @staticmethod
    def _link(source: int, source_name: bytes, parent: int, name: bytes) -> None:
        os.link(source_name, name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)

    def _special(self, entry: Entry, parent: int, name: bytes) -> None:
        if entry.kind == tar_read.CHARACTER and entry.major == entry.minor == 0:
            raise InvalidInputError(f"{self._what}: {entry}: character device 0:0 is overlay's own")
        try:
            self._make_special(entry, parent, name)
        except FileExistsError:
            self._tree.remove(parent, name)
            self._make_special(entry, parent, name)
        self._own(entry, parent, name)
        if entry.kind != tar_read.SYMLINK and entry.mode & self._masked:
            _set_mode(parent, name, entry.mode)
        if entry.xattrs:
            self._set_xattrs(entry, parent, name)
        os.utime(name, ns=_times(entry), dir_fd=parent, follow_symlinks=False)

    def _make_special(self, entry: Entry, parent: int, name: bytes) -> None:
        if entry.kind == tar_read.SYMLINK:
            os.symlink(entry.link, name, dir_fd=parent)
            self.size += len(entry.link)
            return
        device = os.makedev(entry.major, entry.minor)
        os.mknod(name, entry.mode | _DEVICE_TYPES[entry.kind], device, dir_fd=parent)

    def _owner_of(self, entry: Entry) -> tuple[int, int]:
        owner = self._owner or (entry.uid, entry.gid)
        return self._on_host(*owner) if self._on_host else owner

    def _own(self, entry: Entry, parent: int, name: bytes) -> None:
        os.chown(name, *self._owner_of(entry), dir_fd=parent, follow_symlinks=False)

    @staticmethod
    def _set_xattrs(entry: Entry, parent: int, name: bytes) -> None:
        for attribute, value in (entry.xattrs or {}).items():
            if not whiteout.is_overlay_xattr(attribute):
                xattr.set_at(parent, name, attribute, value)

    def finish(self) -> None:
        """Set the times of directories, which every entry in them has changed.

        Raises:
            OSError: refused.
        """
        for path, entry in reversed(self._directories.items()):
            parent_path, _, name = path.rpartition(b"/")
            try:
                parent, parent_path = self._tree.existing(parent_path)
                if self._tree.is_directory(parent, name):
                    os.utime(name, ns=_times(entry), dir_fd=parent, follow_symlinks=False)
            except (FileNotFoundError, NotADirectoryError):
                # A later entry took its place.
                continue
        if self._root is not None:
            root = self._tree.root
            os.fchown(root, *self._owner_of(self._root))
            os.fchmod(root, self._root.mode)
            self._set_xattrs(self._root, root, b".")
            os.utime(root, ns=_times(self._root))


def failure(what: str, entry: Entry | None, error: OSError) -> NaruError:
    """Tell a broken disk from an entry that no disk could take."""
    number = error.errno or errno.EIO
    reason = os.strerror(number).lower()
    message = f"{what}: {entry}: {reason}" if entry else f"{what}: {reason}"
    if number in _DISK_FULL:
        return FaultError(message, hint="the disk is full; remove images or add space")
    return FaultError(message) if number in _OURS else InvalidInputError(message)


def _set_mode(parent: int, name: bytes, mode: int) -> None:
    """Change the mode of a name, but not of what a link that was put there leads to."""
    named = os.open(name, _NAMED, dir_fd=parent)
    try:
        if stat.S_ISLNK(os.fstat(named).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.fsdecode(name))
        os.chmod(b"/proc/self/fd/%d" % named, mode)
    finally:
        os.close(named)


def _umask() -> int:
    """Return the umask without setting it: other threads make files, too."""
    for line in Path("/proc/self/status").read_bytes().splitlines():
        if line.startswith(b"Umask:"):
            return int(line.split()[1], 8)
    return 0o777


def _times(entry: Entry) -> tuple[int, int]:
    moment = entry.mtime_ns
    if not -_MAX_TIME <= moment <= _MAX_TIME:
        moment = _MAX_TIME if moment > 0 else -_MAX_TIME
    return moment, moment
