"""The directory tree that a layer is applied to: names to descriptors, removal, bookkeeping.

Every path is resolved by the kernel below the root. Descriptors of parent directories are kept,
since neighbours in an archive are neighbours in the tree; whatever could change where a name
leads drops them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from naru.errors import ConflictError
from naru.linux import fs, safe_path

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY
_PLAIN = safe_path.RESOLVE_NO_SYMLINKS | safe_path.RESOLVE_BENEATH
_MAX_OPEN = 64


class NeedsParentError(ConflictError):
    """A layer refers to what is below it, and must be applied to its parent's merged view."""


class Tree:
    """A root directory, and what one layer has put below it.

    With `alone`, the root holds this layer's files only, and what is below it is not known;
    without, it is the merged view.
    """

    def __init__(self, root: int, *, alone: bool = False) -> None:
        self.root = root
        self.has_removed = False
        """Whether anything had to go that was there before."""
        self._alone = alone
        self._open: dict[bytes, tuple[int, bytes]] = {b"": (root, b"")}
        self._placed: set[bytes] = set()
        self._placed_below: set[bytes] = set()

    def close(self) -> None:
        """Close all descriptors but the root's own."""
        self._forget()

    def _known(self, path: bytes) -> tuple[int, bytes] | None:
        found = self._open.pop(path, None)
        if found is not None:
            # The latest used is the last to be closed.
            self._open[path] = found
        return found

    def existing(self, path: bytes) -> tuple[int, bytes]:
        """Return a descriptor of the directory `path`, and its path without links.

        The descriptor stays valid until the next removal or the next call but a few.

        Raises:
            OSError: ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG as open(2).
        """
        if (known := self._known(path)) is not None:
            return known
        try:
            found = safe_path.openat2(self.root, path, _DIRECTORY, 0, _PLAIN), path
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            found = self._through_links(path)
        self._keep(path, found)
        return found

    def adopt(self, path: bytes, descriptor: int) -> None:
        """Take over a descriptor of the directory `path`, whose parents are no links."""
        if path in self._open:
            os.close(descriptor)
        else:
            self._keep(path, (descriptor, path))

    def _keep(self, path: bytes, found: tuple[int, bytes]) -> None:
        if len(self._open) >= _MAX_OPEN:
            self._forget_oldest()
        self._open[path] = found

    def _through_links(self, path: bytes) -> tuple[int, bytes]:
        descriptor = safe_path.open_at(self.root, path, _DIRECTORY)
        root, place = self._path_of(self.root), self._path_of(descriptor)
        while root != (again := self._path_of(self.root)):
            # Paths of a detached mount get shorter when the kernel has dropped where it was made.
            root, place = again, self._path_of(descriptor)
        prefix = root.rstrip(b"/") + b"/"
        return descriptor, place.removeprefix(prefix) if place.startswith(prefix) else b""

    @staticmethod
    def _path_of(descriptor: int) -> bytes:
        return os.readlink(b"/proc/self/fd/%d" % descriptor)

    def parent(self, path: bytes) -> tuple[int, bytes]:
        """Do as `existing` does, and make what is missing.

        Spec: image-spec v1.1, layer.md, lets an archive leave out parents.
        """
        if (known := self._known(path)) is not None:
            return known
        with contextlib.suppress(FileNotFoundError):
            return self.existing(path)
        self.require_parent(path)
        os.close(safe_path.make_dirs_at(self.root, path))
        return self.existing(path)

    def require_parent(self, path: bytes) -> None:
        """Call where `path` is looked for below: a layer that is alone cannot know it.

        Raises:
            NeedsParentError: `path` may be there.
        """
        if self._alone:
            raise NeedsParentError(f"layer: {path!r} is not among its entries")

    def mark(self, path: bytes, parent: bytes) -> None:
        """Remember that the layer itself has put `path` into the directory `parent`."""
        self._placed.add(path)
        while parent and parent not in self._placed_below:
            self._placed_below.add(parent)
            parent = parent.rpartition(b"/")[0]

    def is_directory(self, parent: int, name: bytes) -> bool:
        """Say whether `name` is a directory and no link to one."""
        try:
            return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
        except FileNotFoundError:
            return False

    def remove(self, parent: int, name: bytes) -> None:
        """Delete a file, a link or a whole tree; `parent` stays valid. Idempotent."""
        try:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return
        if stat.S_ISDIR(status.st_mode) or stat.S_ISLNK(status.st_mode):
            # Names may lead elsewhere from now on.
            self._forget(keep=parent)
        self.has_removed = True
        fs.remove_at(parent, name)

    def hide(self, parent: int, parent_path: bytes, name: bytes) -> None:
        """Apply a whiteout: delete `name`, other than what the layer itself has put there."""
        path = parent_path + b"/" + name if parent_path else name
        if path not in self._placed and path not in self._placed_below:
            self.remove(parent, name)
        elif self.is_directory(parent, name):
            self.hide_children(path)

    def hide_children(self, path: bytes) -> None:
        """Apply an opaque whiteout to the directory `path`, at any depth."""
        pending = [path]
        while pending:
            path = pending.pop()
            directory, _ = self.existing(path)
            for name in map(os.fsencode, os.listdir(directory)):
                child = path + b"/" + name if path else name
                if child not in self._placed and child not in self._placed_below:
                    self.remove(directory, name)
                elif self.is_directory(directory, name):
                    pending.append(child)

    def _forget(self, keep: int = -1) -> None:
        kept = {b"": (self.root, b"")}
        for path, (descriptor, place) in self._open.items():
            if descriptor == keep:
                kept[path] = (descriptor, place)
            elif descriptor != self.root:
                os.close(descriptor)
        self._open = kept

    def _forget_oldest(self) -> None:
        for path in list(self._open)[: _MAX_OPEN // 2]:
            if path:
                os.close(self._open.pop(path)[0])
