"""Both commands reach an engine on another machine by ssh."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import ssh_host
from harness.clients import Client
from harness.engine import Engine
from harness.requirements import requires
from harness.ssh_host import SshHost

pytestmark = requires("root")


@pytest.fixture(scope="module")
def host(shared_engine: Engine) -> Iterator[SshHost]:
    socket = f"unix://{shared_engine.socket}"
    path = f"{Path(shared_engine.naru_program).parent}:{os.environ['PATH']}"
    with ssh_host.serving({"NARU_HOST": socket, "DOCKER_HOST": socket, "PATH": path}) as serving:
        yield serving


@pytest.fixture
def env(host: SshHost) -> dict[str, str]:
    return {"DOCKER_HOST": host.url, "PATH": f"{host.path}:{os.environ['PATH']}"}


def test_a_container_runs_over_there(client: Client, env: dict[str, str]) -> None:
    words = ("run", "--rm", "-i", "busybox", "sh", "-c", "cat; echo problem >&2; exit 7")
    # The end of our input gets there, too.
    done = client(*words, stdin="to and fro", env=env)
    assert (done.code, done.out, done.err) == (7, "to and fro", "problem\n"), done


def test_a_path_names_the_socket_over_there(client: Client, env: dict[str, str]) -> None:
    url = f"{env['DOCKER_HOST']}{client.engine.socket}"
    there = client("version", "-f", "{{.Server.Os}}", env=env | {"DOCKER_HOST": url}).ok()
    assert there.out == "linux\n"
    nowhere = client("ps", env=env | {"DOCKER_HOST": f"{env['DOCKER_HOST']}/tmp/nothing"})
    assert nowhere.code == 1
    assert "Cannot connect to the Docker daemon at" in nowhere.err


def test_nobody_is_let_in_without_a_key(client: Client, host: SshHost, env: dict[str, str]) -> None:
    with host.refusing():
        refused = client("ps", env=env)
    assert refused.code == 1
    assert "has exited with exit status 255" in refused.err
    assert "Permission denied (publickey)" in refused.err
