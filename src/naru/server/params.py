"""Reading requests the way Docker does: versions, query parameters, JSON bodies."""

from __future__ import annotations

import base64
import binascii
from typing import TypeVar

import msgspec
from aiohttp import web

from naru.api.filters import Filters, parse_filters
from naru.api.version import MAXIMUM, ApiVersion, parse_version
from naru.distribution.auth import RegistryAuth
from naru.engine.context import EngineContext
from naru.errors import InvalidInputError
from naru.server.keys import CONTEXT

T = TypeVar("T")
# Spec: moby, httputils.BoolValue.
_FALSE = frozenset({"", "0", "no", "false", "none"})


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


def number(request: web.Request, key: str, *, default: int | None = None) -> int | None:
    """Return a whole number; empty counts as absent.

    Raises:
        InvalidInputError: it is none.
    """
    text = request.query.get(key, "")
    if not text:
        return default
    try:
        return int(text)
    except ValueError as error:
        raise InvalidInputError(
            f'strconv.Atoi: parsing "{text}": invalid syntax', hint=f"{key} takes a whole number"
        ) from error


def terminal_size(request: web.Request) -> tuple[int, int]:
    """Return the rows and columns of a terminal.

    Raises:
        InvalidInputError: `h` or `w` is missing or no number.
    """
    rows, columns = number(request, "h"), number(request, "w")
    if rows is None or columns is None:
        raise InvalidInputError('strconv.Atoi: parsing "": invalid syntax')
    return rows, columns


def text(request: web.Request, key: str, default: str = "") -> str:
    """Return a parameter as it is."""
    return request.query.get(key, default)


def filters(request: web.Request) -> Filters:
    """Return the `filters` parameter.

    Raises:
        InvalidInputError: it is no filter map.
    """
    return parse_filters(request.query.get("filters", ""))


async def body(request: web.Request, kind: type[T], *, required: bool = True) -> T:
    """Return the JSON body as a value of `kind`; an empty one counts as `{}` if not required.

    Raises:
        InvalidInputError: it is no JSON, or not of this shape; the message names the place.
    """
    data = await request.read()
    content_type = request.headers.get("Content-Type", "")
    if data and content_type.partition(";")[0].strip() not in ("", "application/json"):
        raise InvalidInputError(
            f"unsupported Content-Type header ({content_type}): must be 'application/json'"
        )
    if not data.strip():
        if required:
            raise InvalidInputError("invalid JSON: got EOF while reading request body")
        data = b"{}"
    try:
        return msgspec.json.decode(data, type=kind, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInputError(f"invalid JSON: {error}") from error
    except msgspec.DecodeError as error:
        raise InvalidInputError(f"invalid JSON: {error}") from error


class _AuthHeader(msgspec.Struct):
    username: str = ""
    password: str = ""
    auth: str = ""
    identitytoken: str = ""
    registrytoken: str = ""


def registry_auth(request: web.Request) -> RegistryAuth | None:
    """Return the login that the client sends along, if any.

    Raises:
        InvalidInputError: the header is not base64 of JSON.
    """
    header = request.headers.get("X-Registry-Auth", "")
    if not header:
        return None
    try:
        decoded = base64.urlsafe_b64decode(header + "=" * (-len(header) % 4))
        fields = msgspec.json.decode(decoded, type=_AuthHeader)
    except (binascii.Error, msgspec.MsgspecError) as error:
        raise InvalidInputError("invalid X-Registry-Auth header: not base64 of JSON") from error
    if not any((fields.username, fields.identitytoken, fields.registrytoken)):
        return None
    return RegistryAuth(
        username=fields.username,
        password=fields.password,
        identity_token=fields.identitytoken,
        registry_token=fields.registrytoken,
    )
