"""Ping, version, info, and how errors are told."""

from __future__ import annotations

import pytest

from harness import wire
from harness.engine import Engine
from harness.programs import Result
from harness.registry import serving


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_ping_tells_the_version(engine: Engine, method: str) -> None:
    answer = engine.api(method, "/_ping", version="")
    assert answer.status == 200
    assert answer.headers["ostype"] == "linux"
    assert answer.headers["cache-control"] == "no-cache, no-store, must-revalidate"
    assert answer.body == (b"OK" if method == "GET" else b"")


@pytest.mark.naru_only
def test_versions_from_1_24_to_1_50_are_spoken(engine: Engine) -> None:
    assert engine.api("GET", "/_ping", version="").headers["api-version"] == "1.50"
    for version in ("1.24", "1.50"):
        assert (
            engine.api("GET", "/version", version=version).ok(200).json()["MinAPIVersion"] == "1.24"
        )
    answer = engine.api("GET", "/version", version="1.23")
    assert answer.status == 400
    assert answer.message == (
        "client version 1.23 is too old. Minimum supported API version is 1.24, "
        "please upgrade your client to a newer version"
    )
    answer = engine.api("GET", "/version", version="1.99")
    assert answer.status == 400
    assert answer.message == (
        "client version 1.99 is too new. Maximum supported API version is 1.50"
    )


def test_version_has_what_the_command_prints(engine: Engine) -> None:
    found = engine.api("GET", "/version").ok(200).json()
    for key in ("Version", "ApiVersion", "MinAPIVersion", "Os", "Arch", "KernelVersion"):
        assert found[key]
    names = {component["Name"] for component in found["Components"]}
    assert "Engine" in names


def test_info_counts_containers_and_images(engine: Engine) -> None:
    before = engine.api("GET", "/info").ok(200).json()
    engine.create("true")
    running = engine.up()
    paused = engine.up()
    engine.api("POST", f"/containers/{paused}/pause").ok(204)
    after = engine.api("GET", "/info").ok(200).json()
    for key, more in (
        ("Containers", 3),
        ("ContainersRunning", 1),
        ("ContainersPaused", 1),
        ("ContainersStopped", 1),
    ):
        assert after[key] - before[key] == more, key
    assert after["Images"] >= 1
    assert running


def test_info_describes_the_machine(engine: Engine) -> None:
    found = engine.api("GET", "/info").ok(200).json()
    assert found["OSType"] == "linux"
    assert found["NCPU"] >= 1
    assert found["MemTotal"] > 1 << 20
    assert found["DefaultRuntime"] in found["Runtimes"]
    assert found["CgroupVersion"] in ("1", "2")
    assert "name=seccomp,profile=default" in found["SecurityOptions"] or (
        "name=seccomp,profile=builtin" in found["SecurityOptions"]
    )
    assert found["DockerRootDir"]


@pytest.mark.naru_only
def test_info_says_what_runs_containers(engine: Engine) -> None:
    found = engine.api("GET", "/info").ok(200).json()
    version = engine.api("GET", "/version").ok(200).json()
    parts = {part["Name"]: part for part in version["Components"]}
    runtime = parts[found["DefaultRuntime"]]
    assert runtime["Version"]
    assert runtime["Details"]["GitCommit"] == found["RuncCommit"]["ID"] != ""
    assert parts[found["InitBinary"]]["Version"]
    assert found["IPv4Forwarding"] is True
    old = engine.api("GET", "/info", version="1.24").ok(200).json()
    assert old["RuncCommit"]["Expected"] == old["RuncCommit"]["ID"]
    assert "seccomp" in old["SecurityOptions"]
    assert old["ExecutionDriver"] == "<not supported>"


@pytest.mark.naru_only
def test_both_commands_print_the_same_of_the_engine(engine: Engine) -> None:
    for command in ("info", "version"):
        ours, theirs = (_server_half(run(command)) for run in (engine.naru, engine.docker))
        assert ours == theirs != []


def _server_half(result: Result) -> list[list[str]]:
    """Return the words of each line; docker lists runtimes in no order, and Go is not here."""
    lines = result.ok().out.partition("Server:")[2].splitlines()
    words = [line.split(" ") for line in lines if "Go version" not in line]
    return [sorted(line) if "Runtimes:" in line else line for line in words]


def test_the_real_command_prints_info_and_version(engine: Engine) -> None:
    assert "Server:" in engine.docker("version").ok().out
    assert "Server Version:" in engine.docker("info").ok().out


def test_errors_are_json_with_a_message(engine: Engine) -> None:
    answer = engine.api("GET", "/containers/naru-test-nobody/json")
    assert answer.status == 404
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json() == {"message": "No such container: naru-test-nobody"}


def test_an_unknown_page_is_not_found(engine: Engine) -> None:
    answer = engine.api("GET", "/naru-test/nowhere")
    assert answer.status == 404
    assert answer.json() == {"message": "page not found"}


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"Image": 7}', b"\xff\xfe", b'"text"'])
def test_a_body_that_is_no_request_is_refused(engine: Engine, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = engine.api("POST", "/containers/create", body, headers=headers)
    assert answer.status in (400, 500)
    assert answer.message
    if engine.is_naru:
        assert answer.status == 400


def test_a_body_without_a_type_is_refused(engine: Engine) -> None:
    headers = {"Content-Type": "text/plain"}
    answer = engine.api("POST", "/containers/create", b"{}", headers=headers)
    assert answer.status in (400, 415, 500)


def test_an_oversized_head_does_not_kill_the_engine(engine: Engine) -> None:
    answer = engine.api("GET", "/_ping", version="", headers={"X-Long": "x" * 200_000})
    assert answer.status in (200, 400, 431)
    assert engine.api("GET", "/_ping", version="").status == 200


def test_half_a_request_does_no_harm(engine: Engine) -> None:
    for _ in range(20):
        connection = wire.UnixConnection(engine.socket, 5)
        connection.connect()
        connection.sock.sendall(b"POST /containers/create HTTP/1.1\r\nContent-Length: 100\r\n\r\n{")
        connection.close()
    assert engine.api("GET", "/_ping", version="").status == 200


@pytest.mark.naru_only
def test_a_login_is_checked_with_the_registry(engine: Engine) -> None:
    with serving() as registry:
        body = {"username": "me", "password": "secret", "serveraddress": registry.address}
        answer = engine.api("POST", "/auth", body).ok(200).json()
        assert answer == {"Status": "Login Succeeded", "IdentityToken": ""}
    answer = engine.api("POST", "/auth", body)
    assert answer.status == 500
    assert "connection refused" in answer.message
    answer = engine.api("POST", "/auth", {"serveraddress": "no such place"})
    assert answer.status == 400
