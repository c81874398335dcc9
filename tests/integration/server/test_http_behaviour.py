"""What clients may rely on below the use-cases: versions, headers, texts of refusals."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, UnixConnector, WSMsgType

from harness.engine import Engine
from harness.requirements import requires

pytestmark = requires("root")


def test_ping_tells_who_is_there(engine: Engine) -> None:
    for method in ("GET", "HEAD"):
        for version in ("", engine.version):
            answer = engine.api(method, "/_ping", version=version).ok(200)
            assert answer.body == (b"OK" if method == "GET" else b"")
            assert answer.headers["ostype"] == "linux"
            assert answer.headers["docker-experimental"] == "false"
            assert answer.headers["cache-control"] == "no-cache, no-store, must-revalidate"
            assert "server" in answer.headers
            # Docker 20.10 leaves it out where it has no builder to name.
            assert "builder-version" in answer.headers or not engine.is_naru
            assert answer.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.naru_only
def test_versions_outside_the_window_are_refused(engine: Engine) -> None:
    answer = engine.api("GET", "/version", version="1.99").ok(400)
    assert answer.message == (
        "client version 1.99 is too new. Maximum supported API version is 1.50"
    )
    assert answer.headers["api-version"] == "1.50"
    answer = engine.api("GET", "/version", version="1.10").ok(400)
    assert answer.message == (
        "client version 1.10 is too old. Minimum supported API version is 1.24, please upgrade "
        "your client to a newer version"
    )


@pytest.mark.naru_only
@pytest.mark.parametrize("minor", range(24, 51))
def test_every_version_between_is_spoken(engine: Engine, minor: int) -> None:
    version = f"1.{minor}"
    for path in ("/version", "/info", "/containers/json?all=1", "/images/json", "/networks"):
        engine.api("GET", path, version=version).ok(200)


def test_unknown_paths_are_said_to_be_none(engine: Engine) -> None:
    for method, path in (
        ("GET", "/nothing"),
        ("GET", "/containers"),
        ("POST", "/containers/json"),
        ("PATCH", "/_ping"),
    ):
        answer = engine.api(method, path).ok(404)
        assert answer.message == "page not found", (method, path)
        assert answer.headers["content-type"].startswith("application/json")


# Docker 20.10 took most of these for faults of its own; newer ones answer 400.
@pytest.mark.naru_only
@pytest.mark.parametrize(
    ("body", "content_type", "words"),
    [
        (b"{", "application/json", ""),
        (b"", "application/json", "EOF"),
        (b"{}", "text/plain", "Content-Type"),
        (b'{"Image": 5}', "application/json", ""),
        (b"[]", "application/json", ""),
        (b"{}", "application/json", ""),
    ],
)
def test_bodies_that_cannot_be_right_are_400(
    engine: Engine, body: bytes, content_type: str, words: str
) -> None:
    headers = {"Content-Type": content_type}
    answer = engine.api("POST", "/containers/create", body, headers=headers).ok(400)
    assert answer.message
    assert words in answer.message


@pytest.mark.naru_only
def test_a_body_without_end_is_refused(engine: Engine) -> None:
    body = b'{"Image": "' + b"x" * (20 << 20) + b'"}'
    headers = {"Content-Type": "application/json"}
    try:
        answer = engine.api("POST", "/containers/create", body, headers=headers)
    except (BrokenPipeError, ConnectionResetError):
        return
    assert answer.status == 400
    assert answer.message == "http: request body too large"


def test_nulls_are_no_values(engine: Engine) -> None:
    body: dict[str, Any] = {
        "Image": "busybox",
        "Cmd": ["true"],
        "Hostname": None,
        "Healthcheck": {"Test": None, "Interval": None},
        "HostConfig": {"Memory": None, "LogConfig": None, "RestartPolicy": None, "Binds": None},
        "NetworkingConfig": None,
    }
    answer = engine.api("POST", "/containers/create", body).ok(201)
    engine.remove(answer.json()["Id"])


def test_a_start_with_a_body_is_refused(engine: Engine) -> None:
    container = engine.create("true")
    answer = engine.api("POST", f"/containers/{container}/start", {"Binds": ["/tmp:/tmp"]})
    assert answer.status == 400
    assert "starting container with non-empty request body" in answer.message


@pytest.mark.parametrize("text", ["1", "true", "True", "yes", "t", "whatever"])
def test_words_that_are_true(engine: Engine, text: str) -> None:
    container = engine.create("true")
    found = engine.api("GET", f"/containers/json?all={text}").json()
    assert container in [item["Id"] for item in found]


@pytest.mark.parametrize("text", ["", "0", "no", "false", "none", "FALSE"])
def test_words_that_are_false(engine: Engine, text: str) -> None:
    container = engine.create("true")
    found = engine.api("GET", f"/containers/json?all={text}").json()
    assert container not in [item["Id"] for item in found]


def test_wrong_filters_are_named(engine: Engine) -> None:
    query = {"filters": json.dumps({"colour": ["red"]})}
    answer = engine.api("GET", "/containers/json", query=query).ok(400)
    assert answer.message in ("invalid filter 'colour'", "Invalid filter 'colour'")
    if engine.is_naru:
        answer = engine.api("GET", "/containers/json", query={"filters": "["}).ok(400)
        assert answer.message == "invalid filter"


def test_a_connection_serves_many_requests(engine: Engine) -> None:
    connection = http.client.HTTPConnection("docker")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(engine.socket)
    for path in ("/_ping", "/version", "/nothing", "/containers/json", "/_ping"):
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == (404 if path == "/nothing" else 200)
    connection.close()


async def test_a_websocket_carries_a_container(engine: Engine) -> None:
    container = engine.create("cat", OpenStdin=True, StdinOnce=True)
    url = f"http://docker/v{engine.version}/containers/{container}/attach/ws"
    query = "?stream=1&stdin=1&stdout=1"
    async with (
        ClientSession(connector=UnixConnector(engine.socket)) as session,
        session.ws_connect(url + query, origin="http://docker") as client,
    ):
        engine.start(container)
        await client.send_str("typed\n")
        received = b""
        while b"typed\n" not in received:
            message = await client.receive(timeout=10)
            assert message.type in (WSMsgType.BINARY, WSMsgType.TEXT), message
            data = message.data
            received += data.encode() if isinstance(data, str) else data


@pytest.mark.naru_only
def test_garbage_for_load_is_told_in_the_stream(engine: Engine, tmp_path: Path) -> None:
    answer = engine.api("POST", "/images/load", b"this is no archive" * 100).ok(200)
    [*_, last] = answer.json_lines()
    assert last["error"] == last["errorDetail"]["message"]
    archive = tmp_path / "no.tar"
    archive.write_bytes(b"no archive")
    done = engine.docker("load", "-i", str(archive))
    assert done.code == 1


def test_docker_py_loses_no_output_of_an_exec(engine: Engine) -> None:
    container = engine.up()
    client = engine.client()
    try:
        found = client.containers.get(container)
        for _ in range(15):
            code, (out, err) = found.exec_run(
                ["sh", "-c", "echo out; echo err >&2; exit 4"], demux=True
            )
            assert (code, out, err) == (4, b"out\n", b"err\n")
    finally:
        client.close()
