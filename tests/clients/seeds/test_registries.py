"""Registries as users meet them: searching, versions, private ones, logging in and out.

Docker Hub and a third registry are behind a proxy here, under their own names.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fakes.fake_registry import FakeRegistry
from harness.archives import telling_archive
from harness.clients import Client
from harness.engine import Engine
from harness.narud import EngineUnderTest
from harness.programs import Result
from harness.proxy import Proxy
from harness.registry import Registry, in_thread, serving
from harness.requirements import requires
from harness.token_server import Account, TokenServer

pytestmark = [requires("root", "docker-registry", "skopeo"), pytest.mark.naru_only]
_HUB_KEY = "https://index.docker.io/v1/"
_THIRD = "gcr.example"
_ABOUT = "Apache Tomcat is an open source implementation of the Java Servlet and JSP"
_ROWS: list[dict[str, Any]] = [
    {"name": "tomcat", "description": _ABOUT, "star_count": 3800, "is_official": True},
    {"name": "bitnami/tomcat", "description": "x", "star_count": 12},
    {"name": "me/tomcat", "description": "", "star_count": 3},
]


@dataclass
class World:
    """An engine that reaches a hub with an index, a third registry, and who may do what there."""

    engine: Engine
    index: FakeRegistry
    tokens: TokenServer
    third: Registry


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if os.environ.get("NARU_TEST_SOCKET"):
        pytest.skip("needs an engine of its own")
    certificates = tmp_path_factory.mktemp("certs.d")
    accounts = {
        "me": Account("secret", {"me/*": "pull,push"}),
        "team": Account("tsecret", {"team/*": "pull,push", "me/*": "pull,push"}),
    }
    tokens = TokenServer(tmp_path_factory.mktemp("tokens"), accounts)
    team = ("team", "tsecret")
    with (
        in_thread(FakeRegistry()) as index,
        tokens.running(),
        serving(tls=True, tokens=tokens, host="registry-1.docker.io") as hub,
        serving(tls=True, tokens=tokens, credentials=team, host=_THIRD) as third,
    ):
        index.index = _ROWS
        for name in ("team/box:1", "me/box:1"):
            third.push(name, telling_archive(name))
        hub.trust(certificates, "registry-1.docker.io")
        third.trust(certificates, _THIRD)
        addresses = {"registry-1.docker.io:443": hub.address, f"{_THIRD}:443": third.address}
        with Proxy(addresses).running() as proxy:
            engine = EngineUnderTest(
                f"--registry-certs-dir={certificates}",
                f"--https-proxy=http://{proxy.address}",
                f"--registry-mirror=http://{index.host}",
            )
            try:
                engine.start_engine()
                yield World(engine, index, tokens, third)
            finally:
                engine.destroy()


@pytest.fixture(params=[pytest.param("docker", marks=requires("docker")), "naru"])
def client(world: World, request: pytest.FixtureRequest) -> Client:
    """Give docker's command, then ours; who uses it is not logged in."""
    Path(world.engine.config_dir, "config.json").unlink(missing_ok=True)
    return Client(request.param, world.engine)


@pytest.fixture(
    params=[
        pytest.param("docker", marks=[requires("docker"), pytest.mark.docker_release("28")]),
        "naru",
    ]
)
def client_28(world: World, request: pytest.FixtureRequest) -> Client:
    """Give docker's command if it is of release 28, then ours."""
    return Client(request.param, world.engine)


def _kept(client: Client) -> Any:
    return json.loads(Path(client.engine.config_dir, "config.json").read_text())["auths"]


def _log_in(client: Client, name: str, password: str, *server: str) -> Result:
    return client("login", "-u", name, "--password-stdin", *server, stdin=password)


@pytest.mark.seed("S081")
def test_search_shows_name_description_stars_and_what_is_official(
    client_28: Client, world: World
) -> None:
    for term in ("tomcat", f"{world.index.host}/tomcat"):
        assert client_28.say("search", term).splitlines() == [
            "NAME             DESCRIPTION                                     STARS     OFFICIAL",
            "tomcat           Apache Tomcat is an open source implementati…   3800      [OK]",
            "bitnami/tomcat   x                                               12        ",
            "me/tomcat                                                        3         ",
        ]
    rows = client_28.say("search", "--format", "{{json .}}", "tomcat").splitlines()
    assert json.loads(rows[1]) == {
        "Description": "x",
        "IsOfficial": "false",
        "Name": "bitnami/tomcat",
        "StarCount": "12",
    }


