"""Where the bytes of a pushed blob come from: the store, or a layer that is being compressed.

What blocks is for worker threads; the rest runs on the loop.

See `naru.distribution.upload_session.BlobSource`.
"""

from __future__ import annotations

import asyncio
import os

from naru.errors import CorruptDataError, FaultError
from naru.images.layers.compress import compress
from naru.oci.descriptor import Descriptor
from naru.oci.digest import DiffId, Digest, Hasher, algorithm_of
from naru.store.content import ContentStore, damaged_content


class StoredBlob:
    """A blob of the store, as it is. Close it."""

    def __init__(self, content: ContentStore, blob: Descriptor) -> None:
        """Open it. Blocks.

        Raises:
            NotFoundError: it is not there.
            CorruptDataError: it is not as long as it should be.
        """
        self.digest = blob.digest
        self.size: int | None = blob.size
        self._file = content.open(blob.digest)
        there = os.fstat(self._file.fileno()).st_size
        if there != blob.size:
            self.close()
            raise CorruptDataError(
                f"content {blob.digest}: {there} bytes are stored, expected {blob.size}"
            )

    async def ready(self, count: int) -> int:
        return self.size or 0

    def read(self, offset: int, count: int) -> bytes:
        data = os.pread(self._file.fileno(), count, offset)
        if not data:
            raise CorruptDataError(f"content {self.digest}: cut off at {offset} bytes")
        return data

    def close(self) -> None:
        """Let go of it. Idempotent."""
        self._file.close()


class CompressedLayer:
    """A plain layer of the store, compressed while it is sent. Close it when `work` has ended.

    It is compressed once, however often the registry has to be sent its bytes: they are kept in
    a file without a name until they have arrived. Made on the loop.
    """

    def __init__(self, content: ContentStore, diff_id: DiffId, compression: str) -> None:
        """Open the layer and an empty file.

        Raises:
            NotFoundError: the layer is not in the store.
            FaultError: the disk fails.
        """
        self.size: int | None = None
        self._compression = compression
        self._loop = asyncio.get_running_loop()
        self._grown = asyncio.Event()
        self._hasher = Hasher()
        self._failure: Exception | None = None
        self._is_wanted = True
        self._plain = _PlainLayer(content, diff_id)
        try:
            self._packed = content.scratch()
        except BaseException:
            self._plain.close()
            raise

    @property
    def digest(self) -> Digest:
        """Digest of the compressed bytes, when all are there."""
        assert self.size is not None, "the digest is not known yet"
        return self._hasher.digest()

    def plain_part(self, count: int) -> int:
        """Return how many bytes of the layer have become the first `count` compressed ones."""
        if count == self.size:
            return self._plain.size
        return self._plain.position * count // max(self._packed.size, 1)

    def work(self) -> None:
        """Compress the layer to its end, or until it is stopped. Blocks, and raises nothing."""
        try:
            compress(self._plain, self._compression, self._keep)
            self._plain.check()
            self.size = self._packed.size
        except Exception as error:  # noqa: BLE001 - raised where the bytes are waited for
            self._failure = error
        self._loop.call_soon_threadsafe(self._grown.set)

    def _keep(self, data: bytes) -> None:
        if not self._is_wanted:
            raise FaultError("nobody wants the layer any more")
        self._packed.write(data)
        self._hasher.update(data)
        self._loop.call_soon_threadsafe(self._grown.set)

    async def ready(self, count: int) -> int:
        while self._packed.size < count and self.size is None:
            # What comes after this is told after this.
            self._grown.clear()
            if self._failure is not None:
                raise self._failure
            if self._packed.size < count and self.size is None:
                await self._grown.wait()
        return self._packed.size

    def read(self, offset: int, count: int) -> bytes:
        return self._packed.read(offset, count)

    def stop(self) -> None:
        """Let `work` end soon."""
        self._is_wanted = False

    def close(self) -> None:
        """Let go of the files. Idempotent."""
        self._plain.close()
        self._packed.close()


class _PlainLayer:
    """A layer as it is read, checked at its end: damage must not spread."""

    def __init__(self, content: ContentStore, diff_id: DiffId) -> None:
        self._diff_id = diff_id
        self._file = content.open(diff_id)
        self._hasher = Hasher(algorithm_of(diff_id))
        self.size = os.fstat(self._file.fileno()).st_size

    @property
    def position(self) -> int:
        return self._hasher.size

    def read(self, count: int, /) -> bytes:
        data = self._file.read(count)
        self._hasher.update(data)
        return data

    def check(self) -> None:
        if self._hasher.digest() != self._diff_id:
            raise damaged_content(self._diff_id)

    def close(self) -> None:
        self._file.close()
