"""Reading an image archive once, front to back: documents into memory, layers into the store.

Layers are hashed and written while they arrive. A layer that may be the lowest of an image is
unpacked at the same time: most archives have one big layer at the bottom, and its order is known
only from a document that comes later. What the documents mean is for `naru.images.load`.

For worker threads; one thread per layer and step beside the one that splits the archive.
"""

from __future__ import annotations

import contextlib
import posixpath
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import msgspec

from naru.errors import CorruptDataError, InvalidInputError
from naru.faults import fault_point
from naru.images.compression import detect, open_plain
from naru.images.pipe import Pipe, PipeClosedError
from naru.images.services import ImageServices
from naru.images.unpack import Unpacking, apply_hashed
from naru.oci import mediatype
from naru.oci.descriptor import Descriptor
from naru.oci.digest import Digest
from naru.store import tar_read
from naru.store.tar_apply import apply_to_mounts
from naru.store.tar_read import Entry, Readable, TarReader

_PIECE = 1 << 20
_DOCUMENT_LIMIT = 16 << 20
_DOCUMENTS_LIMIT = 64 << 20
_MEMBER_LIMIT = 100_000
_SMALLEST_LAYER = 20
_MAGIC_AT, _MAGIC = 257, b"ustar"
_LINK_DEPTH = 16
_AFTER_LAYER = fault_point("images.load.after_layer")


@dataclass(frozen=True, slots=True)
class StoredLayer:
    """A layer that is in the store. `diff_id` is empty while it is not known."""

    digest: Digest
    size: int
    compression: str
    diff_id: str

    def descriptor(self) -> Descriptor:
        """Return how a manifest of ours names it."""
        kinds = {
            "": mediatype.OCI_LAYER,
            "gzip": mediatype.OCI_LAYER_GZIP,
            "zstd": mediatype.OCI_LAYER_ZSTD,
        }
        return Descriptor(media_type=kinds[self.compression], digest=self.digest, size=self.size)


@dataclass(slots=True)
class Archive:
    """What was in an archive. Names are cleaned paths."""

    documents: dict[str, bytes] = field(default_factory=dict)
    layers: dict[str, StoredLayer] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    unpacked: dict[str, Unpacking] = field(default_factory=dict)
    """diff_id → a lowest layer's snapshot, neither committed nor dropped yet"""

    def document(self, name: str) -> bytes:
        """Return a document.

        Raises:
            InvalidInputError: the archive has none of this name.
        """
        found = self.documents.get(self._target(name))
        if found is None:
            raise InvalidInputError(f"open {name}: no such file or directory")
        return found

    def layer(self, name: str) -> StoredLayer:
        """Return a layer. Raises as `document`."""
        found = self.layers.get(self._target(name))
        if found is None:
            raise InvalidInputError(f"open {name}: no such file or directory")
        return found

    def _target(self, name: str) -> str:
        name = clean(name)
        for _ in range(_LINK_DEPTH):
            if name not in self.links:
                return name
            name = clean(posixpath.join(posixpath.dirname(name), self.links[name]))
        raise InvalidInputError(f"open {name}: too many levels of symbolic links")


def clean(name: str) -> str:
    """Return a member's name without `./` and doubled slashes. Leads nowhere on our disk."""
    return posixpath.normpath("/" + name).lstrip("/")


