"""Pushing over the API: who may, what is refused, what is told, and clients that go."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from fakes.writable_registry import WritableRegistry
from harness import leaks
from harness.archives import Tree, docker_archive
from harness.engine import Engine
from harness.narud import EngineUnderTest
from harness.registry import in_thread
from harness.waiting import eventually
from harness.wire import Response

_NOBODY = {"X-Registry-Auth": "e30="}
_LAYER = Tree().file("pushed", "yes\n").tar()
_LABELS = {"kind": "pushed"}
_LOGIN = {"username": "me", "password": "secret"}


@pytest.fixture
def registry() -> Iterator[WritableRegistry]:
    with in_thread(WritableRegistry()) as made:
        yield made


@pytest.fixture
def guarded() -> Iterator[WritableRegistry]:
    with in_thread(WritableRegistry(auth="basic", users={"me": "secret"})) as made:
        yield made


@contextlib.contextmanager
def image(engine: Engine, registry: WritableRegistry) -> Iterator[str]:
    """Give a name in the registry that an image here has, with the tags 1 and 2."""
    name = f"{registry.host}/user/x"
    engine.load(docker_archive([f"{name}:1", f"{name}:2"], [_LAYER], {"Labels": _LABELS}))
    try:
        yield name
    finally:
        found = engine.docker("images", "-q", name).ok().lines()
        engine.docker("rmi", "-f", *set(found)).ok()


def push(
    engine: Engine, name: str, body: object = None, /, *, headers: Any = None, **query: str
) -> list[dict[str, Any]]:
    answer = engine.api("POST", f"/images/{name}/push", body, query=query, headers=headers)
    return [json.loads(line) for line in answer.ok(200).body.splitlines()]


def test_push_is_an_event_of_the_name(engine: Engine, registry: WritableRegistry) -> None:
    since = engine.api("GET", "/info").ok(200).json()["SystemTime"]
    with image(engine, registry) as name:
        push(engine, name, headers=_NOBODY, tag="1")
        push(engine, name, headers=_NOBODY)
    until = engine.api("GET", "/info").ok(200).json()["SystemTime"]
    query = {"since": since, "until": until, "filters": {"event": ["push"]}}
    lines = engine.api("GET", "/events", query=query).ok(200).body.splitlines()
    actors = [json.loads(line)["Actor"] for line in lines]
    assert [actor["ID"] for actor in actors] == [f"{name}:1", name]
    assert {actor["Attributes"]["name"] for actor in actors} == {name}


@pytest.mark.naru_only
def test_login_comes_in_the_header_or_as_of_old_in_the_body(
    engine: Engine, guarded: WritableRegistry
) -> None:
    header = base64.urlsafe_b64encode(json.dumps(_LOGIN).encode()).decode()
    with image(engine, guarded) as name:
        for headers in ({}, _NOBODY, {"X-Registry-Auth": "%%%"}):
            last = push(engine, name, headers=headers, tag="1")[-1]
            assert last["error"] == "no basic auth credentials"
            assert last["errorDetail"]["message"] == "no basic auth credentials"
            assert "naru login" in last["errorDetail"]["hint"]
        for body, headers in ((_LOGIN, {}), (None, {"X-Registry-Auth": header})):
            assert push(engine, name, body, headers=headers, tag="1")[-1]["aux"]["Tag"] == "1"
        refused = engine.api("POST", f"/images/{name}/push", b"{", query={"tag": "1"})
        assert refused.status == 400
        assert refused.message.startswith("bad parameters and missing X-Registry-Auth: ")


@pytest.mark.naru_only
def test_what_names_nothing_is_refused_with_a_status(engine: Engine) -> None:
    for name, tag, message in (
        (
            "x/UPPER",
            "1",
            "invalid reference format: repository name (x/UPPER) must be lowercase",
        ),
        ("x", "-", "invalid tag format"),
        ("x", "a:b", "invalid tag format"),
        (f"x@sha256:{'a' * 64}", "1", "cannot push a digest reference"),
    ):
        answer = engine.api("POST", f"/images/{name}/push", query={"tag": tag}, headers=_NOBODY)
        assert (answer.status, answer.message) == (400, message)


@pytest.mark.naru_only
def test_another_platform_than_is_here_is_refused(
    engine: Engine, registry: WritableRegistry
) -> None:
    with image(engine, registry) as name:

        def pushed(platform: str, version: str) -> Response:
            wanted = json.dumps({"os": "linux", "architecture": platform})
            query = {"tag": "1", "platform": wanted}
            path = f"/images/{name}/push"
            return engine.api("POST", path, query=query, headers=_NOBODY, version=version)

        pushed("amd64", "1.46").ok(200)
        refused = pushed("s390x", "1.46")
        assert refused.status == 404
        assert "does not match the specified platform (linux/s390x)" in refused.message
        # Before, the parameter was sent and meant nothing.
        pushed("s390x", "1.45").ok(200)


@pytest.mark.naru_only
def test_push_of_a_client_that_goes_is_broken_off(
    engine: EngineUnderTest, registry: WritableRegistry
) -> None:
    def leases() -> list[str]:
        found = leaks.rows(engine.content_root / "naru.db")
        return [row for row in found if row.startswith("leases ") and "images.push" in row]

    with image(engine, registry) as name:
        registry.gate.clear()
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(engine.socket)
        path = f"/images/{name}/push?tag=1"
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
        eventually(registry.waiting.is_set, "an upload is about to end")
        assert len(leases()) == 1
        connection.close()
        eventually(lambda: not leases(), "the push ends")
        assert ("user/x", "1") not in registry.manifests
