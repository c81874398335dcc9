"""One exchange with one registry endpoint: authorise, send, retry, and say what went wrong.

aiohttp's failures leave as NaruErrors with the words that Docker's clients know. Runs on the loop.
The engine makes one `HttpClient` and closes it when it stops; sessions are cheap and live as long
as one pull.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass

import aiohttp

# aiohttp's own type for addresses, which it takes nothing else for here.
from yarl import URL

from naru.aio import in_thread
from naru.clock import Clock
from naru.distribution.auth import Authorizer, RegistryAuth
from naru.distribution.challenge import Challenge, parse_challenges
from naru.distribution.failures import go_words, raise_for, refused_login, spoke_tls
from naru.distribution.hosts import Endpoint, HostsConfig, shown
from naru.distribution.pausing import asked_pause_s, pause_s
from naru.distribution.proxies import Proxies
from naru.errors import FaultError, NaruError, UnauthenticatedError

USER_AGENT = "naru"
ATTEMPTS = 5
_RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})
_TOKEN_BODY_LIMIT = 1024 * 1024
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=15, sock_read=60)
# There is somebody else to ask.
_MIRROR_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=15)
# Each takes some hundred kilobytes, and manifests may name any number of hosts.
_MAX_CONTEXTS = 32
# All that comes before a body, redirects and all, and a body that is kept in memory: a peer that
# sends a byte now and then is never silent for long, and never done.
_HEAD_S = 120.0
_MIRROR_HEAD_S = 30.0
_SMALL_BODY_S = 120.0
# How long a body takes, and what the registry does with it, is watched by whoever sends it.
_SENDING_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=15)


Body = Callable[[], AsyncIterator[bytes]]
"""What a request sends: asked anew for each attempt, so that it can be sent again."""


class RegistryUnreachableError(FaultError):
    """No answer came: another endpoint, or another attempt, may give one.

    `tls_host` is who it was if he is known to speak TLS.
    """

    def __init__(self, message: str, *, tls_host: str = "") -> None:
        super().__init__(message)
        self.tls_host = tls_host


class HttpClient:
    """The connections of the engine to all registries, with one TLS policy per endpoint.

    `hosts` may be replaced; what is under way goes on as it began.
    """

    def __init__(
        self, hosts: HostsConfig, *, attempts: int = ATTEMPTS, proxies: Proxies | None = None
    ) -> None:
        """Take the policies, and how often a request is made before it has failed."""
        self.hosts = hosts
        self.attempts = attempts
        self.proxies = proxies or Proxies()
        self._session: aiohttp.ClientSession | None = None
        self._contexts: dict[Endpoint, tuple[object, ssl.SSLContext]] = {}

    async def close(self) -> None:
        """Close what is open. Idempotent."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    @contextlib.asynccontextmanager
    async def send(
        self,
        endpoint: Endpoint,
        method: str,
        url: str | URL,
        *,
        headers: Mapping[str, str] | None = None,
        form: Sequence[tuple[str, str]] | None = None,
        query: Sequence[tuple[str, str]] | None = None,
        body: Body | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send one request, following redirects; the answer's body is read inside the block.

        A `body` or a `form` goes nowhere but to `url`: where that redirects to is for somebody
        else to say, and a form has credentials in it.

        Raises:
            RegistryUnreachableError: no answer, or its body broke off inside the block.
            FaultError: what is to be sent is no request.
        """
        if self._session is None:
            # Bodies stay as sent: a manifest's or a blob's digest is that of these bytes.
            self._session = aiohttp.ClientSession(
                timeout=_TIMEOUT,
                auto_decompress=False,
                headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
                cookie_jar=aiohttp.DummyCookieJar(),
                middlewares=(self._through_proxy,),
                read_bufsize=1 << 20,
            )
        context = await self._context(endpoint)
        timeout = _MIRROR_TIMEOUT if endpoint.is_mirror else _TIMEOUT
        patience: float | None = _MIRROR_HEAD_S if endpoint.is_mirror else _HEAD_S
        if body is not None:
            timeout, patience = _SENDING_TIMEOUT, None
        asked = self._session.request(
            method,
            url,
            headers=headers,
            data=form if body is None else body(),
            params=query,
            ssl=context,
            allow_redirects=body is None and form is None,
            timeout=timeout,
        )
        try:
            async with contextlib.AsyncExitStack() as stack:
                async with asyncio.timeout(patience):
                    response = await stack.enter_async_context(_possible(asked))
                yield response
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise RegistryUnreachableError(
                f'{method.capitalize()} "{shown(url)}": {go_words(error, str(url))}',
                tls_host=endpoint.host if spoke_tls(error, str(url)) else "",
            ) from error

    async def _through_proxy(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Choose the proxy of one request: where a redirect leads, another may be right."""
        url = request.url
        proxy = self.proxies.proxy_for(url.scheme, url.host or "", url.port)
        request.update_proxy(URL(proxy) if proxy else None, None, None)
        return await handler(request)

    async def _context(self, endpoint: Endpoint) -> ssl.SSLContext:
        files = self.hosts.certificate_files(endpoint)
        known = self._contexts.get(endpoint)
        if known is None or known[0] != files:
            known = files, await in_thread(self.hosts.tls_context, endpoint)
            self._contexts[endpoint] = known
            while len(self._contexts) > _MAX_CONTEXTS:
                del self._contexts[next(iter(self._contexts))]
        return known[1]


@contextlib.asynccontextmanager
async def _possible(
    asked: contextlib.AbstractAsyncContextManager[aiohttp.ClientResponse],
) -> AsyncIterator[aiohttp.ClientResponse]:
    """Enter a request that may be none: its parts come from strangers.

    Raises:
        FaultError: a header cannot be sent, or the address has credentials where others are sent.
    """
    async with contextlib.AsyncExitStack() as stack:
        try:
            response = await stack.enter_async_context(asked)
        except aiohttp.ClientError:
            raise
        except UnicodeError as error:
            raise aiohttp.ClientConnectionError("dial tcp: lookup: no such host") from error
        except ValueError as error:
            raise FaultError(f"request cannot be sent: {error}") from error
        yield response


@dataclass(frozen=True, slots=True)
class _Request:
    """What is asked, as often as it takes."""

    method: str
    url: str | URL
    headers: Mapping[str, str]
    body: Body | None


class EndpointSession:
    """Exchanges with one endpoint on behalf of one user."""

    def __init__(
        self,
        client: HttpClient,
        endpoint: Endpoint,
        auth: RegistryAuth | None,
        clock: Clock,
        *,
        for_login: bool = False,
        pings: bool = True,
    ) -> None:
        """Hold the session; without `pings` the endpoint is asked for nothing but what is wanted."""
        self.endpoint = endpoint
        self._client = client
        self._clock = clock
        self._challenges: list[Challenge] | None = None if pings else []
        self._authorizer = Authorizer(auth, self, clock, for_login=for_login)

    @property
    def identity_token(self) -> str:
        """Return the token that stands for the credentials; "" where the registry has none."""
        return self._authorizer.identity_token

    async def ping(self) -> None:
        """Find out whether the endpoint serves the protocol and how it wants to be asked.

        Raises:
            RegistryUnreachableError: it does not answer.
            FaultError: it answers something else.

        Spec: distribution-spec v1.1, end-1.
        """
        if self._challenges is not None:
            return
        url = f"{self.endpoint.base_url}/v2/"
        async with self._client.send(self.endpoint, "GET", url) as response:
            if response.status not in (200, 401):
                await raise_for(response, self._clock.now_ns())
            self._challenges = parse_challenges(response.headers.getall("WWW-Authenticate", []))

    @contextlib.asynccontextmanager
    async def exchange(
        self,
        method: str,
        path: str | URL,
        *,
        scope: str,
        headers: Mapping[str, str] | None = None,
        attempts: int | None = None,
        body: Body | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask for `path` below `/v2/`; the answer is 2xx, and its body is read in the block.

        A whole URL must be one of this endpoint; as a `URL` it is sent as it stands. Overload,
        failures of the server and lost connections are tried again with growing pauses, and a
        token that was refused is renewed once; `body` is asked for its bytes each time.

        Raises:
            NaruError: what the registry says, as a kind of `oci.distribution_errors`.
            RegistryUnreachableError: the last attempt got no answer.
            RegistryBusyError: the last answer was that the registry fails.
        """
        await self.ping()
        url = self._url(path) if isinstance(path, str) else path
        async with contextlib.AsyncExitStack() as stack:
            limit = self._client.attempts if attempts is None else attempts
            request = _Request(method, url, headers or {}, body)
            response = await self._answer(stack, request, scope, limit)
            yield response

    def _url(self, path: str) -> str:
        url = path if "://" in path else f"{self.endpoint.base_url}/v2/{path}"
        told = f"ns={self.endpoint.namespace}"
        # The address of a next page may have it already.
        if not self.endpoint.namespace or told in url:
            return url
        return f"{url}{'&' if '?' in url else '?'}{told}"

    async def request_token(
        self,
        method: str,
        url: str,
        parameters: Sequence[tuple[str, str]],
        headers: Mapping[str, str],
    ) -> bytes:
        """See `naru.distribution.auth.TokenRequester`."""
        if headers or method != "GET":
            self._refuse_eavesdroppers(url)
        query, form = (parameters, None) if method == "GET" else (None, parameters)
        async with self._client.send(
            self.endpoint, method, url, headers=headers, query=query, form=form
        ) as response:
            if response.status in (401, 403):
                raise refused_login(await read_limited(response, _TOKEN_BODY_LIMIT))
            if response.status != 200:
                await raise_for(response, self._clock.now_ns())
            return await read_limited(response, _TOKEN_BODY_LIMIT)

    def _refuse_eavesdroppers(self, realm: str) -> None:
        """Keep credentials that are safe on their way to the registry safe on every way.

        Raises:
            FaultError: whoever is on the way to `realm` could read along.
        """
        target = URL(realm)
        is_open = target.scheme == "http" and not self._client.hosts.is_insecure(target.authority)
        if is_open and self.endpoint.base_url.startswith("https://"):
            raise FaultError(
                f"registry {self.endpoint.host} wants credentials sent to {target.origin()}, "
                "which is not encrypted"
            )

    async def _answer(
        self,
        stack: contextlib.AsyncExitStack,
        request: _Request,
        scope: str,
        attempts: int,
    ) -> aiohttp.ClientResponse:
        renewed = False
        attempt = 0
        while True:
            attempt += 1
            sent = dict(request.headers)
            try:
                value = await self._authorizer.header(self._challenges or [], scope)
            except UnauthenticatedError as error:
                text = f'{request.method.capitalize()} "{shown(request.url)}": {error.message}'
                raise UnauthenticatedError(text, hint=error.hint) from error
            if value:
                sent["Authorization"] = value
            try:
                response = await stack.enter_async_context(
                    self._client.send(
                        self.endpoint, request.method, request.url, headers=sent, body=request.body
                    )
                )
            except RegistryUnreachableError:
                if attempt >= attempts:
                    raise
                await self._clock.sleep(pause_s(attempt))
                continue
            if response.status < 300:
                return response
            if response.status == 401 and not renewed and self._take_challenge(response):
                renewed = True
            elif response.status in _RETRIED_STATUSES and attempt < attempts:
                asked_s = asked_pause_s(response.headers, self._clock.now_ns())
                await stack.aclose()
                await self._clock.sleep(pause_s(attempt, asked_s))
            else:
                await raise_for(response, self._clock.now_ns())
            await stack.aclose()

    def _take_challenge(self, response: aiohttp.ClientResponse) -> bool:
        """Adopt the challenges of a 401; say whether trying again can help."""
        challenges = parse_challenges(response.headers.getall("WWW-Authenticate", []))
        changed = challenges != self._challenges
        bearer = [challenge for challenge in challenges if challenge.scheme == "bearer"]
        self._challenges = challenges or self._challenges
        if any(each.parameters.get("error") == "insufficient_scope" for each in bearer):
            # The token service has said already what we may do.
            return False
        self._authorizer.forget()
        return changed or bool(bearer)


def worth_asking(endpoint: Endpoint, failure: NaruError) -> bool:
    """Say whether an endpoint may do better than the one before it, which failed so."""
    if not isinstance(failure, RegistryUnreachableError):
        return True
    return failure.tls_host != endpoint.host or endpoint.base_url.startswith("https://")


def asked_for(response: aiohttp.ClientResponse) -> str:
    """Return what was asked, as Docker's errors begin. Where a redirect led has permission in it."""
    asked = response.history[0].url if response.history else response.url
    return f'{response.method.capitalize()} "{shown(asked)}"'


async def read_limited(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """Return the body.

    Raises:
        FaultError: it is longer than `limit` bytes.
        RegistryUnreachableError: it takes minutes.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(_SMALL_BODY_S):
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > limit:
                    raise FaultError(f"answer of {response.url.host} is longer than {limit} bytes")
    except TimeoutError as error:
        raise RegistryUnreachableError(
            f"{asked_for(response)}: context deadline exceeded "
            "(Client.Timeout or context cancellation while reading body)"
        ) from error
    return bytes(body)