class ArchiveReader:
    """One pass over one archive. Make it in a `with` block: it drops what nobody adopted."""

    def __init__(self, services: ImageServices, lease_id: str) -> None:
        self._services = services
        self._lease_id = lease_id
        self._archive = Archive()
        self._documents_size = 0
        self._guessed = False
        self._chains: list[list[str]] = []
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def read(self, stream: Readable, stored: Callable[[StoredLayer], object]) -> Archive:
        """Read the whole archive, compressed or not; `stored` hears of every layer.

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
            if entry.kind in (tar_read.SYMLINK, tar_read.HARD_LINK):
                self._link(name, entry)
            elif entry.kind == tar_read.REGULAR:
                self._member(name, entry, reader, stored)
        reader.drain()
        return self._archive

    def _link(self, name: str, entry: Entry) -> None:
        target = entry.link.decode("utf-8", "surrogateescape")
        is_hard = entry.kind == tar_read.HARD_LINK
        self._archive.links[name] = "/" + clean(target) if is_hard else target

    def _member(
        self, name: str, entry: Entry, reader: TarReader, stored: Callable[[StoredLayer], object]
    ) -> None:
        first = bytes(reader.read_piece(_PIECE))
        if _looks_like_document(first[:512]):
            if entry.size > _DOCUMENT_LIMIT:
                raise InvalidInputError(f"{name}: a document of {entry.size} bytes")
            self._documents_size += entry.size
            if self._documents_size > _DOCUMENTS_LIMIT:
                raise InvalidInputError("archive has too many documents")
            self._document(name, first + reader.read_data(_DOCUMENT_LIMIT))
        elif entry.size >= _SMALLEST_LAYER:
            layer = _Intake(self._services, self._lease_id, self._stack).take(
                first, reader, unpack=self._may_be_lowest(name)
            )
            _AFTER_LAYER()
            self._archive.layers[name] = layer.stored
            if layer.unpacking is not None:
                self._archive.unpacked[layer.stored.diff_id] = layer.unpacking
            stored(layer.stored)

    def _document(self, name: str, raw: bytes) -> None:
        self._archive.documents[name] = raw
        hints = _hints(raw)
        if hints.rootfs and hints.rootfs.diff_ids:
            self._chains.append(hints.rootfs.diff_ids)

    def _may_be_lowest(self, name: str) -> bool:
        """Guess whether a layer has none below it, from the documents that came before it."""
        chains = self._chains
        folder, _, file = name.rpartition("/")
        if folder == "blobs/sha256" and chains:
            return any(chain[0] == f"sha256:{file}" for chain in chains)
        legacy = self._archive.documents.get(f"{folder}/json")
        if legacy is not None:
            return not _hints(legacy).parent
        if chains and all(len(chain) == 1 for chain in chains):
            return True
        # Nothing tells: one try is cheap, a try for every layer is not.
        guess, self._guessed = not self._guessed, True
        return guess


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
        return msgspec.json.decode(raw, type=_Hints)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _Hints()


@dataclass(frozen=True, slots=True)
class _Taken:
    stored: StoredLayer
    unpacking: Unpacking | None


class _Worker:
    """A thread with a result, or with a failure that its owner raises."""

    def __init__(self, name: str, work: Callable[[Pipe], Any]) -> None:
        self.pipe = Pipe()
        self.result: Any = None
        self.failure: Exception | None = None
        self._work = work
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.result = self._work(self.pipe)
        except Exception as error:  # noqa: BLE001 - raised in the thread that joins
            self.failure = error
        finally:
            self.pipe.abandon()

    def join(self) -> None:
        self._thread.join()


class _Intake:
    """Takes one layer in: into the store and, if asked, onto disk, at the same time."""

    def __init__(self, services: ImageServices, lease_id: str, stack: contextlib.ExitStack) -> None:
        self._services = services
        self._lease_id = lease_id
        self._stack = stack

    def take(self, first: bytes, reader: TarReader, *, unpack: bool) -> _Taken:
        """Read the current member to its end. Raises as `ArchiveReader.read`.

        A failure to unpack is no failure here: the layer may need others below it. It is
        unpacked again in its place then, and what is wrong with it comes out there.
        """
        compression = detect(first[:6])
        # The image spec has no types for layers in xz and bzip2: they are stored plain.
        is_stored_plain = compression in ("xz", "bzip2")
        kept = "" if is_stored_plain else compression
        writer = _Worker(
            "naru-ingest", lambda pipe: self._ingest(pipe, is_stored_plain=is_stored_plain)
        )
        unpacker, unpacking = None, None
        if unpack:
            prepared = self._stack.enter_context(
                self._services.unpacker.preparing(None, self._lease_id)
            )
            apply = apply_hashed if compression else apply_to_mounts
            unpacker = _Worker("naru-unpack", lambda pipe: apply(pipe, prepared.mounts))
            unpacking = prepared
        _feed(first, reader, writer, unpacker)
        if writer.failure is not None:
            raise writer.failure
        digest, size = writer.result
        if unpacker is None or unpacker.failure is not None:
            return _Taken(StoredLayer(digest, size, kept, "" if kept else digest), None)
        return _Taken(
            StoredLayer(digest, size, kept, unpacker.result if kept else digest), unpacking
        )

    def _ingest(self, pipe: Pipe, *, is_stored_plain: bool) -> tuple[Digest, int]:
        key = f"layer-{secrets.token_hex(8)}"
        services = self._services
        services.leases.add(self._lease_id, "ingest", key)
        source: Readable = open_plain(pipe)[1] if is_stored_plain else pipe
        with services.content.ingest(key) as ingest:
            try:
                while piece := source.read(_PIECE):
                    ingest.write(piece)
                size = ingest.offset
                services.leases.add(self._lease_id, "blob", ingest.digest)
                return ingest.commit(), size
            except BaseException:
                ingest.abort()
                raise


def _feed(first: bytes, reader: TarReader, writer: _Worker, unpacker: _Worker | None) -> None:
    """Hand a member's bytes to the workers, and wait for both."""
    workers = [writer] if unpacker is None else [writer, unpacker]
    listening = list(workers)
    failure: BaseException | None = CorruptDataError("layer was not read to its end")
    try:
        piece = first
        while piece and writer in listening:
            for worker in list(listening):
                try:
                    worker.pipe.put(piece)
                except PipeClosedError:
                    listening.remove(worker)
            # The reader may use its memory again, and the workers are slower.
            piece = bytes(reader.read_piece(_PIECE))
        failure = None
    finally:
        for worker in workers:
            worker.pipe.end(failure)
        for worker in workers:
            worker.join()
