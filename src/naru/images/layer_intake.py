"""One layer on its way in: hashed and written into the store, and unpacked at the same time.

For worker threads; one more runs while a layer is unpacked.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self

from naru.images.layers.arrival import Arrival
from naru.images.layers.compression import detect, open_plain
from naru.images.layers.unpack import Unpacking, apply_arriving
from naru.images.services import ImageServices
from naru.oci import mediatype
from naru.oci.descriptor import Descriptor
from naru.oci.digest import ChainId, Digest

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
        kind = mediatype.OCI_LAYERS[self.compression]
        return Descriptor(media_type=kind, digest=self.digest, size=self.size)


@dataclass(frozen=True, slots=True)
class TakenLayer:
    """A layer that was taken in, and its snapshot, not committed yet, if one was asked for.

    With `unpack_failure` the snapshot is of no use, while the layer itself is stored whole: it may
    have to be unpacked in its place.
    """

    stored: StoredLayer
    unpacking: Unpacking | None = None
    unpack_failure: Exception | None = None


class LayerIntake:
    """Takes layers in, under one lease: into the store and, if asked, onto disk as well."""

    def __init__(
        self,
        services: ImageServices,
        lease_id: str,
        stack: contextlib.ExitStack,
        *,
        durable: bool = True,
    ) -> None:
        """Work for as long as `stack` is open: closing it drops snapshots nobody committed.

        Without `durable`, blobs are noted as unsettled: see `naru.store.unsettled`.
        """
        self._services = services
        self._durable = durable
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
        is_sole: bool = False,
        expected: int = 0,
    ) -> TakenLayer:
        """Read a layer to its end: `first`, then what `next_piece` gives until it is empty.

        `first` has six bytes at least, if the layer has. The blob is under the lease. With
        `unpack` the layer is put on a snapshot of `parent`, or on one without a parent, for a
        place above others if it is `alone` (see `store.tar_apply`); a failure of that is told,
        not raised, unless the layer `is_sole`: it has no other place, and is not read on. How
        many bytes are `expected` is a hint.

        Raises:
            CorruptDataError: xz or bzip2 that cannot be read; or what `next_piece` raises.
            NaruError: it `is_sole`, and cannot be unpacked.
            FaultError: the disk is full or fails.
        """
        compression = detect(first[:6])
        # The image spec has no types for layers in xz and bzip2: they are stored plain.
        is_stored_plain = compression in ("xz", "bzip2")
        kept = "" if is_stored_plain else compression
        stream = _Pieces(first, next_piece)
        read = partial(open_plain(stream)[1].read, _PIECE) if is_stored_plain else stream.next
        unpacking = None
        if unpack:
            unpacking = self._stack.enter_context(
                self._services.unpacker.preparing(parent, self._lease_id)
            )
            unpacking.was_alone = alone
        with _Unpack(unpacking, is_hashed=bool(kept), expected=expected) as work:
            digest, size = self._ingest(read, work, needs_unpacked=is_sole)
        if is_sole:
            work.raise_failure()
        diff_id = work.diff_id if kept else digest
        return TakenLayer(StoredLayer(digest, size, kept, diff_id), unpacking, work.failure)

    def _ingest(
        self, read: Callable[[], bytes | memoryview], work: _Unpack, *, needs_unpacked: bool
    ) -> tuple[Digest, int]:
        arrival = work.arrival
        key = f"layer-{secrets.token_hex(8)}"
        services = self._services
        # Under no lease: nobody goes on with what a killed engine leaves of it, and while it is
        # written no collection takes it.
        with services.content.ingest(key, durable=self._durable) as ingest:
            try:
                arrival.begin(ingest.reader(), 0)
                while piece := read():
                    ingest.write(piece)
                    arrival.grow(ingest.offset)
                    if needs_unpacked:
                        work.raise_failure()
                size = ingest.offset
                arrival.end()
                services.leases.add(self._lease_id, "blob", ingest.digest)
                digest = ingest.commit()
            except BaseException:
                ingest.abort()
                raise
        if not self._durable:
            services.unsettled.add(digest)
        return digest, size


class _Pieces:
    """A stream of pieces as they come, whatever size is asked for."""

    def __init__(self, first: bytes, next_piece: Callable[[], bytes | memoryview]) -> None:
        self._first = first
        self._next_piece = next_piece

    def next(self) -> bytes | memoryview:
        first, self._first = self._first, b""
        return first or self._next_piece()

    def read(self, _count: int, /) -> bytes:
        return bytes(self.next())


class _Unpack:
    """A thread that unpacks a layer while it arrives, if it is to be unpacked.

    As a context manager it waits for the thread; a failure of the block ends that, too.
    """

    def __init__(self, unpacking: Unpacking | None, *, is_hashed: bool, expected: int) -> None:
        self.arrival = Arrival()
        self.diff_id = ""
        self.failure: Exception | None = None
        self._unpacking = unpacking
        self._is_hashed = is_hashed
        self._expected = expected
        self._thread = threading.Thread(target=self._run, name="naru-unpack", daemon=True)

    def __enter__(self) -> Self:
        if self._unpacking is not None:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.arrival.end(error)
        if self._unpacking is not None:
            self._thread.join()
        self.arrival.close()

    def raise_failure(self) -> None:
        """Raise what kept the layer from being unpacked so far, if anything did."""
        if self.failure is not None:
            raise self.failure

    def _run(self) -> None:
        assert self._unpacking is not None
        try:
            self.diff_id = apply_arriving(
                self.arrival, self._unpacking, is_hashed=self._is_hashed, expected=self._expected
            )
        except Exception as error:  # noqa: BLE001 - told to who takes the layer in
            self.failure = error
