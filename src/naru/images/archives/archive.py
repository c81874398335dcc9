"""Reading an image archive once, front to back: documents into memory, layers into the store.

Layers are hashed, written and unpacked while they arrive, although their order is known only from
a document that comes later: a layer that only adds can be put in its place afterwards. What the
documents mean is for `naru.images.archives.plan`.

For worker threads; one thread per layer and step beside the one that splits the archive.
"""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

import msgspec

from naru import untrusted_json
from naru.errors import InvalidInputError
from naru.faults import fault_point
from naru.ids import short_id
from naru.images.layer_intake import LayerIntake, StoredLayer
from naru.images.layers.compression import open_plain
from naru.images.layers.unpack import Unpacking
from naru.images.progress import LayerProgress
from naru.images.services import ImageServices
from naru.store import tar_read
from naru.store.tar_read import Entry, Readable, TarReader

_PIECE = 1 << 20
# What attestations weigh is theirs: a document that is larger is missed only if it is asked for.
_DOCUMENT_LIMIT = 16 << 20
_DOCUMENTS_LIMIT = 64 << 20
_MEMBER_LIMIT = 100_000
_SMALLEST_LAYER = 20
_MAGIC_AT, _MAGIC = 257, b"ustar"
_LINK_DEPTH = 16
_LAYER_FILE = "layer.tar"
_LOADING = "Loading layer"
_AFTER_LAYER = fault_point("images.load.after_layer")


@dataclass(slots=True)
class Archive:
    """What was in an archive. Names are cleaned paths; of equal ones the last counts."""

    documents: dict[str, bytes] = field(default_factory=dict)
    layers: dict[str, StoredLayer] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    oversized: dict[str, int] = field(default_factory=dict)
    """sizes in bytes of documents that were passed over"""
    unpacked: dict[str, Unpacking] = field(default_factory=dict)
    """diff_id → snapshot of a layer that may find its place, not committed yet"""

    def document(self, name: str) -> bytes:
        """Return a document.

        Raises:
            InvalidInputError: the archive has none of this name, or one that no image needs.
        """
        target = self._target(name)
        found = self.documents.get(target)
        if found is None:
            if target in self.oversized:
                raise InvalidInputError(
                    f"{name}: a document of {self.oversized[target]} bytes, "
                    f"at most {_DOCUMENT_LIMIT} are read"
                )
            raise InvalidInputError(f"open {name}: no such file or directory")
        return found

    def layer(self, name: str) -> StoredLayer:
        """Return a layer. Raises as `document`."""
        found = self.layers.get(self._target(name))
        if found is None:
            raise InvalidInputError(f"open {name}: no such file or directory")
        return found

    def has_no_layer(self, name: str) -> bool:
        """Say whether the archive leaves a layer out."""
        return self._target(name) not in self.layers

    def forget(self, name: str) -> None:
        """Drop what an earlier member of this name brought."""
        for members in (self.documents, self.layers, self.links, self.oversized):
            members.pop(name, None)

    def _target(self, name: str) -> str:
        name = clean(name)
        for _ in range(_LINK_DEPTH):
            if name not in self.links:
                return name
            name = clean(posixpath.join(posixpath.dirname(name), self.links[name]))
        raise InvalidInputError(f"open {name}: too many levels of symbolic links")


ProgressOf = Callable[[str, int], LayerProgress]
"""From a layer's short id and its size in bytes to the line that tells of it."""


def clean(name: str) -> str:
    """Return a member's name without `./` and doubled slashes. Leads nowhere on our disk."""
    return posixpath.normpath("/" + name).lstrip("/")


