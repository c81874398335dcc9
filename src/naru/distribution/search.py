"""Which repositories a registry has by a word.

Docker Hub and registries with an index of their own answer `/v1/search`. Others have a catalog of
names at best, which is then looked through here. Mirrors are asked as they are for images; what
is in the catalog of a mirror counts only where the registry itself cannot be reached.

Spec: moby, registry/search.go and search_session.go; distribution-spec, "Listing Repositories".
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import aiohttp
import msgspec

from naru import untrusted_json
from naru.clock import Clock
from naru.distribution.auth import RegistryAuth, basic_header, shared_out
from naru.distribution.failures import raise_for
from naru.distribution.hosts import DOCKER_HUB, Endpoint, HostsConfig, is_host
from naru.distribution.paging import pages
from naru.distribution.session import (
    EndpointSession,
    HttpClient,
    RegistryUnreachableError,
    read_limited,
    worth_asking,
)
from naru.errors import FaultError, InvalidInputError, NaruError, NotFoundError
from naru.oci.reference import split_search_term

_SEARCH_SCOPE = "registry:catalog:search"
_CATALOG_SCOPE = "registry:catalog:*"
_PAGE = 1000
_BODY_LIMIT = 8 << 20
_CATALOG_LIMIT = 32 << 20
_OFFICIAL = "library/"


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One repository, by the name that the registry has for it."""

    name: str
    description: str = ""
    stars: int = 0
    is_official: bool = False


def split_term(term: str) -> tuple[str, str]:
    """Return the registry that a term is for, and the word; a host must look like one. Pure.

    Raises:
        InvalidInputError: it is a URL, or what stands for a host is none.
    """
    if term.startswith(("http://", "https://")):
        raise InvalidInputError(
            f"invalid repository name: repository name ({term}) should not have a scheme"
        )
    registry, word = split_search_term(term)
    if not is_host(registry):
        raise InvalidInputError(f"invalid index name ({registry})")
    return registry, word.removeprefix(_OFFICIAL) if registry == DOCKER_HUB else word


async def search(
    client: HttpClient,
    registry: str,
    word: str,
    *,
    limit: int,
    auth: RegistryAuth | None,
    clock: Clock,
) -> list[SearchResult]:
    """Return up to `limit` repositories of a registry, best first.

    Raises:
        FaultError: nobody who may know answers, or only that we may not ask.
    """
    endpoints = client.hosts.search_endpoints(registry)
    found: list[SearchResult] | None = None
    unsearched: list[_Index] = []
    failure: NaruError = FaultError(f"no endpoint for {registry}")
    for endpoint, login in zip(endpoints, shared_out(endpoints, auth), strict=True):
        if not worth_asking(endpoint, failure):
            continue
        index = _Index(client, endpoint, login, clock)
        try:
            results = await index.search(word, limit)
        except _NoSearchError as error:
            failure = error
            if endpoint.is_mirror or registry == DOCKER_HUB:
                unsearched.append(index)
                continue
            results = await _looked_through(index, word, limit)
        except NaruError as error:
            failure = error
            if endpoint.is_mirror or isinstance(error, RegistryUnreachableError):
                continue
            break
        if results or not endpoint.is_mirror:
            return results
        found = results
    return await _last_resort(client, found, unsearched, failure, registry, word, limit)


async def _last_resort(
    client: HttpClient,
    found: list[SearchResult] | None,
    mirrors: Sequence[_Index],
    failure: NaruError,
    registry: str,
    word: str,
    limit: int,
) -> list[SearchResult]:
    """Return what mirrors have, where the registry could not be asked."""
    if isinstance(failure, RegistryUnreachableError):
        for mirror in mirrors:
            try:
                names = await mirror.catalog()
            except NaruError:
                continue
            return _matching(names, word, limit, of_hub=registry == DOCKER_HUB)
        if found is not None:
            return found
        raise FaultError(_unreachable(client.hosts, failure, registry)) from failure
    raise FaultError(failure.message) from failure


def _unreachable(hosts: HostsConfig, failure: NaruError, registry: str) -> str:
    if registry == DOCKER_HUB:
        return failure.message
    message = f"invalid registry endpoint {registry}: {failure.message}"
    if hosts.is_insecure(registry):
        return message
    return (
        f"{message}. If this private registry supports only HTTP or HTTPS with an unknown CA "
        f"certificate, please add `--insecure-registry {registry}` to the daemon's arguments. In "
        "the case of HTTPS, if you have access to the registry's CA certificate, no need for the "
        "flag; simply place the CA certificate at "
        f"{hosts.certificates / registry / 'ca.crt'}"
    )


