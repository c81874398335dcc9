"""Requests that cannot be right: Docker's words, Docker's status, and nothing left behind.

That nothing is left is checked by the fixture, which compares the engine's footprint.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from harness.engine import Engine


def _create(engine: Engine, body: object, name: str | None = None) -> tuple[int, str]:
    answer = engine.api("POST", "/containers/create", body, query={"name": name})
    if answer.status == 201:
        engine.remove(answer.json()["Id"])
        return 201, ""
    return answer.status, answer.message


def test_an_unknown_image_is_named(engine: Engine) -> None:
    assert _create(engine, {"Image": "naru-test/none"}) == (
        404,
        "No such image: naru-test/none:latest",
    )


@pytest.mark.parametrize("image", ["UPPER", "a//b", ":tag", "a:b:c", "busybox:" + "x" * 200])
def test_a_reference_that_is_none(engine: Engine, image: str) -> None:
    status, message = _create(engine, {"Image": image})
    assert status in (400, 404)
    assert message


@pytest.mark.parametrize("body", [{}, {"Cmd": ["true"]}, {"Image": ""}])
def test_no_image_at_all(engine: Engine, body: dict[str, Any]) -> None:
    status, message = _create(engine, body)
    # 20.10 made a container without an image of "no command"; later engines ask for one.
    assert status == 400 or not engine.is_naru
    if engine.is_naru:
        assert message


@pytest.mark.parametrize("name", ["-x", "a b", "ä", ".hidden", "/"])
def test_a_name_that_is_none(engine: Engine, name: str) -> None:
    status, message = _create(engine, {"Image": "busybox", "Cmd": ["true"]}, name)
    assert status == 400
    assert message.startswith(f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-]")


def test_a_name_in_use(engine: Engine) -> None:
    first = engine.create("true", name="naru-test-used")
    status, message = _create(engine, {"Image": "busybox", "Cmd": ["true"]}, "naru-test-used")
    assert status == 409
    assert message == (
        f'Conflict. The container name "/naru-test-used" is already in use by container "{first}". '
        "You have to remove (or rename) that container to be able to reuse that name."
    )


def test_an_unknown_user_is_named(engine: Engine) -> None:
    container = engine.create("true", User="naru-nobody")
    answer = engine.api("POST", f"/containers/{container}/start")
    assert answer.status in (400, 500)
    assert "unable to find user naru-nobody: no matching entries in passwd file" in answer.message


def test_an_unknown_group_is_named(engine: Engine) -> None:
    container = engine.create("true", User="root:naru-nobodies")
    answer = engine.api("POST", f"/containers/{container}/start")
    assert answer.status in (400, 500)
    assert "unable to find group naru-nobodies: no matching entries in group file" in answer.message


def test_a_relative_working_directory(engine: Engine) -> None:
    body = {"Image": "busybox", "Cmd": ["true"], "WorkingDir": "a/b"}
    assert _create(engine, body) == (
        400,
        "the working directory 'a/b' is invalid, it needs to be an absolute path",
    )


def test_a_variable_without_a_name(engine: Engine) -> None:
    body = {"Image": "busybox", "Cmd": ["true"], "Env": ["=x"]}
    assert _create(engine, body) == (400, "invalid environment variable: =x")


def test_a_stop_signal_that_is_none(engine: Engine) -> None:
    body = {"Image": "busybox", "Cmd": ["true"], "StopSignal": "SIGNOPE"}
    status, message = _create(engine, body)
    assert (status, message.lower()) == (400, "invalid signal: signope")


def test_an_unknown_runtime_is_named(engine: Engine) -> None:
    body = {"Image": "busybox", "Cmd": ["true"], "HostConfig": {"Runtime": "naru-none"}}
    status, message = _create(engine, body)
    assert status == 400
    assert "naru-none" in message


def test_an_unknown_security_option(engine: Engine) -> None:
    answer = engine.refusal("true", host={"SecurityOpt": ["naru=none"]})
    assert answer.status in (400, 500)
    assert "naru=none" in answer.message


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("json", "GET"),
        ("start", "POST"),
        ("stop", "POST"),
        ("kill", "POST"),
        ("restart", "POST"),
        ("pause", "POST"),
        ("unpause", "POST"),
        ("rename?name=naru-test-x", "POST"),
        ("top", "GET"),
        ("", "DELETE"),
    ],
)
def test_a_container_that_is_not_there(engine: Engine, path: str, method: str) -> None:
    answer = engine.api(method, f"/containers/naru-test-nobody/{path}".rstrip("/"))
    assert answer.status == 404
    # Killing puts words of its own in front.
    assert answer.message.endswith("No such container: naru-test-nobody")


def test_a_prefix_that_fits_two(engine: Engine) -> None:
    seen = ""
    # Seventeen ids begin with sixteen digits at most.
    while (digit := engine.create("true")[0]) not in seen:
        seen += digit
    answer = engine.api("GET", f"/containers/{digit}/json")
    assert answer.status == 400 or not engine.is_naru
    assert re.search("multiple ids found with provided prefix", answer.message, re.IGNORECASE)


@pytest.mark.parametrize("query", [{"t": "soon"}, {"t": "1.5"}])
def test_a_time_that_is_none(engine: Engine, query: dict[str, str]) -> None:
    container = engine.up()
    answer = engine.api("POST", f"/containers/{container}/stop", query=query)
    assert answer.status in (400, 500)
    assert answer.message


def test_sizes_of_a_terminal_that_are_none(engine: Engine) -> None:
    container = engine.up("sh", Tty=True, OpenStdin=True)
    for query in ({"h": "x", "w": "1"}, {"h": "-1", "w": "1"}, {"w": "1"}):
        answer = engine.api("POST", f"/containers/{container}/resize", query=query)
        # 20.10 took what it could not read for nothing.
        assert answer.status == 400 or not engine.is_naru


def test_a_path_that_climbs_is_no_name(engine: Engine) -> None:
    for name in ("..%2f..%2fetc", "%2e%2e", "a%00b", "%ff"):
        answer = engine.api("GET", f"/containers/{name}/json")
        assert answer.status in (301, 400, 404)
