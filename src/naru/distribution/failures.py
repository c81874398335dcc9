"""What went wrong with a request to a registry, in the words that Docker's clients know.

Answers outside 2xx become the kinds of `oci.distribution_errors`, and aiohttp's failures the
phrases of Go's HTTP client.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
from typing import NoReturn

import aiohttp
import msgspec

from naru import untrusted_json
from naru.distribution.challenge import parse_challenges
from naru.distribution.hosts import shown
from naru.distribution.pausing import asked_pause_s
from naru.errors import FaultError, NaruError, UnauthenticatedError
from naru.oci.distribution_errors import BY_CODE, TooManyRequestsError

_ERROR_BODY_LIMIT = 64 * 1024
_ERROR_BODY_S = 10.0
# https://datatracker.ietf.org/doc/html/rfc6750#section-3.1
_BEARER_ERRORS = {
    "invalid_token": ("UNAUTHORIZED", "authentication required"),
    "insufficient_scope": ("DENIED", "requested access to the resource is denied"),
}
# What OpenSSL says when it is not TLS that comes back.
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"})
# The first that fits counts.
_WORDS_BY_KIND: tuple[tuple[type[BaseException], str], ...] = (
    (aiohttp.ServerDisconnectedError, "EOF"),
    (aiohttp.TooManyRedirects, "stopped after 10 redirects"),
    (aiohttp.ClientPayloadError, "unexpected EOF"),
    (TimeoutError, "net/http: timeout awaiting response headers"),
    (ConnectionResetError, "read: connection reset by peer"),
    (aiohttp.ClientOSError, "read: connection reset by peer"),
)


class RegistryBusyError(FaultError):
    """The registry fails at the moment: the same request may work later.

    `asked_pause_s` is for how many seconds of patience it asks, if it does.
    """

    asked_pause_s: float | None = None


class RequestTooLargeError(FaultError):
    """Somebody on the way takes no request that large; the same bytes in smaller ones may pass."""


class RangeRefusedError(FaultError):
    """The server does not serve a part of a blob, or not that part; it may serve the whole."""


async def raise_for(response: aiohttp.ClientResponse, now_ns: int) -> NoReturn:
    """Raise what an answer outside 2xx means that came at `now_ns`."""
    if response.status >= 500:
        words = f"received unexpected HTTP status: {response.status} {response.reason or ''}"
        failure = RegistryBusyError(words.rstrip())
        failure.asked_pause_s = asked_pause_s(response.headers, now_ns)
        raise failure
    for challenge in parse_challenges(response.headers.getall("WWW-Authenticate", [])):
        problem = _BEARER_ERRORS.get(challenge.parameters.get("error", ""))
        if challenge.scheme == "bearer" and problem:
            code, words = problem
            words = challenge.parameters.get("error_description") or words
            raise _registry_error(code, words)
    told = _error_from_body(response.status, await _words_of(response))
    if isinstance(told, TooManyRequestsError):
        told.asked_pause_s = asked_pause_s(response.headers, now_ns)
    if response.status == 413:
        hint = f"{response.url.host}, or a proxy before it, takes no request of this size"
        raise RequestTooLargeError(told.message, hint=hint)
    raise RangeRefusedError(told.message) if response.status == 416 else told


async def _words_of(response: aiohttp.ClientResponse) -> bytes:
    """Return the body of a refusal, as far as it comes soon and makes sense to read."""
    body = bytearray()
    with contextlib.suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(_ERROR_BODY_S):
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) >= _ERROR_BODY_LIMIT:
                    break
    return bytes(body)


class _Problem(msgspec.Struct):
    code: str = ""
    message: str = ""


class _Problems(msgspec.Struct):
    errors: list[_Problem] = []
    details: str = ""


_CODE_BY_STATUS = {
    401: ("UNAUTHORIZED", "authentication required"),
    403: ("DENIED", "requested access to the resource is denied"),
    404: ("MANIFEST_UNKNOWN", "manifest unknown"),
    429: ("TOOMANYREQUESTS", "too many requests"),
}


def refused_login(body: bytes) -> UnauthenticatedError:
    """Return what a token service means that refuses a name, a password or a token."""
    told = _problems(body)
    first = told.errors[0] if told.errors else _Problem()
    words = (first.code or "UNAUTHORIZED").lower().replace("_", " ")
    reason = first.message or told.details or "incorrect username or password"
    return UnauthenticatedError(f"{words}: {reason}")


def _problems(body: bytes) -> _Problems:
    try:
        return untrusted_json.decode(body, type=_Problems)
    except msgspec.MsgspecError:
        return _Problems()


def _error_from_body(status: int, body: bytes) -> NaruError:
    problems = _problems(body).errors
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


def spoke_tls(error: BaseException, url: str) -> bool:
    """Say whether who failed so is known to speak TLS: then he is not asked without it."""
    if _alert_of(error) or isinstance(error, aiohttp.ClientConnectorCertificateError):
        return True
    is_early = isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
    return url.startswith("https://") and not is_early


def _alert_of(error: BaseException) -> str:
    """Return the TLS alert that ended a connection, in Go's words; "" if it was something else."""
    cause: BaseException | None = error
    while cause is not None:
        _, is_alert, name = str(getattr(cause, "reason", "") or "").partition("_ALERT_")
        if is_alert:
            return name.lower().replace("_", " ")
        cause = getattr(cause, "os_error", None) or cause.__cause__ or cause.__context__
    return ""


def _certificate_words(cause: BaseException) -> str:
    words = str(getattr(cause, "verify_message", "") or cause)
    if "issuer certificate" in words or "self-signed" in words or "self signed" in words:
        return "certificate signed by unknown authority"
    if "expired" in words or "not yet valid" in words:
        return "certificate has expired or is not yet valid"
    return words


def go_words(error: BaseException, url: str) -> str:
    """Say why no answer came, in the words of Docker's HTTP client."""
    if alert := _alert_of(error):
        return f"remote error: tls: {alert}"
    match error:
        case aiohttp.ClientConnectorDNSError():
            return f"dial tcp: lookup {error.host}: no such host"
        case aiohttp.ClientConnectorCertificateError():
            words = _certificate_words(error.certificate_error)
            return f"tls: failed to verify certificate: x509: {words}"
        case aiohttp.ClientSSLError():
            reason = getattr(error.os_error, "reason", "") or ""
            if reason in _NO_TLS:
                return "http: server gave HTTP response to HTTPS client"
            return f"remote error: tls: {reason or error.os_error}"
        case aiohttp.ClientConnectorError():
            through = "proxyconnect tcp: " * isinstance(error, aiohttp.ClientProxyConnectionError)
            number = error.os_error.errno or 0
            if number == errno.ECONNREFUSED or "Connect call failed" in str(error.os_error):
                return f"{through}dial tcp {error.host}:{error.port}: connect: connection refused"
            return (
                f"{through}dial tcp {error.host}:{error.port}: {error.os_error.strerror or error}"
            )
        case aiohttp.ClientHttpProxyError():
            return error.message
        case aiohttp.InvalidURL():
            return f"invalid URL in answer of {shown(url)}"
    for kind, words in _WORDS_BY_KIND:
        if isinstance(error, kind):
            return words
    return str(error) or type(error).__name__
