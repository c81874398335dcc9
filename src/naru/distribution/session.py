"""One exchange with one registry endpoint: authorise, send, retry, and say what went wrong.

The only module that knows aiohttp's failures; they leave as NaruErrors with the words that
Docker's clients know. Runs on the loop. The engine makes one `HttpClient` and closes it when it
stops; sessions are cheap and live as long as one pull.
"""

from __future__ import annotations

import contextlib
import errno
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence

import aiohttp
import msgspec

from naru.aio import in_thread
from naru.clock import Clock
from naru.distribution.auth import Authorizer, RegistryAuth
from naru.distribution.challenge import Challenge, parse_challenges
from naru.distribution.hosts import Endpoint, HostsConfig
from naru.errors import FaultError, NaruError, UnauthenticatedError
from naru.oci.distribution_errors import BY_CODE

USER_AGENT = "naru"
ATTEMPTS = 5
_RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})
_LONGEST_PAUSE_S = 30.0
_ERROR_BODY_LIMIT = 64 * 1024
_TOKEN_BODY_LIMIT = 1024 * 1024
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=15, sock_read=60)
# https://datatracker.ietf.org/doc/html/rfc6750#section-3.1
_BEARER_ERRORS = {
    "invalid_token": ("UNAUTHORIZED", "authentication required"),
    "insufficient_scope": ("DENIED", "requested access to the resource is denied"),
}


class RegistryUnreachableError(FaultError):
    """No answer came: another endpoint, or another attempt, may give one."""


