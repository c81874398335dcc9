"""Who we are to a registry: credentials, and the tokens they buy.

Turns challenges into an `Authorization` header. Tokens are kept in memory until shortly before
they expire, per credentials; nothing here is written anywhere or logged.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

import msgspec

from naru import untrusted_json
from naru.clock import Clock
from naru.distribution.challenge import Challenge
from naru.distribution.hosts import DOCKER_HUB, Endpoint, is_web_address
from naru.errors import FaultError, InvalidInputError, UnauthenticatedError

T = TypeVar("T")

_CLIENT_ID = "docker"
# Servers that say nothing mean a minute; a token is not used in its last seconds, because the
# request that carries it may arrive late.
_DEFAULT_LIFE_S = 60
_MARGIN_S = 5


@dataclass(frozen=True, slots=True)
class RegistryAuth:
    """What a user gave us for one registry; empty strings mean not given."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)
    server_address: str = ""

    @property
    def is_empty(self) -> bool:
        """Say whether there is nothing to prove ourselves with."""
        return not (self.username or self.identity_token or self.registry_token)


class _AuthDocument(msgspec.Struct, rename="lower"):
    username: str | None = None
    password: str | None = None
    auth: str | None = None
    identitytoken: str | None = None
    registrytoken: str | None = None
    serveraddress: str | None = None


def decode_auth(header: str) -> RegistryAuth | None:
    """Read `X-Registry-Auth`; None when it carries nothing.

    Raises:
        InvalidInputError: the header is not base64 of a JSON object.

    Spec: Engine API 1.50, section Authentication.
    """
    if not header:
        return None
    return _auth_of(_decode_header(header, _AuthDocument, "X-Registry-Auth"))


def decode_auth_body(body: bytes) -> RegistryAuth | None:
    """Read the login that stands in a body, as plain JSON; None when there is none.

    Raises:
        InvalidInputError: it is no JSON object.
    """
    try:
        return _auth_of(untrusted_json.decode(body.strip() or b"{}", type=_AuthDocument))
    except msgspec.MsgspecError as error:
        raise InvalidInputError(f"invalid X-Registry-Auth header: {error}") from error


def decode_auths(header: str) -> dict[str, RegistryAuth]:
    """Read `X-Registry-Config`: logins by registry, whose names come out as references have them.

    Raises:
        InvalidInputError: the header is not base64 of a JSON object of such.

    Spec: Engine API 1.50, ImageBuild.
    """
    documents = _decode_header(header, dict[str, _AuthDocument], "X-Registry-Config")
    found = {}
    for name, document in documents.items():
        auth = _auth_of(document)
        if auth is not None:
            found[registry_of(name)] = replace(auth, server_address=name)
    return found


def registry_of(address: str) -> str:
    """Return the registry of a server's address, as references have it: `docker.io` for the hub."""
    host = (address.partition("://")[2] or address).partition("/")[0]
    return DOCKER_HUB if host in ("", "index.docker.io") else host


def shared_out(
    endpoints: Sequence[Endpoint], auth: RegistryAuth | None
) -> list[RegistryAuth | None]:
    """Return what each of a registry's endpoints may see of a login. Pure.

    A mirror is somebody else's host: it sees only a login that names it as its server, which then
    nobody else sees.
    """
    server = registry_of(auth.server_address) if auth and auth.server_address else ""
    is_for_mirror = any(endpoint.is_mirror and endpoint.host == server for endpoint in endpoints)
    return [
        auth if (endpoint.host == server if is_for_mirror else not endpoint.is_mirror) else None
        for endpoint in endpoints
    ]


def _decode_header(header: str, kind: type[T], name: str) -> T:
    try:
        # Clients disagree on the alphabet and on padding; both are accepted.
        text = header.replace("-", "+").replace("_", "/").rstrip("=")
        raw = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        return untrusted_json.decode(raw or b"{}", type=kind)
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise InvalidInputError(f"invalid {name} header: {error}") from error


def _auth_of(document: _AuthDocument) -> RegistryAuth | None:
    username, password = document.username or "", document.password or ""
    if document.auth and not username:
        username, password = _split_basic(document.auth)
    auth = RegistryAuth(
        username,
        password,
        document.identitytoken or "",
        document.registrytoken or "",
        document.serveraddress or "",
    )
    return None if auth.is_empty else auth


def _split_basic(text: str) -> tuple[str, str]:
    try:
        decoded = base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise InvalidInputError(f"invalid X-Registry-Auth header: {error}") from error
    username, _, password = decoded.partition(":")
    return username, password


def basic_header(auth: RegistryAuth) -> str:
    """Return the `Authorization` value of the Basic scheme."""
    pair = f"{auth.username}:{auth.password}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


