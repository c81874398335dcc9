"""rmi in all its cases: the answer, the names that are left and the events are Docker's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from harness.engine import Engine
from harness.image_removal import ENVIRONMENTS, GOLDEN, Environment, archive, cases
from harness.registry import serving
from harness.requirements import requires

pytestmark = requires("root", "crun", "conmon", "nft", "docker-registry", "skopeo")


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    found = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    """Give the address of a registry with the image in it."""
    with serving({"box:1": archive(("box:1",))}) as served:
        yield served.address


@pytest.mark.parametrize(("users", "has_child"), ENVIRONMENTS)
def test_an_image_goes_or_stays_as_in_docker(
    engine: Engine, registry: str, golden: dict[str, Any], users: str, has_child: bool
) -> None:
    environment = Environment(engine, registry, users, has_child=has_child)
    try:
        found = {case.name: environment.outcome(case) for case in cases(users, has_child=has_child)}
    finally:
        environment.close()
    assert found == {name: golden[name] for name in found}


def test_every_recorded_case_is_tried(golden: dict[str, Any]) -> None:
    tried = {
        case.name for users, has_child in ENVIRONMENTS for case in cases(users, has_child=has_child)
    }
    assert tried == golden.keys()
