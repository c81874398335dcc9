"""Which registry has what, and what layers become there."""

from __future__ import annotations

import pytest

from naru.db.database import Database
from naru.db.remote_blobs import RemoteBlobs
from naru.oci.descriptor import Descriptor
from naru.oci.digest import DiffId, Digest


def digest(letter: str) -> Digest:
    return Digest("sha256:" + letter * 64)


@pytest.fixture
def blobs() -> RemoteBlobs:
    return RemoteBlobs(Database(":memory:"))


def test_places_come_with_the_latest_first(blobs: RemoteBlobs) -> None:
    blobs.saw("r", "old", [digest("a"), digest("b")], 1)
    blobs.saw("r", "new", [digest("a")], 2)
    blobs.saw("other", "x", [digest("a")], 3)
    assert blobs.repositories(digest("a"), "r") == ["new", "old"]
    blobs.saw("r", "old", [digest("a")], 4)
    assert blobs.repositories(digest("a"), "r") == ["old", "new"]
    assert blobs.repositories(digest("c"), "r") == []
    assert blobs.is_known(digest("b"))
    assert not blobs.is_known(digest("c"))


def test_what_was_missed_is_forgotten_there_only(blobs: RemoteBlobs) -> None:
    blobs.saw("r", "a", [digest("a")], 1)
    blobs.saw("r", "b", [digest("a")], 2)
    for _ in range(2):
        blobs.missed("r", "b", digest("a"))
    assert blobs.repositories(digest("a"), "r") == ["a"]


def test_a_blob_that_is_everywhere_takes_bounded_space(blobs: RemoteBlobs) -> None:
    for number in range(40):
        blobs.saw("r", f"x{number}", [digest("a")], number)
    found = blobs.repositories(digest("a"), "r")
    assert found == [f"x{number}" for number in range(39, 23, -1)]


def test_layers_are_remembered_by_compression(blobs: RemoteBlobs) -> None:
    diff_id = DiffId(digest("1"))
    for size, letter in ((5, "a"), (6, "b")):
        blobs.set_compressed(diff_id, "gzip", Descriptor(digest=digest(letter), size=size))
    assert blobs.compressed(diff_id, "gzip") == Descriptor(digest=digest("b"), size=6)
    assert blobs.compressed(diff_id, "zstd") is None


def test_rows_go_with_the_blobs_that_they_are_about(blobs: RemoteBlobs) -> None:
    stored = {digest("1"), digest("2"), digest("3")}
    for plain, packed in (("1", "a"), ("2", "b")):
        blobs.set_compressed(
            DiffId(digest(plain)), "gzip", Descriptor(digest=digest(packed), size=1)
        )
    blobs.saw("r", "x", [digest("a"), digest("b"), digest("3"), digest("f")], 1)
    blobs.forget_others(stored.__contains__)
    assert [blobs.is_known(digest(letter)) for letter in "ab3f"] == [True, True, True, False]
    stored.remove(digest("2"))
    blobs.forget_others(stored.__contains__)
    assert blobs.compressed(DiffId(digest("2")), "gzip") is None
    assert blobs.compressed(DiffId(digest("1")), "gzip") is not None
    assert [blobs.is_known(digest(letter)) for letter in "ab3"] == [True, False, True]