class ArchiveReader:
    """One pass over one archive. Make it in a `with` block: it drops what nobody adopted."""

    def __init__(self, services: ImageServices, lease_id: str) -> None:
        self._archive = Archive()
        self._documents_size = 0
        self._can_rebase = services.snapshots.can_rebase
        self._chains: list[list[str]] = []
        self._stack = contextlib.ExitStack()
        # Users have what they load in their archive, too: there is no need to wait for the disk.
        self._intake = LayerIntake(services, lease_id, self._stack, durable=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def read(self, stream: Readable, progress_of: ProgressOf) -> Archive:
        """Read the whole archive, compressed or not, and move the progress of each layer.

        Raises:
            CorruptDataError: no tar, cut off, or an invalid layer.
            InvalidInputError: no archive of images.
            FaultError: the disk is full or fails.
        """
        _, plain = open_plain(stream)
        reader = TarReader(plain)
        count = 0
        while (entry := reader.next()) is not None:
            count += 1
            if count > _MEMBER_LIMIT:
                raise InvalidInputError(f"archive has more than {_MEMBER_LIMIT} members")
            name = clean(entry.name.decode("utf-8", "surrogateescape"))
            self._archive.forget(name)
            if entry.kind in (tar_read.SYMLINK, tar_read.HARD_LINK):
                self._link(name, entry)
            elif entry.kind == tar_read.REGULAR:
                self._member(name, entry, reader, progress_of)
        reader.drain()
        return self._archive

    def _link(self, name: str, entry: Entry) -> None:
        target = entry.link.decode("utf-8", "surrogateescape")
        is_hard = entry.kind == tar_read.HARD_LINK
        self._archive.links[name] = "/" + clean(target) if is_hard else target

    def _member(self, name: str, entry: Entry, reader: TarReader, progress_of: ProgressOf) -> None:
        first = b""
        while len(first) < tar_read.BLOCK and (piece := reader.read_piece(_PIECE)):
            first += piece
        if _looks_like_document(first[:512]):
            self._document(name, entry, first, reader)
        elif entry.size >= _SMALLEST_LAYER:
            self._layer(name, entry.size, first, reader, progress_of)

    def _layer(self, name: str, size: int, first: bytes, reader: TarReader, of: ProgressOf) -> None:
        progress = of(_layer_id(name), size)
        taken = len(first)

        def next_piece() -> memoryview:
            nonlocal taken
            piece = reader.read_piece(_PIECE)
            taken += len(piece)
            progress.move(_LOADING, taken)
            return piece

        is_lowest = self._is_lowest(name)
        layer = self._intake.take(
            first,
            next_piece,
            unpack=is_lowest or self._can_rebase,
            alone=not is_lowest,
            expected=size,
        )
        _AFTER_LAYER()
        self._archive.layers[name] = layer.stored
        # A failure to unpack is no failure yet: the layer may need those below it. It is
        # unpacked again in its place then, and what is wrong with it comes out there.
        if layer.unpacking is not None and layer.unpack_failure is None:
            self._archive.unpacked[layer.stored.diff_id] = layer.unpacking

    def _document(self, name: str, entry: Entry, first: bytes, reader: TarReader) -> None:
        if entry.size > _DOCUMENT_LIMIT:
            self._archive.oversized[name] = entry.size
            return
        self._documents_size += entry.size
        if self._documents_size > _DOCUMENTS_LIMIT:
            raise InvalidInputError(
                f"archive has more than {_DOCUMENTS_LIMIT} bytes of documents at {name}"
            )
        raw = first + reader.read_data(_DOCUMENT_LIMIT)
        self._archive.documents[name] = raw
        hints = _hints(raw)
        if hints.rootfs and hints.rootfs.diff_ids:
            self._chains.append(hints.rootfs.diff_ids)

    def _is_lowest(self, name: str) -> bool:
        """Tell from the documents that came before a layer whether it has none below it."""
        folder, _, file = name.rpartition("/")
        if folder == "blobs/sha256" and self._chains:
            return any(chain[0] == f"sha256:{file}" for chain in self._chains)
        legacy = self._archive.documents.get(f"{folder}/json")
        if legacy is not None:
            return not _hints(legacy).parent
        return bool(self._chains) and all(len(chain) == 1 for chain in self._chains)


def _layer_id(name: str) -> str:
    """Return what a layer is called while its digest is not known: most archives name it so."""
    folder, _, file = name.rpartition("/")
    return short_id(posixpath.basename(folder) if file == _LAYER_FILE else file)


def _looks_like_document(head: bytes) -> bool:
    is_tar = head[_MAGIC_AT : _MAGIC_AT + len(_MAGIC)] == _MAGIC
    return not is_tar and head.lstrip()[:1] in (b"{", b"[")


class _RootFs(msgspec.Struct):
    diff_ids: list[str] | None = None


class _Hints(msgspec.Struct):
    rootfs: _RootFs | None = None
    parent: str | None = None


def _hints(raw: bytes) -> _Hints:
    try:
        return untrusted_json.decode(raw, type=_Hints)
    except msgspec.MsgspecError:
        return _Hints()