@pytest.mark.seed("S082")
def test_search_in_full_up_to_a_number_and_from_so_many_stars(
    client_28: Client, world: World
) -> None:
    world.index.queries.clear()
    words = ["--no-trunc", "--limit", "2", "--filter=stars=10", "tomcat"]
    _, *rows = client_28.say("search", *words).splitlines()
    assert [row.split()[0] for row in rows] == ["tomcat", "bitnami/tomcat"]
    assert _ABOUT in rows[0]
    assert world.index.queries == [("/v1/search", "q=tomcat&n=2")]
    official = ["--filter", "is-official=true", "--format", "{{.Name}}", "tomcat"]
    assert client_28.say("search", *official) == "tomcat"
    refused = client_28("search", "--limit", "101", "tomcat")
    assert refused.code == 1
    assert "limit 101 is outside the range of [1, 100]" in refused.err


@pytest.mark.seed("S083")
def test_a_tag_moves_and_a_digest_stays(client: Client) -> None:
    with serving(
        {"box:1": telling_archive("one"), "box:latest": telling_archive("one")}
    ) as registry:
        name = f"{registry.address}/box"
        client("pull", name).ok()
        [digest] = json.loads(client.show("{{json .RepoDigests}}", name))
        registry.push("box:2", telling_archive("two"))
        registry.push("box:latest", telling_archive("two"))
        assert client.say("run", "--rm", name) == "one"
        assert f"Status: Downloaded newer image for {name}:latest" in client.say("pull", name)
        assert client.say("run", "--rm", name) == "two"
        client("pull", "-a", name).ok()
        said = client.say("images", "--format", "{{.Tag}}", name)
        assert sorted(set(said.split())) == ["1", "2", "latest"]
        assert client.say("run", "--rm", f"{name}:1") == "one"
        client("rmi", "-f", f"{name}:1", f"{name}:2", name, digest)
        assert client.say("run", "--rm", "-q", digest) == "one"
        client("rmi", digest).ok()


@pytest.mark.seed("S086", "S092")
def test_a_registry_of_ones_own_shows_each_what_is_his(client: Client, world: World) -> None:
    mine, theirs = f"{_THIRD}/me/box:1", f"{_THIRD}/team/box:1"
    for image in (mine, theirs):
        refused = client("pull", image)
        assert refused.code == 1
        name = image.removesuffix(":1")
        assert f"pull access denied for {name}, repository does not exist" in refused.err
    _log_in(client, "me", "secret", _THIRD).ok()
    world.tokens.asked.clear()
    client("pull", mine).ok()
    # The password is not kept: a token stands for it, and is exchanged for one that may pull.
    assert {asked.method for asked in world.tokens.asked} == {"POST"}
    assert client.say("run", "--rm", mine) == "me/box:1"
    assert "pull access denied" in client("pull", theirs).err
    world.tokens.revoke("me")
    client("rmi", mine).ok()
    refused = client("pull", mine)
    assert refused.code == 1
    assert "unauthorized: invalid refresh token" in refused.err


@pytest.mark.seed("S087")
def test_login_checks_and_keeps_what_it_is_given(client: Client) -> None:
    wrong = client("login", "-u", "me", "-p", "wrong", _THIRD)
    assert (wrong.code, wrong.out) == (1, "")
    assert "unauthorized: incorrect username or password" in wrong.err
    assert not Path(client.engine.config_dir, "config.json").exists()
    good = client("login", "-u", "me", "-p", "secret", _THIRD).ok()
    assert good.err.startswith(
        "WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n"
    )
    assert good.out.endswith("Login Succeeded\n")
    [(server, entry)] = _kept(client).items()
    assert server == _THIRD
    assert entry["identitytoken"]
    assert _log_in(client, "team", "tsecret").ok().out == "Login Succeeded\n"
    assert set(_kept(client)) == {_THIRD, _HUB_KEY}


@pytest.mark.seed("S088")
def test_logout_forgets_what_login_kept(client: Client) -> None:
    for server in ((), (_THIRD,)):
        _log_in(client, "me", "secret", *server).ok()
    assert client.say("logout") == f"Removing login credentials for {_HUB_KEY}"
    assert set(_kept(client)) == {_THIRD}
    assert client.say("logout", _THIRD) == f"Removing login credentials for {_THIRD}"
    assert _kept(client) == {}
