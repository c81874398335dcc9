"""The table of leases."""

from __future__ import annotations

from pathlib import Path

import pytest

from naru.db.database import Database
from naru.db.leases import Leases


@pytest.fixture
def leases(tmp_path: Path) -> Leases:
    return Leases(Database(tmp_path / "naru.db"))


def test_items_are_found_by_kind_and_lease(leases: Leases) -> None:
    leases.take("a", owner="x", expires_ns=10)
    leases.take("b", owner="y", expires_ns=20)
    leases.add("a", "blob", "1", "2", "2")
    leases.add("b", "blob", "2", "3")
    leases.add("b", "snapshot", "s")
    assert leases.items("blob") == {"1", "2", "3"}
    assert leases.items("blob", lease_id="a") == {"1", "2"}
    assert leases.items("ingest") == set()


def test_a_released_lease_keeps_nothing(leases: Leases) -> None:
    leases.take("a", owner="x", expires_ns=10)
    leases.add("a", "blob", "1")
    leases.release("a")
    leases.release("a")
    assert leases.items("blob") == set()


def test_taking_again_moves_the_end_and_keeps_the_items(leases: Leases) -> None:
    leases.take("a", owner="x", expires_ns=10)
    leases.add("a", "blob", "1")
    leases.take("a", owner="x", expires_ns=30)
    assert leases.expire(20) == 0
    assert leases.leases() == [("a", "x", 30)]
    assert leases.expire(30) == 1
    assert leases.items("blob") == set()
