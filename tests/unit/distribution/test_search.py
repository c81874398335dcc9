"""Searching registries that have an index, those that have none, and their mirrors."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fakes.fake_registry import FakeRegistry
from naru.clock import SystemClock
from naru.distribution.auth import RegistryAuth
from naru.distribution.hosts import HostsConfig
from naru.distribution.proxies import Proxies
from naru.distribution.search import SearchResult, search, split_term
from naru.distribution.session import HttpClient
from naru.errors import FaultError, InvalidInputError

ROWS: list[dict[str, Any]] = [
    {"name": "tomcat", "description": "serves", "star_count": 38, "is_official": True},
    {"name": "me/tomcat", "description": None, "star_count": 1.0},
    {"name": "you/tomcat\x1b[2J", "description": "clears screens"},
    {"name": "nginx"},
]
FOUND = [SearchResult("tomcat", "serves", 38, is_official=True), SearchResult("me/tomcat", "", 1)]
CATALOG = ("library/tomcat", "me/catalina", "me/tomcat-9", "you/nginx")


@pytest.fixture
async def registry() -> AsyncIterator[FakeRegistry]:
    async with FakeRegistry() as made:
        made.index = ROWS
        yield made


def _with_catalog(registry: FakeRegistry) -> FakeRegistry:
    for name in CATALOG:
        registry.put_manifest(name, "1", b"{}")
    return registry


async def _searched(
    host: str, *mirrors: str, auth: RegistryAuth | None = None, limit: int = 25
) -> list[SearchResult]:
    # What is not on this machine is not asked.
    client = HttpClient(HostsConfig(mirrors=mirrors), proxies=Proxies(https="http://127.0.0.1:1"))
    try:
        return await search(client, host, "tomcat", limit=limit, auth=auth, clock=SystemClock())
    finally:
        await client.close()


@pytest.mark.parametrize(
    ("term", "registry", "word"),
    [
        ("tomcat", "docker.io", "tomcat"),
        ("library/tomcat", "docker.io", "tomcat"),
        ("me/tomcat", "docker.io", "me/tomcat"),
        ("docker.io/tomcat", "docker.io", "tomcat"),
        ("index.docker.io/library/tomcat", "docker.io", "tomcat"),
        ("hub.lan/library/tomcat", "hub.lan", "library/tomcat"),
        ("localhost/tomcat", "localhost", "tomcat"),
        ("host:5000/", "host:5000", ""),
        ("host:5000", "docker.io", "host:5000"),
        ("", "docker.io", ""),
    ],
)
def test_a_term_may_name_a_registry(term: str, registry: str, word: str) -> None:
    assert split_term(term) == (registry, word)


def test_a_url_is_no_term() -> None:
    with pytest.raises(InvalidInputError, match=r"\(http://a/b\) should not have a scheme"):
        split_term("http://a/b")


async def test_an_index_is_asked_as_docker_asks_it(registry: FakeRegistry) -> None:
    assert await _searched(registry.host) == FOUND
    assert registry.queries == [("/v1/search", "q=tomcat&n=25")]
    assert registry.requests[0][2]["X-Docker-Token"] == "true"
    assert "Authorization" not in registry.requests[0][2]
    assert await _searched(registry.host, limit=1) == FOUND[:1]


async def test_name_and_password_go_with_the_question(registry: FakeRegistry) -> None:
    await _searched(registry.host, auth=RegistryAuth("me", "pw"))
    expected = "Basic " + base64.b64encode(b"me:pw").decode()
    assert registry.requests[0][2]["Authorization"] == expected


@pytest.mark.parametrize(
    "auth", [None, RegistryAuth("me", "pw"), RegistryAuth("me", identity_token="t")]
)
async def test_an_index_that_wants_a_token_gets_one(auth: RegistryAuth | None) -> None:
    users = {"me": "pw"}
    async with FakeRegistry(auth="bearer", users=users, identity_token="t") as registry:
        registry.index = ROWS
        if auth is None:
            with pytest.raises(FaultError, match=r"^denied: requested access"):
                await _searched(registry.host)
        else:
            assert await _searched(registry.host, auth=auth) == FOUND
        assert registry.token_requests[-1]["scope"] == "registry:catalog:search"


@pytest.mark.parametrize("page", ["", "<html>", "[]"])
async def test_a_registry_without_an_index_is_looked_through(page: str) -> None:
    async with FakeRegistry() as registry:
        _with_catalog(registry).index_page = page
        registry.page_size = 2
        found = [result.name for result in await _searched(registry.host)]
        assert found == ["library/tomcat", "me/tomcat-9"]
        assert [path for path, _ in registry.queries].count("/v2/_catalog") == 2
        assert await _searched(registry.host, limit=1) == [SearchResult("library/tomcat")]


async def test_a_catalog_that_wants_a_login_is_shown_to_who_has_one() -> None:
    async with FakeRegistry(auth="basic", users={"me": "pw"}) as registry:
        _with_catalog(registry)
        url = f"http://{registry.host}/v2/_catalog\\?n=1000"
        with pytest.raises(FaultError, match=f'^Get "{url}": no basic auth credentials$'):
            await _searched(registry.host)
        found = await _searched(registry.host, auth=RegistryAuth("me", "pw"))
        assert len(found) == 2


async def test_a_mirror_is_searched_first_and_sees_no_login(registry: FakeRegistry) -> None:
    auth = RegistryAuth("me", "pw")
    assert await _searched("docker.io", f"http://{registry.host}", auth=auth) == FOUND
    assert "Authorization" not in registry.requests[0][2]


async def test_a_mirror_that_finds_nothing_or_cannot_search_is_passed_over(
    registry: FakeRegistry,
) -> None:
    async with FakeRegistry() as empty, FakeRegistry() as without, FakeRegistry() as broken:
        empty.index = []
        broken.index, broken.faults.statuses = ROWS, {"/v1/search": [500]}
        mirrors = (empty.host, without.host, broken.host, "127.0.0.1:1")
        places = [f"{registry.host}=http://{mirror}" for mirror in mirrors]
        assert await _searched(registry.host, *places) == FOUND
        assert empty.paths() == without.paths() == broken.paths() == ["/v1/search"]


async def test_without_the_registry_what_its_mirrors_have_counts() -> None:
    async with FakeRegistry() as mirror:
        _with_catalog(mirror)
        place = f"http://{mirror.host}"
        official = [SearchResult("tomcat", is_official=True), SearchResult("me/tomcat-9")]
        assert await _searched("docker.io", place) == official
        plain = [SearchResult("library/tomcat"), SearchResult("me/tomcat-9")]
        assert await _searched("127.0.0.1:1", f"127.0.0.1:1={place}") == plain
        mirror.manifests.clear()
        mirror.index = []
        assert await _searched("127.0.0.1:1", f"127.0.0.1:1={place}") == []


async def test_what_cannot_be_searched_is_told(registry: FakeRegistry) -> None:
    with pytest.raises(FaultError) as caught:
        await _searched("docker.io")
    assert caught.value.message == (
        'Get "https://index.docker.io/v1/search?q=tomcat&n=25": proxyconnect tcp: '
        "dial tcp 127.0.0.1:1: connect: connection refused"
    )
    with pytest.raises(FaultError) as caught:
        await _searched("127.0.0.1:1")
    assert caught.value.message == (
        'invalid registry endpoint 127.0.0.1:1: Get "http://127.0.0.1:1/v1/search?q=tomcat&n=25": '
        "dial tcp 127.0.0.1:1: connect: connection refused"
    )
    with pytest.raises(FaultError, match=r"add `--insecure-registry nowhere.invalid` to"):
        await _searched("nowhere.invalid")
    registry.faults.statuses = {"/v1/search": [503]}
    with pytest.raises(FaultError, match=r"^Unexpected status code 503$"):
        await _searched(registry.host)
