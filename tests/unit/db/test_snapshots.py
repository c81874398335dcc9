"""The table of snapshots."""

from __future__ import annotations

from pathlib import Path

import pytest

from naru.db.database import Database
from naru.db.snapshots import SnapshotRows


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "naru.db")


def test_drivers_do_not_see_each_other_but_share_numbers(database: Database) -> None:
    one, two = SnapshotRows(database, "one"), SnapshotRows(database, "two")
    first, second = one.insert("k", "active", None), two.insert("k", "active", None)
    assert first is not None
    assert second is not None
    assert first != second
    assert [row.number for row in one.all()] == [first]
    assert one.numbers_of_all_drivers() == {first, second}


def test_a_key_is_free_again_once_its_row_is_being_removed(database: Database) -> None:
    rows = SnapshotRows(database, "d")
    first = rows.insert("k", "active", None)
    assert first is not None
    assert rows.insert("k", "active", None) is None
    rows.set_state(first, "removing")
    second = rows.insert("k", "active", None)
    assert second is not None
    assert second > first


def test_a_number_is_never_used_twice(database: Database) -> None:
    rows = SnapshotRows(database, "d")
    first = rows.insert("k", "active", None)
    assert first is not None
    rows.delete(first)
    second = rows.insert("k", "active", None)
    assert second is not None
    assert second > first


def test_a_chain_ends_where_a_layer_is_missing(database: Database) -> None:
    rows = SnapshotRows(database, "d")
    for name, parent in (("one", None), ("two", "one"), ("three", "two")):
        number = rows.insert(f"k-{name}", "active", parent)
        assert number is not None
        rows.set_state(number, "ready")
        rows.commit(number, name, "boot")
    assert [row.key for row in rows.chain("three")] == ["three", "two", "one"]
    assert rows.has_children("one")
    found = rows.find("one")
    assert found is not None
    rows.delete(found.number)
    assert [row.key for row in rows.chain("three")] == ["three", "two"]
    assert rows.chain("one") == []