class TokenRequester(Protocol):
    """One exchange with a token service, made by the session."""

    async def request_token(
        self,
        method: str,
        url: str,
        parameters: Sequence[tuple[str, str]],
        headers: Mapping[str, str],
    ) -> bytes:
        """Send the parameters (as a query for GET, as a form for POST); return the body.

        Raises:
            UnauthenticatedError: the service refuses the credentials.
            FaultError: it cannot be reached or does not work.
        """


class _TokenDocument(msgspec.Struct):
    token: str = ""
    access_token: str = ""
    refresh_token: str = ""
    expires_in: int | float | None = None


@dataclass(slots=True)
class _Token:
    value: str
    expires_at: float


class Authorizer:
    """Answers the challenges of one registry with one set of credentials."""

    def __init__(
        self,
        auth: RegistryAuth | None,
        requester: TokenRequester,
        clock: Clock,
        *,
        for_login: bool = False,
    ) -> None:
        """Take the credentials; `for_login` asks for a token that stands for them from now on."""
        self._auth = auth or RegistryAuth()
        self._for_login = for_login
        self.identity_token = self._auth.identity_token
        self._requester = requester
        self._clock = clock
        self._tokens: dict[tuple[str, str, str], _Token] = {}
        # Many requests that begin at once share one token.
        self._asking = asyncio.Lock()

    async def header(self, challenges: Sequence[Challenge], scope: str) -> str | None:
        """Return the `Authorization` value that answers `challenges`, or None for none.

        Bearer is preferred to Basic; schemes that we do not speak are skipped. A token that is
        still good is used again.

        Raises:
            UnauthenticatedError: the token service refuses, or only Basic is offered and we
                have no name and password.
            FaultError: the token service does not work.

        Spec: distribution, "Token Authentication Specification" and its OAuth2 variant.
        """
        by_scheme = {challenge.scheme: challenge for challenge in reversed(challenges)}
        if bearer := by_scheme.get("bearer"):
            if self._auth.registry_token:
                return f"Bearer {self._auth.registry_token}"
            async with self._asking:
                return f"Bearer {await self._token(bearer, scope)}"
        if "basic" in by_scheme:
            if not self._auth.username:
                raise UnauthenticatedError(
                    "no basic auth credentials", hint="the registry wants a login: see 'naru login'"
                )
            return basic_header(self._auth)
        return None

    def forget(self) -> None:
        """Drop the tokens, after a registry refused one."""
        self._tokens.clear()

    async def _token(self, challenge: Challenge, scope: str) -> str:
        realm = challenge.parameters.get("realm", "")
        service = challenge.parameters.get("service", "")
        if not is_web_address(realm):
            raise FaultError(f'invalid token auth challenge realm: "{realm}"')
        scope = scope or challenge.parameters.get("scope", "")
        known = self._tokens.get((realm, service, scope))
        if known and known.expires_at > self._clock.monotonic():
            return known.value
        if self._auth.identity_token:
            body = await self._exchange_identity_token(realm, service, scope)
        else:
            body = await self._ask_for_token(realm, service, scope)
        token = _read_token(body, realm)
        self.identity_token = token.refresh_token or self.identity_token
        life = min(max(token.expires_in or 0, _DEFAULT_LIFE_S), 24 * 3600)
        value = token.token or token.access_token
        self._tokens[realm, service, scope] = _Token(
            value, self._clock.monotonic() + life - _MARGIN_S
        )
        return value

    async def _ask_for_token(self, realm: str, service: str, scope: str) -> bytes:
        parameters = [("account", self._auth.username)] if self._auth.username else []
        parameters += [("scope", word) for word in scope.split()]
        parameters += [("service", service)] if service else []
        if self._for_login:
            parameters += [("offline_token", "true"), ("client_id", _CLIENT_ID)]
        headers = {"Authorization": basic_header(self._auth)} if self._auth.username else {}
        return await self._requester.request_token("GET", realm, parameters, headers)

    async def _exchange_identity_token(self, realm: str, service: str, scope: str) -> bytes:
        form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", self._auth.identity_token),
            ("service", service),
            ("scope", scope),
            ("client_id", _CLIENT_ID),
        ]
        return await self._requester.request_token("POST", realm, form, {})


def _read_token(body: bytes, realm: str) -> _TokenDocument:
    try:
        token = untrusted_json.decode(body, type=_TokenDocument)
    except msgspec.MsgspecError as error:
        raise FaultError(f"token server {realm} sent no token: {error}") from error
    if not (token.token or token.access_token):
        raise FaultError("authorization server did not include a token in the response")
    value = token.token or token.access_token
    if not (value.isascii() and value.isprintable()):
        raise FaultError(f"token server {realm} sent a malformed token")
    return token
