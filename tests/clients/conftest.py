"""Both commands, one after the other."""

from __future__ import annotations

import pytest

from harness.clients import Client
from harness.engine import Engine
from harness.requirements import requires

_DOCKER = pytest.param("docker", marks=requires("docker"))
# Older releases of docker's command say some things otherwise.
_DOCKER_28 = pytest.param("docker", marks=[requires("docker"), pytest.mark.docker_release("28")])


@pytest.fixture(params=[_DOCKER, "naru"])
def client(engine: Engine, request: pytest.FixtureRequest) -> Client:
    """Give docker's command of whatever release, then ours."""
    return Client(request.param, engine)


@pytest.fixture(params=[_DOCKER_28, "naru"])
def client_28(engine: Engine, request: pytest.FixtureRequest) -> Client:
    """Give docker's command if it is of release 28, then ours."""
    return Client(request.param, engine)