class HttpClient:
    """The connections of the engine to all registries, with one TLS policy per endpoint."""

    def __init__(self, hosts: HostsConfig, *, attempts: int = ATTEMPTS) -> None:
        """Take the policy, and how often a request is made before it has failed."""
        self.hosts = hosts
        self.attempts = attempts
        self._session: aiohttp.ClientSession | None = None
        self._contexts: dict[Endpoint, ssl.SSLContext] = {}

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
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        form: Sequence[tuple[str, str]] | None = None,
        query: Sequence[tuple[str, str]] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send one request, following redirects; the body is read inside the block.

        Raises:
            RegistryUnreachableError: no answer, or its body broke off inside the block.
        """
        if self._session is None:
            # Bodies stay as sent: a manifest's or a blob's digest is that of these bytes.
            self._session = aiohttp.ClientSession(
                timeout=_TIMEOUT,
                auto_decompress=False,
                headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=True,
                read_bufsize=1 << 20,
            )
        context = await self._context(endpoint)
        try:
            async with self._session.request(
                method, url, headers=headers, data=form, params=query, ssl=context
            ) as response:
                yield response
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            words = _go_words(error, url)
            raise RegistryUnreachableError(f'{method.capitalize()} "{url}": {words}') from error

    async def _context(self, endpoint: Endpoint) -> ssl.SSLContext:
        known = self._contexts.get(endpoint)
        if known is None:
            known = await in_thread(self.hosts.tls_context, endpoint)
            self._contexts[endpoint] = known
        return known


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
    ) -> None:
        self.endpoint = endpoint
        self._client = client
        self._clock = clock
        self._challenges: list[Challenge] | None = None
        # A mirror is somebody else's host: it must not see the credentials of the registry.
        self._authorizer = Authorizer(
            None if endpoint.is_mirror else auth, self, clock, for_login=for_login
        )

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
                await _raise_for(response)
            self._challenges = parse_challenges(response.headers.getall("WWW-Authenticate", []))

    @contextlib.asynccontextmanager
    async def exchange(
        self,
        method: str,
        path: str,
        *,
        scope: str,
        headers: Mapping[str, str] | None = None,
        attempts: int | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask for `path` below `/v2/`; the answer is 2xx, and its body is read in the block.

        Overload, failures of the server and lost connections are tried again with growing
        pauses, and a token that was refused is renewed once.

        Raises:
            NaruError: what the registry says, as a kind of `oci.distribution_errors`.
            RegistryUnreachableError: the last attempt got no answer.
        """
        await self.ping()
        url = path if "://" in path else f"{self.endpoint.base_url}/v2/{path}"
        async with contextlib.AsyncExitStack() as stack:
            limit = self._client.attempts if attempts is None else attempts
            response = await self._answer(stack, method, url, scope, headers or {}, limit)
            yield response

    async def request_token(
        self,
        method: str,
        url: str,
        parameters: Sequence[tuple[str, str]],
        headers: Mapping[str, str],
    ) -> bytes:
        """See `naru.distribution.auth.TokenRequester`."""
        where = {"query": parameters} if method == "GET" else {"form": parameters}
        async with self._client.send(
            self.endpoint, method, url, headers=headers, **where
        ) as response:
            if response.status in (401, 403):
                raise UnauthenticatedError(
                    f'{method.capitalize()} "{url}": unauthorized: incorrect username or password'
                )
            if response.status != 200:
                await _raise_for(response)
            return await read_limited(response, _TOKEN_BODY_LIMIT)

    async def _answer(
        self,
        stack: contextlib.AsyncExitStack,
        method: str,
        url: str,
        scope: str,
        headers: Mapping[str, str],
        attempts: int,
    ) -> aiohttp.ClientResponse:
        renewed = False
        attempt = 0
        while True:
            attempt += 1
            sent = dict(headers)
            try:
                value = await self._authorizer.header(self._challenges or [], scope)
            except UnauthenticatedError as error:
                if error.message.startswith("no basic"):
                    text = f'{method.capitalize()} "{url}": {error.message}'
                    raise UnauthenticatedError(text) from error
                raise
            if value:
                sent["Authorization"] = value
            try:
                response = await stack.enter_async_context(
                    self._client.send(self.endpoint, method, url, headers=sent)
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
                pause = pause_s(attempt, response.headers.get("Retry-After", ""))
                await stack.aclose()
                await self._clock.sleep(pause)
            else:
                await _raise_for(response)
            await stack.aclose()

    def _take_challenge(self, response: aiohttp.ClientResponse) -> bool:
        """Adopt the challenges of a 401; say whether trying again can help."""
        challenges = parse_challenges(response.headers.getall("WWW-Authenticate", []))
        changed = challenges != self._challenges
        bearer = any(challenge.scheme == "bearer" for challenge in challenges)
        self._challenges = challenges or self._challenges
        self._authorizer.forget()
        return changed or bearer


def pause_s(attempt: int, retry_after: str = "") -> float:
    """Return how long to wait before the next attempt: the server's wish, or 1, 2, 4 … seconds."""
    wanted = float(retry_after) if retry_after.isdecimal() else float(2 ** (attempt - 1))
    return min(wanted, _LONGEST_PAUSE_S)


async def read_limited(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """Return the body.

    Raises:
        FaultError: it is longer than `limit` bytes.
    """
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > limit:
            raise FaultError(f"answer of {response.url.host} is longer than {limit} bytes")
    return bytes(body)


async def _raise_for(response: aiohttp.ClientResponse) -> None:
    """Raise what an answer outside 2xx means."""
    if response.status >= 500:
        raise FaultError(
            f"received unexpected HTTP status: {response.status} {response.reason or ''}".rstrip()
        )
    for challenge in parse_challenges(response.headers.getall("WWW-Authenticate", [])):
        problem = _BEARER_ERRORS.get(challenge.parameters.get("error", ""))
        if challenge.scheme == "bearer" and problem:
            code, words = problem
            words = challenge.parameters.get("error_description") or words
            raise _registry_error(code, words)
    body = b""
    if response.method != "HEAD":
        body = (await response.content.read(_ERROR_BODY_LIMIT)) or b""
    raise _error_from_body(response.status, body)


class _Problem(msgspec.Struct):
    code: str = ""
    message: str = ""


class _Problems(msgspec.Struct):
    errors: list[_Problem] = []


_CODE_BY_STATUS = {
    401: ("UNAUTHORIZED", "authentication required"),
    403: ("DENIED", "requested access to the resource is denied"),
    404: ("MANIFEST_UNKNOWN", "manifest unknown"),
    429: ("TOOMANYREQUESTS", "too many requests"),
}


def _error_from_body(status: int, body: bytes) -> NaruError:
    try:
        problems = msgspec.json.decode(body, type=_Problems).errors
    except (msgspec.MsgspecError, UnicodeDecodeError):
        problems = []
    if problems and problems[0].code:
        return _registry_error(problems[0].code, problems[0].message)
    if status in _CODE_BY_STATUS:
        return _registry_error(*_CODE_BY_STATUS[status])
    return FaultError(f"error parsing HTTP {status} response body: {body[:200]!r}")


def _registry_error(code: str, message: str) -> NaruError:
    """Build the error with the text that Docker prints: the code in lower-case words, then it."""
    words = code.lower().replace("_", " ")
    kind = BY_CODE.get(code.upper(), FaultError)
    return kind(f"{words}: {message or words}")


def _go_words(error: BaseException, url: str) -> str:
    """Say why no answer came, in the words of Docker's HTTP client."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return f"dial tcp: lookup {error.host}: no such host"
        case aiohttp.ClientConnectorCertificateError():
            cause = error.certificate_error
            words = getattr(cause, "verify_message", "") or str(cause)
            return f"tls: failed to verify certificate: x509: {words}"
        case aiohttp.ClientSSLError():
            reason = getattr(error.os_error, "reason", "") or ""
            if reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"):
                return "http: server gave HTTP response to HTTPS client"
            return f"remote error: tls: {reason or error.os_error}"
        case aiohttp.ClientConnectorError():
            number = error.os_error.errno or 0
            if number == errno.ECONNREFUSED or "Connect call failed" in str(error.os_error):
                return f"dial tcp {error.host}:{error.port}: connect: connection refused"
            return f"dial tcp {error.host}:{error.port}: {error.os_error.strerror or error}"
        case aiohttp.ServerDisconnectedError():
            return "EOF"
        case aiohttp.TooManyRedirects():
            return "stopped after 10 redirects"
        case aiohttp.InvalidURL():
            return f"invalid URL in answer of {url}"
        case aiohttp.ClientPayloadError():
            return "unexpected EOF"
        case TimeoutError():
            return "net/http: timeout awaiting response headers"
        case ConnectionResetError() | aiohttp.ClientOSError():
            return "read: connection reset by peer"
    return str(error) or type(error).__name__
