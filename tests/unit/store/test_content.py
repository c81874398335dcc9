"""The content store: an OCI layout that believes nobody."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from naru.errors import CorruptDataError, InvalidInputError, NotFoundError
from naru.oci.digest import Digest, digest_bytes
from naru.oci.manifest import build_index
from naru.store.content import ContentStore


@pytest.fixture
def content(tmp_path: Path) -> ContentStore:
    return ContentStore(tmp_path / "content")


def test_it_is_an_oci_layout(content: ContentStore) -> None:
    assert json.loads((content.root / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    assert json.loads((content.root / "index.json").read_text())["manifests"] == []
    digest = content.add(b"data")
    assert (content.root / "blobs" / "sha256" / digest[7:]).read_bytes() == b"data"
    assert content.path(digest).stat().st_mode & 0o777 == 0o644


def test_add_is_idempotent(content: ContentStore) -> None:
    assert content.add(b"data") == content.add(b"data") == digest_bytes(b"data")
    assert list(content.walk()) == [(digest_bytes(b"data"), 4)]


def test_absent_blobs_are_said_to_be(content: ContentStore) -> None:
    digest = digest_bytes(b"x")
    assert content.stat(digest) is None
    assert content.delete(digest) is False
    assert content.discard(digest) is False
    with pytest.raises(NotFoundError, match=digest):
        content.open(digest)


@pytest.mark.parametrize(
    "text", ["sha256:../../../etc/passwd", "x", "../x:y", "sha256:" + "." * 64]
)
def test_no_digest_leads_out_of_the_store(content: ContentStore, text: str) -> None:
    for call in (content.path, content.open, content.stat, content.delete, content.discard):
        with pytest.raises(InvalidInputError):
            call(Digest(text))


def test_small_reads_are_verified_and_bounded(content: ContentStore) -> None:
    digest = content.add(b"data")
    assert content.read(digest, 4) == b"data"
    with pytest.raises(CorruptDataError, match="at most 3"):
        content.read(digest, 3)
    content.path(digest).write_bytes(b"DATA")
    with pytest.raises(CorruptDataError, match="another digest"):
        content.read(digest, 4)


def test_a_blob_of_the_wrong_size_is_written_again(content: ContentStore) -> None:
    digest = content.add(b"data")
    content.path(digest).write_bytes(b"")
    content.add(b"data")
    assert content.read(digest, 4) == b"data"


def test_an_open_blob_outlives_its_deletion(content: ContentStore) -> None:
    digest = content.add(b"data")
    with content.open(digest) as stream:
        assert content.delete(digest) is True
        assert stream.read() == b"data"


def test_discarded_blobs_are_gone_at_once_and_freed_later(content: ContentStore) -> None:
    digest = content.add(b"data")
    assert content.discard(digest) is True
    assert content.stat(digest) is None
    content.add(b"data")
    content.discard(digest)
    content.empty_trash([digest])
    assert list((content.root / "trash").iterdir()) == []


@pytest.mark.parametrize("key", ["", "\0\0\0\0", "some oth"])
def test_a_write_that_has_lost_its_key_is_none_and_goes(content: ContentStore, key: str) -> None:
    with content.ingest("some other key") as ingest:
        ingest.write(b"data")
    [directory] = (content.root / "ingest").iterdir()
    (directory / "key").write_text(key)
    assert content.ingests() == []
    assert len(content.repair()) == 1
    assert not directory.exists()


def test_repair_removes_leftovers_of_a_crash(content: ContentStore) -> None:
    (content.root / "trash" / "old").write_text("x")
    (content.root / "ingest" / "half").mkdir()
    (content.root / ".index.json.1234").write_text("x")
    kept = content.add(b"data")
    discarded = content.add(b"discarded")
    content.discard(discarded)
    assert len(content.repair()) == 2
    assert list((content.root / "trash").iterdir()) == []
    assert content.stat(discarded) == 9, "whether it is garbage is for the next collection"
    assert content.repair() == []
    assert content.stat(kept) == 4
    assert sorted(path.name for path in content.root.iterdir()) == [
        "blobs",
        "index.json",
        "ingest",
        "oci-layout",
        "trash",
    ]


def test_strangers_among_the_blobs_are_not_blobs(content: ContentStore) -> None:
    (content.root / "blobs" / "sha256" / "README").write_text("x")
    assert list(content.walk()) == []


def test_the_index_is_replaced_whole(content: ContentStore) -> None:
    index = build_index((), annotations={"a": "b"})
    content.write_index(index)
    assert (content.root / "index.json").read_bytes() == index.raw
