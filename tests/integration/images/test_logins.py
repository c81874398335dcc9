"""Logins, shown to registries of each kind."""

from __future__ import annotations

import pytest

from fakes.fake_registry import FakeRegistry
from harness.image_store import Store
from naru.distribution.auth import RegistryAuth
from naru.distribution.login import log_in
from naru.errors import FaultError, InvalidInputError, UnauthenticatedError


async def _log_in(store: Store, host: str, password: str = "secret") -> str:
    auth = RegistryAuth("me", password, server_address=host)
    return await log_in(store.services.http, auth, store.services.clock)


async def test_a_registry_that_asks_nobody_takes_everybody(store: Store) -> None:
    async with FakeRegistry() as registry:
        assert await _log_in(store, registry.host) == ""


@pytest.mark.parametrize("kind", ["basic", "bearer"])
async def test_the_right_password_is_taken(store: Store, kind: str) -> None:
    async with FakeRegistry(auth=kind, users={"me": "secret"}) as registry:
        assert await _log_in(store, registry.host) == ""
        assert await _log_in(store, f"http://{registry.host}/v2/") == ""


async def test_a_wrong_password_is_refused_in_dockers_words(store: Store) -> None:
    async with FakeRegistry(auth="bearer", users={"me": "secret"}) as registry:
        with pytest.raises(UnauthenticatedError) as caught:
            await _log_in(store, registry.host, "wrong")
        expected = f'Get "http://{registry.host}/v2/": unauthorized: incorrect username or password'
        assert caught.value.message == expected
    async with FakeRegistry(auth="basic", users={"me": "secret"}) as registry:
        with pytest.raises(UnauthenticatedError) as caught:
            await _log_in(store, registry.host, "wrong")
        expected = (
            f"login attempt to http://{registry.host}/v2/ failed with status: 401 Unauthorized"
        )
        assert caught.value.message == expected


async def test_a_token_may_stand_for_the_login_from_then_on(store: Store) -> None:
    async with FakeRegistry(
        auth="bearer", users={"me": "secret"}, identity_token="stands-for-me"
    ) as registry:
        assert await _log_in(store, registry.host) == "stands-for-me"
        assert registry.token_requests[-1]["offline_token"] == "true"
        auth = RegistryAuth(identity_token="stands-for-me", server_address=registry.host)
        token = await log_in(store.services.http, auth, store.services.clock)
        assert token == "stands-for-me"


async def test_nobody_at_home_is_told_apart_from_a_refusal(store: Store) -> None:
    with pytest.raises(FaultError, match="connection refused"):
        await _log_in(store, "127.0.0.1:1")


@pytest.mark.parametrize("address", ["a b", "https://a\nb/", "me@host", "host:x"])
async def test_what_is_no_address_is_refused(store: Store, address: str) -> None:
    with pytest.raises(InvalidInputError, match="unable to parse server address"):
        await _log_in(store, address)
