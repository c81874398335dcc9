"""Reading requests the way Docker does: versions, query parameters, JSON bodies."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from typing import TypeVar
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from naru import untrusted_json
from naru.api.filters import Filters, parse_filters
from naru.api.request_body import decode
from naru.api.version import MAXIMUM, ApiVersion, parse_version
from naru.distribution.auth import RegistryAuth, decode_auth, decode_auth_body, decode_auths
from naru.engine.context import EngineContext
from naru.errors import InvalidInputError
from naru.oci.platform import Platform
from naru.server.keys import CONTEXT
from naru.units import parse_flag

T = TypeVar("T")
# Spec: moby, httputils.BoolValue.
_FALSE = frozenset({"", "0", "no", "false", "none"})
# The kernel keeps rows and columns in 16 bits each.
_LARGEST_SIZE = 0xFFFF
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")


def context(request: web.Request) -> EngineContext:
    """Return the engine."""
    return request.app[CONTEXT]


def api_version(request: web.Request) -> ApiVersion:
    """Return the API version that the path names, or the newest.

    Raises:
        InvalidInputError: it is not spoken here.
    """
    text = request.match_info.get("version")
    return parse_version(text) if text else MAXIMUM


def name(request: web.Request) -> str:
    """Return the object that the path names."""
    return request.match_info["name"]


def flag(request: web.Request, key: str, *, default: bool = False) -> bool:
    """Return a yes-or-no parameter."""
    text = request.query.get(key)
    return default if text is None else text.strip().lower() not in _FALSE


def strict_flag(request: web.Request, key: str) -> bool:
    """Return a yes-or-no parameter of those few that Docker reads strictly; empty means no.

    Raises:
        InvalidInputError: it is neither.
    """
    text = request.query.get(key, "")
    try:
        return bool(text) and parse_flag(text)
    except InvalidInputError as error:
        raise InvalidInputError(f"invalid value for {key}: {text}: {error.message}") from error


def number(request: web.Request, key: str, *, default: int | None = None) -> int | None:
    """Return a whole number; empty counts as absent.

    Raises:
        InvalidInputError: it is none.
    """
    text = request.query.get(key, "")
    if not text:
        return default
    if _NUMBER.fullmatch(text) is None:
        raise InvalidInputError(
            f'strconv.Atoi: parsing "{text}": invalid syntax', hint=f"{key} takes a whole number"
        )
    return int(text)


def terminal_size(request: web.Request) -> tuple[int, int]:
    """Return the rows and columns of a terminal.

    Raises:
        InvalidInputError: `h` or `w` is missing or no number.
    """
    return _size(request, "h", "height"), _size(request, "w", "width")


def _size(request: web.Request, key: str, what: str) -> int:
    text = request.query.get(key, "")
    if not (text.isascii() and text.isdigit()):
        raise InvalidInputError(f'invalid resize {what} "{text}": invalid syntax')
    if int(text) > _LARGEST_SIZE:
        raise InvalidInputError(f'invalid resize {what} "{text}": value out of range')
    return int(text)


def text(request: web.Request, key: str, default: str = "") -> str:
    """Return a parameter as it is."""
    return request.query.get(key, default)


def platform(request: web.Request, key: str, *, since: ApiVersion) -> Platform | None:
    """Return the platform that a client names in JSON; None before the API version `since`.

    Raises:
        InvalidInputError: it is no platform, or there are several.

    Spec: moby, httputils.DecodePlatform.
    """
    words = [word for word in request.query.getall(key, []) if word]
    if not words or api_version(request) < since:
        return None
    if len(words) > 1:
        raise InvalidInputError(f"multiple {key} parameters not supported")
    try:
        found = untrusted_json.decode(words[0], type=Platform)
    except msgspec.MsgspecError as error:
        raise InvalidInputError(f"failed to parse platform: {error}") from error
    if not (found.os and found.architecture):
        if found.os_version or found.os_features or found.variant:
            raise InvalidInputError(
                "optional platform components provided, but OS and Architecture are missing"
            )
        raise InvalidInputError("both OS and Architecture must be provided")
    return found.normalised()


def raw_text(request: web.Request, key: str) -> str:
    """Return a parameter that may hold any bytes, such as a path: no UTF-8 becomes surrogates."""
    query = request.rel_url.raw_query_string
    pairs = parse_qsl(query, keep_blank_values=True, errors="surrogateescape")
    return dict(reversed(pairs)).get(key, "")


def filters(request: web.Request) -> Filters:
    """Return the `filters` parameter.

    Raises:
        InvalidInputError: it is no filter map.
    """
    return parse_filters(request.query.get("filters", ""))


async def body(request: web.Request, kind: type[T], *, required: bool = True) -> T:
    """Return the JSON body as a value of `kind`; none at all counts as `{}` if not required.

    Raises:
        InvalidInputError: it is no JSON, or not of this shape; the message names the place.

    Spec: moby, httputils.ReadJSON.
    """
    data = await json_bytes(request)
    if not data and not required and request.content_length in (None, 0):
        data = b"{}"
    return decode(data, kind)


async def json_bytes(request: web.Request) -> bytes:
    """Return the body, which is to be JSON, as it came.

    Raises:
        InvalidInputError: it says that it is something else.
    """
    data = await request.read()
    if data:
        _check_json_type(request.headers.get("Content-Type", ""))
    return data


async def body_chunks(request: web.Request) -> AsyncIterator[bytes]:
    """Yield the body as it comes."""
    while chunk := await request.content.readany():
        yield chunk


def _check_json_type(header: str) -> None:
    media_type = header.partition(";")[0].strip().lower()
    if not media_type:
        raise InvalidInputError(f"malformed Content-Type header ({header}): mime: no media type")
    if media_type != "application/json":
        raise InvalidInputError(
            f"unsupported Content-Type header ({header}): must be 'application/json'"
        )


def registry_auth(request: web.Request) -> RegistryAuth | None:
    """Return the login that the client sends along, if any.

    A header that cannot be read counts as none: clients send all kinds, and the registry has
    the last word.
    """
    with contextlib.suppress(InvalidInputError):
        return decode_auth(request.headers.get("X-Registry-Auth", ""))
    return None


async def registry_auth_of_push(request: web.Request) -> RegistryAuth | None:
    """Return the login as `registry_auth`, or from the body, where clients of old had it.

    Raises:
        InvalidInputError: there is a body, and it is none.

    Spec: moby, image router, postImagesPush.
    """
    if "X-Registry-Auth" in request.headers:
        return registry_auth(request)
    try:
        return decode_auth_body(await request.read())
    except InvalidInputError as error:
        raise InvalidInputError(
            f"bad parameters and missing X-Registry-Auth: {error.message}"
        ) from error


def registry_auths(request: web.Request) -> dict[str, RegistryAuth]:
    """Return the logins that the client sends along, by registry; as `registry_auth`."""
    with contextlib.suppress(InvalidInputError):
        return decode_auths(request.headers.get("X-Registry-Config", ""))
    return {}
