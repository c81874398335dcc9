"""Bytes on their way to a registry: as stored, or as they become."""

from __future__ import annotations

import asyncio
import gzip
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from harness.descriptors import open_count
from naru.errors import CorruptDataError, FaultError, NotFoundError
from naru.images.pushing import sources
from naru.images.pushing.sources import CompressedLayer, StoredBlob
from naru.oci.descriptor import Descriptor
from naru.oci.digest import DiffId, Digest, digest_bytes
from naru.store.content import ContentStore

DATA = os.urandom(3 << 20)


@pytest.fixture
def content(tmp_path: Path) -> ContentStore:
    return ContentStore(tmp_path)


def stored(content: ContentStore, data: bytes = DATA) -> DiffId:
    return DiffId(content.add(data))


async def test_stored_blob_is_read_as_it_is(content: ContentStore) -> None:
    digest = stored(content)
    blob = StoredBlob(content, Descriptor(digest=digest, size=len(DATA)))
    assert (blob.digest, blob.size, await blob.ready(1)) == (digest, len(DATA), len(DATA))
    # It stays readable when it is deleted.
    content.delete(digest)
    assert blob.read(5, 10) == DATA[5:15]
    blob.close()
    with pytest.raises(NotFoundError):
        StoredBlob(content, Descriptor(digest=digest, size=len(DATA)))


async def test_blob_that_is_cut_off_is_not_sent(content: ContentStore) -> None:
    digest = stored(content)
    with pytest.raises(CorruptDataError, match=f"{len(DATA)} bytes are stored, expected 7$"):
        StoredBlob(content, Descriptor(digest=digest, size=7))
    blob = StoredBlob(content, Descriptor(digest=digest, size=len(DATA)))
    os.truncate(content.path(digest), 10)
    with pytest.raises(CorruptDataError, match="cut off at 10 bytes"):
        blob.read(10, 5)
    blob.close()


async def test_layer_is_there_as_far_as_it_is_compressed(
    content: ContentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end = threading.Event()

    def in_two_parts(source: BinaryIO, _kind: str, write: Callable[[bytes], object]) -> None:
        packed = gzip.compress(source.read(len(DATA)))
        write(packed[:1000])
        may_end.wait(10)
        write(packed[1000:])

    monkeypatch.setattr(sources, "compress", in_two_parts)
    layer = CompressedLayer(content, stored(content), "gzip")
    thread = threading.Thread(target=layer.work)
    thread.start()
    assert (await layer.ready(1000), layer.size) == (1000, None)
    assert 0 < layer.plain_part(500) < len(DATA)
    waiting = asyncio.ensure_future(layer.ready(1 << 40))
    await asyncio.sleep(0)
    assert not waiting.done()
    may_end.set()
    whole = await waiting
    thread.join()
    assert whole == layer.size
    packed = layer.read(0, whole)
    assert gzip.decompress(packed) == DATA
    assert layer.digest == digest_bytes(packed)
    assert layer.plain_part(whole) == len(DATA)
    layer.close()
    layer.close()


async def test_layer_is_what_its_digest_says_or_never_ends(content: ContentStore) -> None:
    digest = stored(content)
    with content.path(digest).open("r+b") as file:
        file.write(b"damage")
    layer = CompressedLayer(content, digest, "gzip")
    layer.work()
    with pytest.raises(CorruptDataError, match="the stored bytes have another digest"):
        await layer.ready(1 << 40)
    assert layer.size is None
    layer.close()


async def test_layer_that_nobody_wants_is_compressed_no_further(content: ContentStore) -> None:
    layer = CompressedLayer(content, stored(content), "gzip")
    layer.stop()
    layer.work()
    with pytest.raises(FaultError, match="nobody wants the layer any more"):
        await layer.ready(1)
    layer.close()


async def test_layer_that_is_not_there_leaves_no_file(content: ContentStore) -> None:
    before = open_count()
    with pytest.raises(NotFoundError):
        CompressedLayer(content, DiffId(Digest("sha256:" + "a" * 64)), "gzip")
    assert open_count() == before
