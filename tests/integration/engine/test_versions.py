"""What creating and inspecting a container mean in each version of the API, by the table of changes."""

from __future__ import annotations

from typing import Any

import pytest

from harness.engine import LABELS, Engine

pytestmark = pytest.mark.naru_only
_NEWEST = "1.50"


def _before(version: str) -> str:
    major, _, minor = version.partition(".")
    return f"{major}.{int(minor) - 1}"


def _create(engine: Engine, version: str, body: dict[str, Any], **query: object) -> Any:
    request = {"Image": "busybox:latest", "Cmd": ["sleep", "1000"], "Labels": LABELS}
    return engine.api("POST", "/containers/create", request | body, version=version, query=query)


def _field(engine: Engine, container: str, path: str, version: str = _NEWEST) -> Any:
    found = engine.api("GET", f"/containers/{container}/json", version=version).ok(200).json()
    for key in path.split("."):
        found = found.get(key)
        if found is None:
            break
    return found


@pytest.mark.parametrize(
    ("since", "body", "path", "before", "after"),
    [
        ("1.25", {"HostConfig": {"AutoRemove": True}}, "HostConfig.AutoRemove", False, True),
        ("1.40", {}, "HostConfig.IpcMode", "shareable", "private"),
        (
            "1.42",
            {"HostConfig": {"ConsoleSize": [24, 80]}},
            "HostConfig.ConsoleSize",
            [0, 0],
            [24, 80],
        ),
        (
            "1.43",
            {"HostConfig": {"Annotations": {"a": "b"}}},
            "HostConfig.Annotations",
            None,
            {"a": "b"},
        ),
        (
            "1.44",
            {"Healthcheck": {"Test": ["CMD", "true"], "StartInterval": 10**9}},
            "Config.Healthcheck.StartInterval",
            None,
            10**9,
        ),
    ],
)
def test_a_field_counts_from_its_version_on(
    engine: Engine, since: str, body: dict[str, Any], path: str, before: object, after: object
) -> None:
    for version, expected in ((_before(since), before), (since, after), (_NEWEST, after)):
        container = _create(engine, version, body).ok(201).json()["Id"]
        assert _field(engine, container, path) == expected, version


_BIND = {"Type": "bind", "Source": "/tmp", "Target": "/x", "ReadOnly": True}
_TWO: dict[str, Any] = {"EndpointsConfig": {"bridge": {}, "naru-test-second": {}}}


@pytest.mark.parametrize(
    ("since", "body", "problem"),
    [
        (
            "1.44",
            {"HostConfig": {"Mounts": [_BIND | {"BindOptions": {"ReadOnlyForceRecursive": True}}]}},
            "BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer",
        ),
        (
            "1.44",
            {"NetworkingConfig": _TWO},
            "Container cannot be created with multiple network endpoints: bridge, naru-test-second",
        ),
        (
            "1.48",
            {"HostConfig": {"Mounts": [{"Type": "image", "Source": "busybox", "Target": "/x"}]}},
            'Mount type "image" needs API v1.48 or newer',
        ),
    ],
)
def test_what_a_version_cannot_have_is_refused_in_it_alone(
    engine: Engine, since: str, body: dict[str, Any], problem: str
) -> None:
    old = _create(engine, _before(since), body)
    assert (old.status, old.json()["message"]) == (400, problem)
    _create(engine, since, body).ok(201)


def test_options_of_another_kind_of_mount_are_refused_since_1_42(engine: Engine) -> None:
    body = {"HostConfig": {"Mounts": [_BIND | {"VolumeOptions": {}}]}}
    _create(engine, "1.41", body).ok(201)
    answer = _create(engine, "1.42", body)
    assert (answer.status, answer.json()["message"]) == (
        400,
        'VolumeOptions must not be specified on mount type "bind"',
    )


def test_a_platform_is_asked_for_since_1_41(engine: Engine) -> None:
    _create(engine, "1.40", {}, platform="linux/s390x").ok(201)
    answer = _create(engine, "1.41", {}, platform="linux/s390x")
    assert answer.status == 404
    assert answer.json()["message"].startswith("image with reference busybox:latest was found but")
    assert answer.json()["message"].endswith("does not match the specified platform (linux/s390x)")


def test_annotations_are_listed_since_1_46(engine: Engine) -> None:
    body = {"HostConfig": {"Annotations": {"a": "b"}}}
    _create(engine, _NEWEST, body).ok(201)
    for version, expected in (("1.45", None), ("1.46", {"a": "b"})):
        query = {"all": True}
        [item] = engine.api("GET", "/containers/json", query=query, version=version).ok(200).json()
        assert item["HostConfig"].get("Annotations") == expected


@pytest.mark.parametrize(
    "version", ["1.24", "1.30", "1.40", "1.41", "1.42", "1.44", "1.47", "1.50"]
)
def test_a_container_lives_its_whole_life_in_every_version(engine: Engine, version: str) -> None:
    container = _create(engine, version, {}, name="naru-test-aged").ok(201).json()["Id"]
    path = f"/containers/{container}"
    taken = _create(engine, version, {}, name="naru-test-aged")
    assert taken.status == 409
    assert taken.json()["message"] == (
        f'Conflict. The container name "/naru-test-aged" is already in use by container '
        f'"{container}". You have to remove (or rename) that container to be able to reuse that '
        "name."
    )
    engine.api("POST", f"{path}/start", version=version).ok(204)
    assert _field(engine, container, "State.Running", version) is True
    engine.api("POST", f"{path}/recreate", {"Env": ["A=1"]}, version=version, query={"t": 0}).ok(
        200
    )
    assert "A=1" in _field(engine, container, "Config.Env", version)
    engine.api("DELETE", path, version=version, query={"force": True}).ok(204)
