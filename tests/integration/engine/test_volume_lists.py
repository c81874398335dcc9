"""Which volumes are listed and pruned, by filters and by version of the API; what is in use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from harness.engine import Engine

_PREFIX = f"naru-list-{os.getpid()}-"


@pytest.fixture
def named(engine: Engine) -> Iterator[dict[str, str]]:
    """Give volumes by what is special about them; one is used by a container."""
    names = {kind: _PREFIX + kind for kind in ("plain", "labelled", "used", "far")}
    for kind, name in names.items():
        body: dict[str, Any] = {"Name": name, "Labels": {"kind": kind}}
        if kind == "far":
            body["DriverOpts"] = {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}
        engine.api("POST", "/volumes/create", body).ok(201)
    engine.up("sleep", "1000", host={"Binds": [f"{names['used']}:/d"]})
    yield names
    engine.remove_all()
    for name in names.values():
        engine.api("DELETE", f"/volumes/{name}").ok(204, 404)


def _listed(engine: Engine, **filters: object) -> set[str]:
    query = {"filters": {"name": [_PREFIX], **filters}}
    found = engine.api("GET", "/volumes", query=query).ok(200).json()["Volumes"]
    return {volume["Name"].removeprefix(_PREFIX) for volume in found}


def test_filters_choose_what_is_listed(engine: Engine, named: dict[str, str]) -> None:
    assert _listed(engine) == set(named)
    assert _listed(engine, dangling=["true"]) == set(named) - {"used"}
    assert _listed(engine, dangling=["0"]) == {"used"}
    assert _listed(engine, driver=["local"]) == set(named)
    assert _listed(engine, driver=["other"]) == set()
    assert _listed(engine, label=["kind=plain"]) == {"plain"}
    assert _listed(engine, label=["kind"]) == set(named)
    assert _listed(engine, name=["labelled"]) == {"labelled"}
    for wrong in ({"until": ["1h"]}, {"dangling": ["perhaps"]}):
        assert engine.api("GET", "/volumes", query={"filters": wrong}).status == 400


def test_what_is_used_is_named_and_stays(engine: Engine, named: dict[str, str]) -> None:
    [container] = engine.containers()
    answer = engine.api("DELETE", f"/volumes/{named['used']}", query={"force": "1"})
    words = f"remove {named['used']}: volume is in use - [{container}]"
    assert (answer.status, answer.message) == (409, words)
    engine.api("POST", f"/containers/{container}/kill").ok(204)
    assert engine.api("DELETE", f"/volumes/{named['used']}").status == 409
    assert engine.api("DELETE", f"/volumes/{_PREFIX}none").status == 404
    assert engine.api("DELETE", f"/volumes/{_PREFIX}none", query={"force": "1"}).status == 204


@pytest.mark.naru_only
def test_prunes_take_what_their_version_of_the_api_says(
    engine: Engine, named: dict[str, str]
) -> None:
    def pruned(version: str, filters: dict[str, list[str]]) -> set[str]:
        query = {"filters": filters}
        answer = engine.api("POST", "/volumes/prune", query=query, version=version).ok(200).json()
        return {name.removeprefix(_PREFIX) for name in answer["VolumesDeleted"] or ()}

    anonymous = engine.api("POST", "/volumes/create", {}).ok(201).json()["Name"]
    assert pruned("1.42", {}) == {anonymous}
    assert pruned("1.42", {"all": ["false"]}) == set()
    assert pruned("1.42", {"all": ["true"], "label": ["kind=plain"]}) == {"plain"}
    # What is mounted from elsewhere is not the engine's to clear.
    assert pruned("1.41", {}) == {"labelled"}
    assert _listed(engine) == {"used", "far"}
    again = engine.api("POST", "/volumes/create", {"Name": named["plain"]}).ok(201).json()
    assert again["Name"] == named["plain"]
    assert pruned("1.42", {"all": ["1"]}) == {"plain"}


@pytest.mark.naru_only
def test_volumes_of_a_cluster_need_a_swarm(engine: Engine) -> None:
    answer = engine.api("PUT", "/volumes/any", {"Spec": {}}, query={"version": 1}, version="1.48")
    assert answer.status == 503
    assert answer.message.startswith("This node is not a swarm manager.")