async def _looked_through(index: _Index, word: str, limit: int) -> list[SearchResult]:
    try:
        return _matching(await index.catalog(), word, limit, of_hub=False)
    except NaruError as error:
        # Docker answers 500 here: 401 would make clients ask for the engine's own password.
        raise FaultError(error.message, hint=error.hint) from error


def _matching(names: Sequence[str], word: str, limit: int, *, of_hub: bool) -> list[SearchResult]:
    """Return the repositories whose name has the word in it: whole names first, then starts."""
    word = word.lower()
    results = []
    for name in names:
        is_official = of_hub and name.startswith(_OFFICIAL)
        shown = name.removeprefix(_OFFICIAL) if is_official else name
        if word in shown.lower():
            results.append(SearchResult(shown, is_official=is_official))

    def rank(result: SearchResult) -> tuple[bool, bool, str]:
        last = result.name.rpartition("/")[2]
        return word not in {last, result.name}, not last.startswith(word), result.name

    return sorted(results, key=rank)[:limit]


class _NoSearchError(FaultError):
    """There is a registry, and no index of it to search."""


class _Row(msgspec.Struct):
    name: str = ""
    description: str | None = None
    star_count: int = 0
    is_official: bool = False


class _Answer(msgspec.Struct):
    results: list[_Row] | None = None


class _Catalog(msgspec.Struct):
    repositories: list[str] | None = None


class _Index:
    """What one endpoint knows of its repositories."""

    def __init__(
        self, client: HttpClient, endpoint: Endpoint, auth: RegistryAuth | None, clock: Clock
    ) -> None:
        self._client = client
        self._endpoint = endpoint
        self._auth = auth or RegistryAuth()
        self._clock = clock
        self._session = EndpointSession(client, endpoint, auth, clock)

    async def search(self, word: str, limit: int) -> list[SearchResult]:
        """Ask `/v1/search`.

        Raises:
            _NoSearchError: this registry is not searched so.
            NaruError: it does not answer, or refuses us.
        """
        query = {"q": word, "n": str(limit)}
        if self._endpoint.namespace:
            query["ns"] = self._endpoint.namespace
        url = f"{self._endpoint.base_url}/v1/search?{urlencode(query)}"
        needs_token = bool(self._auth.identity_token or self._auth.registry_token)
        body = await self._with_token(url) if needs_token else await self._plainly(url)
        try:
            rows = untrusted_json.decode(body, type=_Answer, strict=False).results or []
        except msgspec.MsgspecError as error:
            # Registries with a page for people give it to whoever asks for what they do not have.
            raise _NoSearchError(f"error decoding registry search results: {error}") from error
        return [
            SearchResult(row.name, row.description or "", row.star_count, row.is_official)
            for row in rows[:limit]
            if row.name and row.name.isprintable()
        ]

    async def _plainly(self, url: str) -> bytes:
        """Ask with name and password, if there are any, as indexes of old want it."""
        headers = {"X-Docker-Token": "true"}
        if self._auth.username and self._auth.password:
            headers["Authorization"] = basic_header(self._auth)
        async with self._client.send(self._endpoint, "GET", url, headers=headers) as response:
            if response.status == 200:
                return await read_limited(response, _BODY_LIMIT)
            if response.status in {404, 405, 501}:
                raise _NoSearchError(f"Unexpected status code {response.status}")
            if response.status != 401:
                raise FaultError(f"Unexpected status code {response.status}")
            offers_token = "bearer" in response.headers.get("WWW-Authenticate", "").lower()
            if not offers_token:
                await raise_for(response, self._clock.now_ns())
        return await self._with_token(url)

    async def _with_token(self, url: str) -> bytes:
        try:
            async with self._session.exchange(
                "GET", url, scope=_SEARCH_SCOPE, headers={"X-Docker-Token": "true"}, attempts=1
            ) as response:
                return await read_limited(response, _BODY_LIMIT)
        except NotFoundError as error:
            raise _NoSearchError("Unexpected status code 404") from error

    async def catalog(self) -> list[str]:
        """Return the names of all repositories that we may see.

        Raises:
            NaruError: there is no catalog, or not for us.
        """
        names: list[str] = []

        def page(path: str) -> contextlib.AbstractAsyncContextManager[aiohttp.ClientResponse]:
            return self._session.exchange("GET", path, scope=_CATALOG_SCOPE, attempts=1)

        path = f"_catalog?n={_PAGE}"
        async for body in pages(page, path, what="repositories", limit=_CATALOG_LIMIT):
            try:
                names += untrusted_json.decode(body, type=_Catalog).repositories or []
            except msgspec.MsgspecError as error:
                raise FaultError(f"registry sent no catalog: {error}") from error
        return [name for name in names if name.isprintable()]
