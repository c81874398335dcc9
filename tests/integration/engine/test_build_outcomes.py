"""Dockerfiles come to what Docker makes of them: config, history, and the files of each layer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from harness.builds import BASE, CASES, GOLDEN, TRIGGERS, outcome, provide_bases
from harness.engine import Engine
from harness.requirements import requires

pytestmark = requires("root", "crun", "conmon", "nft")


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    found = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def bases(shared_engine: Engine) -> Iterator[Engine]:
    provide_bases(shared_engine)
    yield shared_engine
    for name in (BASE, TRIGGERS):
        shared_engine.api("DELETE", f"/images/{name}", query={"force": True}).ok(200)


@pytest.mark.parametrize("case", sorted(CASES))
def test_a_dockerfile_comes_to_what_docker_makes_of_it(
    case: str, bases: Engine, engine: Engine, golden: dict[str, Any]
) -> None:
    found = outcome(engine, case)
    wanted = golden[case]
    assert found["config"] == wanted["config"]
    assert (found["author"], found["history"]) == (wanted["author"], wanted["history"])
    assert len(found["layers"]) == len(wanted["layers"])
    for layer, wanted_layer in zip(found["layers"], wanted["layers"], strict=True):
        assert layer == wanted_layer
