"""Request bodies, read as generously as Go reads them. Pure.

Docker's clients were written against Go's `encoding/json`: a key matches whatever its case, an
unknown one is skipped, and null leaves a value as it is, be it a string, a number or a struct.
A value of the wrong kind is an error, and the message names its place.

Spec: Go, encoding/json, Unmarshal; moby, httputils.ReadJSON for the texts.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin

import msgspec

from naru import untrusted_json
from naru.errors import InvalidInputError

T = TypeVar("T")
Step = Callable[[Any], Any]


def decode(data: bytes, kind: type[T]) -> T:
    """Return the JSON value in `data` as a `kind`.

    Raises:
        InvalidInputError: it is no JSON, goes on behind the value, or does not fit.
    """
    return _read(data, kind)[1]


def given(data: bytes, kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the fields of a `kind` that `data` names, as plain JSON; null counts as not named.

    Raises:
        InvalidInputError: it is no JSON, goes on behind the value, or does not fit.
    """
    fields: dict[str, Any] = _read(data, kind)[0]
    return fields


def _read(data: bytes, kind: type[T]) -> tuple[Any, T]:
    """Return the value as plain JSON in the API's own spelling, and as a `kind`."""
    if not data.strip():
        raise InvalidInputError("invalid JSON: got EOF while reading request body")
    try:
        found = untrusted_json.decode(data)
    except msgspec.DecodeError as error:
        if "trailing characters" in str(error):
            raise InvalidInputError("unexpected content after JSON") from error
        raise InvalidInputError(f"invalid JSON: {error}") from error
    shape: Any = kind
    try:
        plain = _step(shape)({} if found is None else found)
        return plain, msgspec.convert(plain, kind)
    except msgspec.ValidationError as error:
        raise InvalidInputError(f"invalid JSON: {error}") from error


@cache
def _step(kind: Any) -> Step:
    """Return what makes a value of plain JSON fit to be converted to `kind`."""
    origin = get_origin(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct_step(kind)
    if origin is dict:
        return _dict_step(get_args(kind)[1])
    if origin is list:
        return _list_step(get_args(kind)[0])
    if origin in (Union, types.UnionType):
        return _union_step(get_args(kind))
    return _checked_int if kind is int else _same


def _same(value: Any) -> Any:
    return value


def _checked_int(value: Any) -> Any:
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise InvalidInputError(f"invalid JSON: number {value:.3e} does not fit in 64 bits")
    return value


def _struct_step(kind: type[msgspec.Struct]) -> Step:
    # Steps are found at the first use, so that a struct may contain itself.
    fields = {
        field.encode_name.lower(): (field.encode_name, field.type)
        for field in msgspec.structs.fields(kind)
    }

    def step(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        fit = {}
        for key, item in value.items():
            if item is not None and (field := fields.get(key.lower())) is not None:
                name, kind = field
                fit[name] = _step(kind)(item)
        return fit

    return step


def _dict_step(kind: Any) -> Step:
    inner, zero = _step(kind), _zero(kind)

    def step(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {key: zero() if item is None else inner(item) for key, item in value.items()}

    return step


def _list_step(kind: Any) -> Step:
    inner, zero = _step(kind), _zero(kind)

    def step(value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return [zero() if item is None else inner(item) for item in value]

    return step


def _union_step(kinds: tuple[Any, ...]) -> Step:
    steps: dict[type, Step] = {}
    for kind in kinds:
        if kind is types.NoneType:
            continue
        origin = get_origin(kind) or kind
        steps[origin if origin in (list, int, str) else dict] = _step(kind)
    if list in steps and str in steps:
        # Go's StrSlice: a bare string is a list of one.
        steps[str] = lambda value: [value]
    return lambda value: steps.get(type(value), _same)(value)


def _zero(kind: Any) -> Callable[[], Any]:
    """Return what makes Go's zero value, as plain JSON."""
    if type(None) in get_args(kind):
        return lambda: None
    origin = get_origin(kind) or kind
    if origin in (str, int, float, bool, list, dict):
        return origin  # type: ignore[no-any-return]  # one of these
    return dict
