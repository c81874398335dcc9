"""Pulling from Debian's docker-registry: open, with passwords, with tokens, with certificates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.archives import Tree, docker_archive
from harness.image_store import Store
from harness.registry import PASSWORD, USER, Registry, serving
from harness.requirements import requires
from harness.token_server import Account, TokenServer
from naru.distribution.auth import RegistryAuth
from naru.distribution.hosts import HostsConfig
from naru.distribution.search import SearchResult, search
from naru.errors import FaultError, NotFoundError
from naru.images.pull import pull
from naru.oci.reference import Reference

pytestmark = requires("root", "docker-registry", "skopeo")

BASE = Tree().directory("etc").file("etc/base", b"base\n").tar()
TOP = Tree().file("top", b"top\n").tar()
IMAGES = {"team/x:1": docker_archive(["x:1"], [BASE, TOP])}


async def _pull(
    store: Store, registry: Registry, auth: RegistryAuth | None = None, *, tag: str = "1"
) -> bytes | None:
    """Pull `team/x` and return its file `top`."""
    reference = Reference.parse(f"{registry.address}/team/x:{tag}")
    image = await pull(
        store.services, reference, platform=None, auth=auth, report=store.records.append
    )
    return store.read(image.id, "top")


async def test_an_open_registry_gives_its_images_to_anybody(store: Store) -> None:
    with serving(IMAGES) as registry:
        assert await _pull(store, registry) == b"top\n"
        unknown = "not found: manifest unknown: manifest unknown"
        with pytest.raises(NotFoundError, match=unknown):
            await _pull(store, registry, tag="2")


async def test_a_registry_with_passwords_gives_its_images_to_who_has_one(store: Store) -> None:
    with serving(IMAGES, basic=True) as registry:
        url = f"http://{registry.address}/v2/team/x/manifests/1"
        with pytest.raises(FaultError, match=f'^Head "{url}": no basic auth credentials$'):
            await _pull(store, registry)
        assert await _pull(store, registry, RegistryAuth(USER, PASSWORD)) == b"top\n"
        with pytest.raises(NotFoundError, match="manifest unknown"):
            await _pull(store, registry, RegistryAuth(USER, PASSWORD), tag="2")


async def test_a_token_lets_somebody_pull_what_is_his(store: Store, tmp_path: Path) -> None:
    accounts = {
        "owner": Account("o", {"team/*": "pull,push"}),
        "stranger": Account("s", {"other/*": "pull"}),
    }
    tokens = TokenServer(tmp_path, accounts)
    with (
        tokens.running(),
        serving(IMAGES, tokens=tokens, credentials=("owner", "o")) as registry,
    ):
        for auth in (None, RegistryAuth("stranger", "s")):
            with pytest.raises(NotFoundError, match="pull access denied for"):
                await _pull(store, registry, auth)
        url = f"http://{registry.address}/v2/team/x/manifests/1"
        refused = f'^Head "{url}": unauthorized: incorrect username or password$'
        with pytest.raises(FaultError, match=refused):
            await _pull(store, registry, RegistryAuth("owner", "wrong"))
        tokens.asked.clear()
        assert await _pull(store, registry, RegistryAuth("owner", "o")) == b"top\n"
        assert {asked.account for asked in tokens.asked} == {"owner"}
        assert [asked.scopes for asked in tokens.asked] == [["repository:team/x:pull"]]


async def test_a_client_certificate_is_shown_where_one_is_asked_for(
    make_store: Callable[..., Store], tmp_path: Path
) -> None:
    hosts = HostsConfig(certificates=tmp_path)
    with serving(IMAGES, tls=True, client_certificates=True) as registry:
        store = make_store(hosts)
        with pytest.raises(
            FaultError, match=r"remote error: tls: (bad certificate|certificate required)$"
        ):
            await _pull(store, registry)
        registry.trust(tmp_path)
        store = make_store(hosts)
        assert await _pull(store, registry) == b"top\n"


async def test_debians_registry_is_searched_by_its_catalog(store: Store, tmp_path: Path) -> None:
    accounts = {
        "owner": Account("o", {"team/*": "pull,push", "catalog": "*"}),
        "stranger": Account("s", {"team/*": "pull"}),
    }
    tokens = TokenServer(tmp_path, accounts)
    http, clock = store.services.http, store.services.clock
    with (
        tokens.running(),
        serving(IMAGES, tokens=tokens, credentials=("owner", "o")) as registry,
    ):
        registry.push("team/other:1", IMAGES["team/x:1"])

        async def found(word: str, auth: RegistryAuth) -> list[SearchResult]:
            return await search(http, registry.address, word, limit=9, auth=auth, clock=clock)

        owner = RegistryAuth("owner", "o")
        assert await found("x", owner) == [SearchResult("team/x")]
        assert await found("", owner) == [SearchResult("team/other"), SearchResult("team/x")]
        with pytest.raises(
            FaultError, match=r"^denied: requested access to the resource is denied"
        ):
            await found("x", RegistryAuth("stranger", "s"))
        assert tokens.asked[-1].scopes == ["registry:catalog:*"]
