"""A user's tar into a directory of a container, whose processes may change the tree meanwhile.

Unlike a layer it adds and replaces, and never hides: `.wh.` means nothing here. Where it goes, and
what its names and links lead to, stays below the container's root. What was placed before a
failure stays. Blocks on the disk and on the stream.

Spec: Engine API, PutContainerArchive; moby, pkg/archive, Unpack.
"""

from __future__ import annotations

import errno
import os
import stat

from naru.errors import CorruptDataError, ForbiddenError, InvalidInputError
from naru.store import tar_read
from naru.store.tar_apply import clean_name
from naru.store.tar_place import EntryPlacer, Owners, failure
from naru.store.tar_read import Entry, Readable
from naru.store.tar_sparse import SparseTarReader
from naru.store.tree import Tree


class ReadOnlyTreeError(ForbiddenError):
    """Where an entry was to go, nothing can be written; `path` says where, from the root."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path}: read-only file system")
        self.path = path


def extract(
    stream: Readable,
    root: int,
    directory: bytes,
    *,
    owner: tuple[int, int] | None = None,
    on_host: Owners | None = None,
    keeps_types: bool = False,
    restores_directory: bool = False,
    needs_end: bool = False,
) -> None:
    """Extract `stream`, a plain tar, into `directory` below the open directory `root`.

    `directory` is relative, and leads through no links; it is there already, and is left as it
    is but for what goes into it. `owner` takes the place of what the entries say; `on_host` says
    who that is here. `keeps_types` refuses to put a directory in the place of anything else, or
    the other way round. `restores_directory`, where that is the root, gives it what the archive
    says of it. `needs_end` takes an archive without its end marker for one that is cut off: between
    two entries nothing else tells.

    Raises:
        InvalidInputError: no valid tar, or cut off, or an entry that cannot be.
        NotSupportedError: a kind of entry that nobody defines.
        ReadOnlyTreeError: nothing can be written there.
        FaultError: the disk is full or fails.
    """
    _Extraction(
        stream,
        root,
        directory,
        owner,
        on_host,
        keeps_types=keeps_types,
        restores_root=restores_directory and not directory,
        needs_end=needs_end,
    ).run()


class _Extraction:
    """One run of `extract`."""

    def __init__(
        self,
        stream: Readable,
        root: int,
        directory: bytes,
        owner: tuple[int, int] | None,
        on_host: Owners | None,
        *,
        keeps_types: bool,
        restores_root: bool,
        needs_end: bool,
    ) -> None:
        self._reader = SparseTarReader(stream)
        self._tree = Tree(root)
        self._directory = directory
        self._keeps_types = keeps_types
        self._restores_root = restores_root
        self._needs_end = needs_end
        self._placer = EntryPlacer(
            self._reader,
            self._tree,
            what="archive",
            path_of_link=self._path,
            owner=owner,
            on_host=on_host,
            keeps_mounted=True,
        )

    def run(self) -> None:
        entry = None
        try:
            while (entry := self._reader.next()) is not None:
                path = self._path(entry.name)
                # The directory itself is there, and as a rule the archive's word does not count.
                if path == self._directory:
                    if self._restores_root and entry.kind == tar_read.DIRECTORY:
                        self._placer.keep_root(entry)
                else:
                    if self._keeps_types:
                        self._check_type(entry, path)
                    self._placer.place(entry, path)
            if self._needs_end and not self._reader.has_end:
                raise CorruptDataError("tar: cut off before its end marker")
            self._placer.finish()
            self._reader.drain()
        except CorruptDataError as error:
            # Whoever sent it is the one to mend it.
            raise InvalidInputError(error.message) from error
        except OSError as error:
            if error.errno == errno.EROFS:
                where = self._path(entry.name) if entry else self._directory
                raise ReadOnlyTreeError(_shown(where)) from error
            raise failure("archive", entry, error) from error
        finally:
            self._tree.close()

    def _path(self, name: bytes) -> bytes:
        """Return where a name of the archive is, from the root."""
        try:
            inner = clean_name(name)
        except InvalidInputError as error:
            outer = _shown(self._directory)
            raise InvalidInputError(f'"{os.fsdecode(name)}" is outside of "{outer}"') from error
        return b"/".join(part for part in (self._directory, inner) if part)

    def _check_type(self, entry: Entry, path: bytes) -> None:
        parent_path, _, name = path.rpartition(b"/")
        try:
            parent, _ = self._tree.existing(parent_path)
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return
        there, comes = stat.S_ISDIR(status.st_mode), entry.kind == tar_read.DIRECTORY
        if there == comes:
            return
        kinds = ("directory", "non-directory") if there else ("non-directory", "directory")
        raise InvalidInputError(
            f'cannot overwrite {kinds[0]} "{_shown(path)}" with {kinds[1]} '
            f'"{_shown(self._directory)}"'
        )


def _shown(path: bytes) -> str:
    return "/" + path.decode("utf-8", "backslashreplace")
