"""Containers in memory and in their table."""

from __future__ import annotations

import pytest

from naru.api.container_config import ContainerConfig
from naru.api.host_config import HostConfig
from naru.db.containers import ContainerRows
from naru.db.database import Database
from naru.engine.live.registry import Registry
from naru.engine.model import Container, ContainerRecord, ContainerState
from naru.errors import ConflictError, InvalidInputError, NotFoundError


def _container(container_id: str, name: str) -> Container:
    record = ContainerRecord(
        created_ns=1,
        image_id="sha256:" + "0" * 64,
        image_name="busybox",
        config=ContainerConfig(cmd=["true"], env=None, stop_timeout=0),
        host_config=HostConfig(init=False),
        endpoints={},
        mounts=[],
    )
    return Container(container_id, name, record, ContainerState())


@pytest.fixture
def database() -> Database:
    return Database(":memory:")


@pytest.fixture
def registry(database: Database) -> Registry:
    registry = Registry(ContainerRows(database))
    registry.add(_container("ab" * 32, "first"))
    registry.add(_container("ac" * 32, "second"))
    return registry


def test_found_by_id_name_slashed_name_and_prefix(registry: Registry) -> None:
    for text in ("ab" * 32, "first", "/first", "abab"):
        assert registry.find(text).name == "first"


def test_a_prefix_of_several_is_ambiguous(registry: Registry) -> None:
    with pytest.raises(InvalidInputError, match="multiple IDs found with provided prefix: a"):
        registry.find("a")


def test_what_is_not_there_is_named(registry: Registry) -> None:
    with pytest.raises(NotFoundError, match="No such container: nobody"):
        registry.find("nobody")


def test_a_name_that_looks_like_an_id_wins_over_the_prefix(registry: Registry) -> None:
    registry.add(_container("cd" * 32, "abab"))
    assert registry.find("abab").id == "cd" * 32


def test_a_taken_name_is_refused_with_the_owner(registry: Registry) -> None:
    with pytest.raises(ConflictError, match='name "/first" is already in use by container "abab'):
        registry.add(_container("ef" * 32, "first"))
    assert len(registry) == 2


def test_a_reserved_name_is_taken_by_nobody_else(registry: Registry) -> None:
    first, second = registry.find("first"), registry.find("second")
    with registry.reserved("wanted", first.id):
        assert not registry.is_name_free("wanted")
        with pytest.raises(ConflictError, match="already in use"):
            registry.rename(second, "wanted")
        registry.rename(first, "wanted")
    assert registry.holder("wanted") is first
    assert registry.holder("want") is None
    registry.rename(second, "first")


def test_rename_frees_the_old_name(registry: Registry) -> None:
    registry.rename(registry.find("first"), "third")
    assert registry.is_name_free("first")
    assert registry.find("third").id == "ab" * 32


def test_everything_survives_the_process(registry: Registry, database: Database) -> None:
    container = registry.find("first")
    container.state.exit_code = 3
    registry.save_state(container)
    registry.rename(container, "renamed")
    registry.remove(registry.find("second"))
    again = Registry(ContainerRows(database))
    assert [c.name for c in again] == ["renamed"]
    assert again.find("renamed") == container


def test_remove_twice_is_harmless(registry: Registry) -> None:
    container = registry.find("first")
    registry.remove(container)
    registry.remove(container)
    with pytest.raises(NotFoundError):
        registry.find("first")
