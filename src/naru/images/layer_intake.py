"""One layer on its way in: hashed, written into the store, and unpacked, all at the same time.

For worker threads; two more run while a layer is taken in, one for each thing to do with it.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from naru.errors import CorruptDataError
from naru.images.layers.compression import detect, open_plain
from naru.images.layers.pipe import Pipe, PipeClosedError
from naru.images.layers.unpack import Unpacking, apply_hashed
from naru.images.services import ImageServices
from naru.oci import mediatype
from naru.oci.descriptor import Descriptor
from naru.oci.digest import ChainId, Digest
from naru.store.tar_apply import apply_to_mounts
from naru.store.tar_read import Readable

_PIECE = 1 << 20


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


@dataclass(frozen=True, slots=True)
class TakenLayer:
    """A layer that was taken in, and its snapshot, not committed yet, if one was asked for.

    With `unpack_failure` the snapshot is of no use, while the layer itself is stored whole.
    """

    stored: StoredLayer
    unpacking: Unpacking | None = None
    unpack_failure: Exception | None = None


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


class LayerIntake:
    """Takes layers in, under one lease: into the store and, if asked, onto disk as well."""

    def __init__(self, services: ImageServices, lease_id: str, stack: contextlib.ExitStack) -> None:
        """Work for as long as `stack` is open: closing it drops snapshots nobody committed."""
        self._services = services
        self._lease_id = lease_id
        self._stack = stack

    def take(
        self,
        first: bytes,
        next_piece: Callable[[], bytes | memoryview],
        *,
        unpack: bool,
        alone: bool = False,
        parent: ChainId | None = None,
    ) -> TakenLayer:
        """Read a layer to its end: `first`, then what `next_piece` gives until it is empty.

        `first` has six bytes at least, if the layer has. The blob is under the lease. With
        `unpack` the layer is put on a snapshot of `parent`, or on one without a parent, for a
        place above others if it is `alone` (see `store.tar_apply`); a failure of that is told,
        not raised.

        Raises:
            CorruptDataError: xz or bzip2 that cannot be read; or what `next_piece` raises.
            FaultError: the disk is full or fails.
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
            unpacking = self._stack.enter_context(
                self._services.unpacker.preparing(parent, self._lease_id)
            )
            unpacking.was_alone = alone
            unpacker = _Worker("naru-unpack", _apply_to(unpacking, is_plain=not compression))
        _feed(first, next_piece, writer, unpacker)
        if writer.failure is not None:
            raise writer.failure
        digest, size = writer.result
        diff_id = "" if kept else digest
        if unpacker is not None and unpacker.failure is None:
            diff_id = diff_id or unpacker.result
        return TakenLayer(
            StoredLayer(digest, size, kept, diff_id),
            unpacking,
            unpacker.failure if unpacker else None,
        )

    def _ingest(self, pipe: Pipe, *, is_stored_plain: bool) -> tuple[Digest, int]:
        key = f"layer-{secrets.token_hex(8)}"
        services = self._services
        # Under no lease: nobody goes on with what a killed engine leaves of it, and while it is
        # written no collection takes it.
        plain: Readable | None = open_plain(pipe)[1] if is_stored_plain else None
        with services.content.ingest(key) as ingest:
            try:
                while piece := plain.read(_PIECE) if plain else pipe.read_piece():
                    ingest.write(piece)
                size = ingest.offset
                services.leases.add(self._lease_id, "blob", ingest.digest)
                return ingest.commit(), size
            except BaseException:
                ingest.abort()
                raise


def _apply_to(unpacking: Unpacking, *, is_plain: bool) -> Callable[[Pipe], str]:
    """Return the work of unpacking: its result is the diff_id, if it had to be computed."""

    def work(pipe: Pipe) -> str:
        alone = unpacking.was_alone
        if is_plain:
            diff_id, applied = "", apply_to_mounts(pipe, unpacking.mounts, alone=alone)
        else:
            diff_id, applied = apply_hashed(pipe, unpacking.mounts, alone=alone)
        unpacking.has_root = applied.has_root
        return diff_id

    return work


def _feed(
    first: bytes,
    next_piece: Callable[[], bytes | memoryview],
    writer: _Worker,
    unpacker: _Worker | None,
) -> None:
    """Hand a layer's bytes to the workers, and wait for both."""
    workers = [writer] if unpacker is None else [writer, unpacker]
    listening = list(workers)
    failure: BaseException | None = CorruptDataError("layer was not read to its end")
    try:
        piece: bytes | memoryview = first
        while piece and writer in listening:
            for worker in list(listening):
                try:
                    worker.pipe.put(piece)
                except PipeClosedError:
                    listening.remove(worker)
            piece = _kept(next_piece())
        failure = None
    finally:
        for worker in workers:
            worker.pipe.end(failure)
        for worker in workers:
            worker.join()


def _kept(piece: bytes | memoryview) -> bytes | memoryview:
    """Return bytes that stay: a piece may be memory that is used again, and workers are slower."""
    is_of_bytes = isinstance(piece, bytes) or isinstance(piece.obj, bytes)
    return piece if is_of_bytes else bytes(piece)
