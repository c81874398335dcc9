"""Answering challenges: credentials, tokens, and what is remembered of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence

import pytest

from fakes.fake_clock import FakeClock
from naru.distribution.auth import (
    Authorizer,
    RegistryAuth,
    decode_auth,
    decode_auths,
    shared_out,
)
from naru.distribution.challenge import Challenge, parse_challenges
from naru.distribution.hosts import HostsConfig
from naru.errors import FaultError, InvalidInputError, UnauthenticatedError

BEARER = parse_challenges(['Bearer realm="https://a/token",service="s"'])
BASIC = parse_challenges(['Basic realm="x"'])


class TokenService:
    """Records requests and answers with one body."""

    def __init__(self, body: object) -> None:
        self.body = json.dumps(body).encode() if not isinstance(body, bytes) else body
        self.requests: list[tuple[str, str, dict[str, str], dict[str, str]]] = []

    async def request_token(
        self,
        method: str,
        url: str,
        parameters: Sequence[tuple[str, str]],
        headers: Mapping[str, str],
    ) -> bytes:
        self.requests.append((method, url, dict(parameters), dict(headers)))
        return self.body


async def header(
    auth: RegistryAuth | None, challenges: list[Challenge], service: TokenService, scope: str = ""
) -> str | None:
    return await Authorizer(auth, service, FakeClock()).header(challenges, scope)


def encoded(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode()


async def test_no_challenge_needs_no_header() -> None:
    assert await header(RegistryAuth("me", "pw"), [], TokenService({})) is None


async def test_basic_sends_name_and_password() -> None:
    value = await header(RegistryAuth("me", "pw:x"), BASIC, TokenService({}))
    assert value == "Basic " + base64.b64encode(b"me:pw:x").decode()


async def test_basic_without_credentials_says_so() -> None:
    with pytest.raises(UnauthenticatedError, match="no basic auth credentials"):
        await header(None, BASIC, TokenService({}))


async def test_bearer_is_preferred_to_basic() -> None:
    value = await header(RegistryAuth("me", "pw"), BASIC + BEARER, TokenService({"token": "t"}))
    assert value == "Bearer t"


async def test_token_is_asked_for_with_scope_service_and_account() -> None:
    service = TokenService({"access_token": "t"})
    await header(RegistryAuth("me", "pw"), BEARER, service, "repository:x:pull")
    ((method, url, parameters, headers),) = service.requests
    assert (method, url) == ("GET", "https://a/token")
    assert parameters == {"account": "me", "scope": "repository:x:pull", "service": "s"}
    assert headers["Authorization"].startswith("Basic ")


async def test_anonymous_token_carries_no_account() -> None:
    service = TokenService({"token": "t"})
    await header(None, BEARER, service, "repository:x:pull")
    assert "account" not in service.requests[0][2]
    assert service.requests[0][3] == {}


async def test_identity_token_is_exchanged() -> None:
    service = TokenService({"access_token": "t"})
    auth = RegistryAuth(identity_token="refresh")
    assert await header(auth, BEARER, service, "repository:x:pull") == "Bearer t"
    method, _, form, _ = service.requests[0]
    assert method == "POST"
    assert form["grant_type"] == "refresh_token"
    assert form["refresh_token"] == "refresh"


async def test_registry_token_is_sent_as_it_is() -> None:
    service = TokenService({})
    assert await header(RegistryAuth(registry_token="r"), BEARER, service) == "Bearer r"
    assert service.requests == []


async def test_token_is_used_again_until_it_expires() -> None:
    service, clock = TokenService({"token": "t", "expires_in": 100}), FakeClock()
    authorizer = Authorizer(None, service, clock)
    await authorizer.header(BEARER, "a")
    clock.seconds += 94
    await authorizer.header(BEARER, "a")
    assert len(service.requests) == 1
    clock.seconds += 2
    await authorizer.header(BEARER, "a")
    assert len(service.requests) == 2


async def test_each_scope_has_its_own_token() -> None:
    service = TokenService({"token": "t"})
    authorizer = Authorizer(None, service, FakeClock())
    await authorizer.header(BEARER, "a")
    await authorizer.header(BEARER, "b")
    assert len(service.requests) == 2


@pytest.mark.parametrize("body", [b"no json", {}, {"token": ""}, {"token": "a\r\nX: y"}, [1]])
async def test_nonsense_from_the_token_service_is_a_fault(body: object) -> None:
    with pytest.raises(FaultError):
        await header(None, BEARER, TokenService(body))


async def test_realm_must_be_a_url() -> None:
    with pytest.raises(FaultError, match="realm"):
        await header(
            None, parse_challenges(['Bearer realm="file:///etc/passwd"']), TokenService({})
        )


def test_passwords_do_not_show() -> None:
    shown = repr(RegistryAuth("me", "hunter2", "identity", "registry"))
    assert "hunter2" not in shown
    assert "identity" not in shown.replace("identity_token", "")


@pytest.mark.parametrize("text", ["", encoded({}), encoded({"username": ""})])
def test_empty_header_is_no_auth(text: str) -> None:
    assert decode_auth(text) is None


def test_header_of_the_docker_command_is_read() -> None:
    auth = decode_auth(
        encoded({"username": "me", "password": "pw", "serveraddress": "hub.lan", "email": "x"})
    )
    assert auth == RegistryAuth("me", "pw", server_address="hub.lan")


def test_both_alphabets_and_missing_padding_are_accepted() -> None:
    raw = json.dumps({"username": "ü>?~", "password": "p"}).encode()
    for text in (base64.b64encode(raw), base64.urlsafe_b64encode(raw)):
        found = decode_auth(text.decode().rstrip("="))
        assert found is not None
        assert found.username == "ü>?~"


def test_auth_field_stands_for_name_and_password() -> None:
    pair = base64.b64encode(b"me:p:w").decode()
    assert decode_auth(encoded({"auth": pair})) == RegistryAuth("me", "p:w")


@pytest.mark.parametrize("text", ["%%%", "bm8ganNvbg", encoded([1]), encoded({"username": 1})])
def test_unreadable_header_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="X-Registry-Auth"):
        decode_auth(text)


def test_logins_of_a_build_go_by_registry() -> None:
    document = {
        "https://index.docker.io/v1/": {"username": "hub", "password": "p"},
        "registry.example:5000": {"auth": base64.b64encode(b"me:secret").decode()},
        "https://other.example/v1/": {"identitytoken": "t"},
        "nobody.example": {},
    }
    header = base64.urlsafe_b64encode(json.dumps(document).encode()).decode()
    found = decode_auths(header)
    assert set(found) == {"docker.io", "registry.example:5000", "other.example"}
    assert found["docker.io"].username == "hub"
    assert found["registry.example:5000"].password == "secret"
    assert found["other.example"].identity_token == "t"
    assert decode_auths("") == {}
    with pytest.raises(InvalidInputError, match="X-Registry-Config"):
        decode_auths("bm90IGpzb24=")


@pytest.mark.parametrize(
    ("server", "seen_by"),
    [
        ("", ["https://registry-1.docker.io"]),
        ("https://index.docker.io/v1/", ["https://registry-1.docker.io"]),
        ("elsewhere.lan", ["https://registry-1.docker.io"]),
        ("b.lan", ["https://b.lan"]),
        ("https://b.lan/v2/", ["https://b.lan"]),
    ],
)
def test_a_mirror_sees_no_login_but_one_for_itself(server: str, seen_by: list[str]) -> None:
    endpoints = HostsConfig(mirrors=("https://a.lan", "https://b.lan")).endpoints("docker.io")
    auth = RegistryAuth("me", "pw", server_address=server)
    shares = zip(endpoints, shared_out(endpoints, auth), strict=True)
    assert [endpoint.base_url for endpoint, share in shares if share] == seen_by
    assert shared_out(endpoints, None) == [None, None, None]
