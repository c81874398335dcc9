"""Writing blobs: resumable, verified, all or nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.descriptors import open_count
from naru import faults
from naru.errors import CorruptDataError, FaultError, UnavailableError
from naru.oci.digest import digest_bytes
from naru.store.content import ContentStore

DATA = b"some content" * 1000
DIGEST = digest_bytes(DATA)


@pytest.fixture
def content(tmp_path: Path) -> ContentStore:
    return ContentStore(tmp_path / "content")


def nothing_left(content: ContentStore) -> bool:
    return content.ingests() == [] and os.listdir(content.root / "ingest") == []


def test_pieces_become_a_blob(content: ContentStore) -> None:
    with content.ingest("k", expected_digest=DIGEST, expected_size=len(DATA)) as ingest:
        for start in range(0, len(DATA), 1000):
            ingest.write(DATA[start : start + 1000])
        assert ingest.digest == DIGEST
        assert content.stat(DIGEST) is None
        assert ingest.commit() == DIGEST
    assert content.read(DIGEST, 1 << 20) == DATA
    assert nothing_left(content)


def test_a_broken_off_write_goes_on_where_it_stopped(content: ContentStore) -> None:
    with content.ingest("k", expected_digest=DIGEST) as ingest:
        ingest.write(DATA[:5000])
    assert content.ingests() == [("k", 5000)]
    again = ContentStore(content.root)
    again.repair()
    with again.ingest("k", expected_digest=DIGEST, expected_size=len(DATA)) as ingest:
        assert ingest.offset == 5000
        ingest.write(DATA[5000:])
        ingest.commit()
    assert again.read(DIGEST, 1 << 20) == DATA
    assert nothing_left(again)


def test_restart_forgets_what_came_before(content: ContentStore) -> None:
    with content.ingest("k") as ingest:
        ingest.write(b"rubbish" * 5000)
    with content.ingest("k", expected_digest=DIGEST) as ingest:
        ingest.restart()
        ingest.write(DATA)
        assert ingest.commit() == DIGEST


def test_an_overlong_remainder_is_thrown_away(content: ContentStore) -> None:
    with content.ingest("k") as ingest:
        ingest.write(DATA + b"more")
    with content.ingest("k", expected_size=len(DATA)) as ingest:
        assert ingest.offset == 0


def test_a_wrong_digest_leaves_nothing(content: ContentStore) -> None:
    with content.ingest("k", expected_digest=DIGEST) as ingest:
        ingest.write(b"other")
        with pytest.raises(CorruptDataError, match=f"expected {DIGEST}, got sha256:"):
            ingest.commit()
    assert nothing_left(content)
    assert list(content.walk()) == []


def test_too_few_bytes_leave_nothing(content: ContentStore) -> None:
    with content.ingest("k", expected_size=10) as ingest:
        ingest.write(b"other")
        with pytest.raises(CorruptDataError, match="expected 10 bytes, got 5"):
            ingest.commit()
    assert nothing_left(content)


def test_too_many_bytes_are_stopped_at_once(content: ContentStore) -> None:
    with (
        content.ingest("k", expected_digest=DIGEST, expected_size=3) as ingest,
        pytest.raises(CorruptDataError, match="more than 3 bytes"),
    ):
        ingest.write(b"four")
    assert nothing_left(content)


def test_one_key_has_one_writer(content: ContentStore) -> None:
    with content.ingest("k"):
        with pytest.raises(UnavailableError, match="is being written"):
            content.ingest("k")
        assert not content.abort_ingest("k"), "it is being written"
    content.ingest("k").abort()
    assert content.abort_ingest("gone")
    assert nothing_left(content)


def test_an_open_ingest_is_not_collected(content: ContentStore) -> None:
    with content.ingest("k") as ingest:
        ingest.write(b"x")
        assert content.abort_ingest("k") is False
    assert content.abort_ingest("k") is True
    assert nothing_left(content)


def test_keys_may_hold_anything(content: ContentStore) -> None:
    keys = ["../../etc/passwd", "a/b", "", "ü" * 500, "sha256:abc"]
    for key in keys:
        with content.ingest(key) as ingest:
            ingest.write(key.encode())
    assert sorted(key for key, _ in content.ingests()) == sorted(keys)


def test_committing_a_blob_that_is_there_is_harmless(content: ContentStore) -> None:
    for key in ("one", "two"):
        with content.ingest(key) as ingest:
            ingest.write(DATA)
            ingest.commit()
    assert [digest for digest, _ in content.walk()] == [DIGEST]


@pytest.mark.parametrize("point", ["store.ingest.before_commit", "store.content.after_rename"])
def test_a_failure_in_commit_can_be_done_over(content: ContentStore, point: str) -> None:
    faults.arm(point, "raise")
    with content.ingest("k", expected_digest=DIGEST) as ingest:
        ingest.write(DATA)
        with pytest.raises(FaultError):
            ingest.commit()
    again = ContentStore(content.root)
    again.repair()
    if again.stat(DIGEST) is None:
        with again.ingest("k", expected_digest=DIGEST) as ingest:
            assert ingest.offset == len(DATA)
            ingest.commit()
    assert again.read(DIGEST, 1 << 20) == DATA
    assert nothing_left(again)


def test_other_algorithms_are_verified_too(content: ContentStore) -> None:
    digest = digest_bytes(DATA, "sha512")
    with content.ingest("k", expected_digest=digest) as ingest:
        ingest.write(DATA)
        assert ingest.commit() == digest
    assert content.path(digest).parent.name == "sha512"


def test_descriptors_are_closed(content: ContentStore) -> None:
    before = open_count()
    for number in range(50):
        with content.ingest(f"k{number}") as ingest:
            ingest.write(b"x")
            if number % 2:
                ingest.commit()
    assert open_count() == before


def test_bytes_can_be_read_while_they_are_written_and_afterwards(content: ContentStore) -> None:
    with content.ingest("k") as ingest, ingest.reader() as reader:
        ingest.write_all([b"so", b"me"])
        assert reader.read() == b"some"
        ingest.write(b" more")
        ingest.commit()
        assert reader.read() == b" more"
    with content.ingest("k") as ingest, ingest.reader() as reader:
        ingest.write(b"in vain")
        ingest.abort()
        assert reader.read() == b"in vain"
