"""A layer's tar onto a directory tree, hostile input assumed.

The target is the merged view of all layers below, so a deletion is a deletion; overlay makes its
own whiteouts of them. Nothing outside the target is read, written or linked to: every name is
resolved by the kernel with the target as its root. A failure leaves a partial tree: throw it
away. Blocks on the disk; runs on any thread.

Spec: image-spec v1.1, layer.md §Applying Changesets.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from naru.errors import CorruptDataError, FaultError, InvalidInputError, NaruError
from naru.linux import mount, xattr
from naru.linux.mount import Mount
from naru.store import tar_read, whiteout
from naru.store.tar_read import Entry, Readable, TarReader, show
from naru.store.tree import Tree

_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DEVICE_TYPES = {
    tar_read.CHARACTER: stat.S_IFCHR,
    tar_read.BLOCK_DEVICE: stat.S_IFBLK,
    tar_read.FIFO: stat.S_IFIFO,
}
# Nanoseconds. The kernel bounds times to what the filesystem can hold; Python wants 64 bits.
_MAX_TIME = 2**33 * 10**9
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_OURS = (errno.EIO, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM, *_DISK_FULL)


@dataclass(frozen=True, slots=True)
class Applied:
    """What a layer brought.

    `entries` counts the archive's entries, `size` the bytes of files and of symbolic links, as
    Docker does. `has_root` says whether there was an entry for the root directory itself.
    """

    entries: int
    size: int
    has_root: bool


def apply_to_mounts(stream: Readable, mounts: Sequence[Mount], *, alone: bool = False) -> Applied:
    """Apply a layer to a prepared snapshot. No mount is visible or left, even after a kill.

    With `alone`, the snapshot was prepared without the parent that it will get by
    `Snapshotter.rebase`. That suits layers that only add.

    Raises as `apply` does, and:
        NeedsParentError: with `alone`, the layer deletes, leaves out directories, or links to
            files of its parent. Begin again with the parent.
    """
    if len(mounts) == 1 and mounts[0].type == "bind" and not mounts[0].read_only:
        return apply(stream, Path(mounts[0].source), alone=alone)
    if alone:
        raise ValueError("a layer can be alone only in a snapshot without parents")
    with mount.detached(mounts) as root:
        return _Layer(stream, root).apply()


def apply(stream: Readable, target: Path, *, alone: bool = False) -> Applied:
    """Apply a layer to a directory, and read `stream` to its end.

    `stream` is a plain tar (or an empty stream, which is an empty layer). Owners, modes, times,
    attributes and devices are restored. Of two entries with one name the last one counts;
    whiteouts hide what was there before, never what the same layer brings.

    Raises:
        CorruptDataError: no valid tar, or cut off; the message names the entry.
        InvalidInputError: a name or link that leads out of the tree, or cannot be made.
        NotSupportedError: a sparse file, or an unknown kind of entry.
        FaultError: the disk is full or fails.
        NeedsParentError: see `apply_to_mounts`, as is `alone`.
    """
    root = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return _Layer(stream, root, alone=alone).apply()
    finally:
        os.close(root)


def clean_name(name: bytes) -> bytes:
    """Return a name without `.`, `..` and double slashes, relative to the root; "" is the root.

    Raises:
        InvalidInputError: it leads out of the root.
    """
    tidy = name.removeprefix(b"./")
    if not tidy.startswith((b".", b"/")) and b"/." not in tidy and b"//" not in tidy:
        return tidy.rstrip(b"/")
    parts: list[bytes] = []
    for part in name.split(b"/"):
        if part == b"..":
            if not parts:
                raise InvalidInputError(f"layer: {show(name)}: leads out of the root")
            parts.pop()
        elif part not in (b"", b"."):
            parts.append(part)
    return b"/".join(parts)


class _Layer:
    """One run of `apply`."""

    def __init__(self, stream: Readable, root: int, *, alone: bool = False) -> None:
        self._reader = TarReader(stream)
        self._tree = Tree(root, alone=alone)
        self._size = 0
        self._count = 0
        # What the process's umask takes away from a mode, and open(2) cannot be told to ignore.
        self._masked = _umask() | 0o7000
        self._directories: dict[bytes, Entry] = {}

    def apply(self) -> Applied:
        entry = None
        try:
            while (entry := self._reader.next()) is not None:
                self._count += 1
                self._place(entry)
            self._finish_directories()
            self._reader.drain()
        except OSError as error:
            raise _failure(entry, error) from error
        finally:
            self._tree.close()
        return Applied(entries=self._count, size=self._size, has_root=b"" in self._directories)

    def _place(self, entry: Entry) -> None:
        path = clean_name(entry.name)
        if not path:
            if entry.kind == tar_read.DIRECTORY:
                self._directories[b""] = entry
            return
        parent_path, _, name = path.rpartition(b"/")
        if name.startswith(whiteout.PREFIX):
            self._whiteout(parent_path, name)
            return
        parent, parent_path = self._tree.parent(parent_path)
        path = parent_path + b"/" + name if parent_path else name
        kind = entry.kind
        if kind == tar_read.REGULAR:
            self._file(entry, parent, name)
        elif kind == tar_read.DIRECTORY:
            self._directory(entry, parent, name)
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
            self._tree.remove(parent, name)
            descriptor = os.open(name, _FILE_FLAGS, mode, dir_fd=parent)
        try:
            if entry.size:
                self._reader.copy_to(descriptor)
                self._size += entry.size
            if entry.uid or entry.gid:
                os.fchown(descriptor, entry.uid, entry.gid)
            # A change of owner drops setuid, and writing to a file drops it as well.
            if mode & self._masked:
                os.fchmod(descriptor, mode)
            if entry.xattrs:
                self._set_xattrs(entry, parent, name)
            os.utime(descriptor, ns=_times(entry))
        finally:
            os.close(descriptor)

    def _directory(self, entry: Entry, parent: int, name: bytes) -> None:
        try:
            os.mkdir(name, entry.mode, dir_fd=parent)
        except FileExistsError:
            if not self._tree.is_directory(parent, name):
                self._tree.remove(parent, name)
                os.mkdir(name, entry.mode, dir_fd=parent)
            self._own(entry, parent, name)
            os.chmod(name, entry.mode, dir_fd=parent)
        else:
            if entry.uid or entry.gid:
                self._own(entry, parent, name)
            if entry.mode & self._masked:
                os.chmod(name, entry.mode, dir_fd=parent)
        if entry.xattrs:
            self._set_xattrs(entry, parent, name)

    def _hard_link(self, entry: Entry, parent: int, name: bytes) -> None:
        target_parent_path, _, target_name = clean_name(entry.link).rpartition(b"/")
        if not target_name:
            raise InvalidInputError(f"layer: {entry}: hard link to {show(entry.link)}")
        try:
            target_parent, _ = self._tree.existing(target_parent_path)
            target = os.stat(target_name, dir_fd=target_parent, follow_symlinks=False)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                raise
            self._tree.require_parent(entry.link)
            raise CorruptDataError(
                f"layer: {entry}: hard link to {show(entry.link)}, which is not there"
            ) from error
        if stat.S_ISDIR(target.st_mode):
            raise InvalidInputError(f"layer: {entry}: hard link to a directory")

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
            raise InvalidInputError(f"layer: {entry}: character device 0:0 is overlay's own")
        try:
            self._make_special(entry, parent, name)
        except FileExistsError:
            self._tree.remove(parent, name)
            self._make_special(entry, parent, name)
        if entry.uid or entry.gid:
            self._own(entry, parent, name)
        if entry.kind != tar_read.SYMLINK and entry.mode & self._masked:
            os.chmod(name, entry.mode, dir_fd=parent)
        if entry.xattrs:
            self._set_xattrs(entry, parent, name)
        os.utime(name, ns=_times(entry), dir_fd=parent, follow_symlinks=False)

    def _make_special(self, entry: Entry, parent: int, name: bytes) -> None:
        if entry.kind == tar_read.SYMLINK:
            os.symlink(entry.link, name, dir_fd=parent)
            self._size += len(entry.link)
            return
        device = os.makedev(entry.major, entry.minor)
        os.mknod(name, entry.mode | _DEVICE_TYPES[entry.kind], device, dir_fd=parent)

    def _whiteout(self, parent_path: bytes, name: bytes) -> None:
        hidden = whiteout.hidden_name(name)
        if hidden is None and name != whiteout.OPAQUE:
            return
        # Markers of our own would show as files where nothing is below them: the kernel hides
        # them in merged directories only.
        self._tree.require_parent(parent_path + b"/" + name)
        try:
            parent, parent_path = self._tree.existing(parent_path)
        except (FileNotFoundError, NotADirectoryError):
            return
        if hidden is None:
            self._tree.hide_children(parent_path)
        else:
            self._tree.hide(parent, parent_path, hidden)

    @staticmethod
    def _own(entry: Entry, parent: int, name: bytes) -> None:
        os.chown(name, entry.uid, entry.gid, dir_fd=parent, follow_symlinks=False)

    @staticmethod
    def _set_xattrs(entry: Entry, parent: int, name: bytes) -> None:
        for attribute, value in (entry.xattrs or {}).items():
            if not whiteout.is_overlay_xattr(attribute):
                xattr.set_at(parent, name, attribute, value)

    def _finish_directories(self) -> None:
        """Set the times of directories, which every entry in them has changed."""
        for path, entry in reversed(self._directories.items()):
            if not path:
                root = self._tree.root
                os.fchown(root, entry.uid, entry.gid)
                os.fchmod(root, entry.mode)
                self._set_xattrs(entry, root, b".")
                os.utime(root, ns=_times(entry))
                continue
            parent_path, _, name = path.rpartition(b"/")
            try:
                parent, parent_path = self._tree.existing(parent_path)
                if self._tree.is_directory(parent, name):
                    os.utime(name, ns=_times(entry), dir_fd=parent, follow_symlinks=False)
            except (FileNotFoundError, NotADirectoryError):
                # A later entry took its place.
                continue


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


def _failure(entry: Entry | None, error: OSError) -> NaruError:
    """Tell a broken disk from an entry that no disk could take."""
    number = error.errno or errno.EIO
    reason = os.strerror(number).lower()
    message = f"layer: {entry}: {reason}" if entry else f"layer: {reason}"
    if number in _DISK_FULL:
        return FaultError(message, hint="the disk is full; remove images or add space")
    return FaultError(message) if number in _OURS else InvalidInputError(message)
