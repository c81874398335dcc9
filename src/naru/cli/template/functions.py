"""The functions that templates may call: Go's own and docker's.

Spec: Go, text/template (functions); docker/cli, templates/templates.go.
"""

from __future__ import annotations

from naru.cli.template.printf import format_values
from naru.cli.template.values import (
    NO_VALUE,
    NilList,
    NilMap,
    is_true,
    print_json,
    print_value,
    type_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class CallError(Exception):
    """A function refused its arguments; the evaluator says which function and where."""


class Function:
    """A callable and the kinds of its parameters; the last repeats when it is `variadic`.

    Kinds: `string`, `int`, `strings`, `any`.
    """

    __slots__ = ("call", "kinds", "least", "variadic")

    def __init__(
        self, call: Callable[..., Any], *kinds: str, variadic: bool = False, least: int = 0
    ) -> None:
        self.call = call
        self.kinds = kinds
        self.variadic = variadic
        self.least = least if variadic else len(kinds)


def _length(value: object) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, list | tuple | dict):
        return len(value)
    if value is None or value is NO_VALUE:
        raise CallError("len of nil pointer")
    raise CallError(f"len of type {type_name(value)}")


def _index(item: object, *keys: object) -> object:
    for key in keys:
        if item is None or item is NO_VALUE:
            raise CallError("index of untyped nil" if item is NO_VALUE else "index of nil pointer")
        if isinstance(item, dict):
            if not isinstance(key, str):
                raise CallError(f"value has type {type_name(key)}; should be string")
            item = item[key] if key in item else _zero_like(item)
        elif isinstance(item, list | tuple | str):
            if isinstance(key, bool) or not isinstance(key, int):
                raise CallError(f"cannot index slice/array with type {type_name(key)}")
            content = item.encode() if isinstance(item, str) else item
            if not 0 <= key < len(content):
                raise CallError(f"index out of range: {key}")
            item = content[key]
        else:
            raise CallError(f"can't index item of type {type_name(item)}")
    return item


def _zero_like(mapping: dict[str, object]) -> object:
    """Return the zero of a map's values: a missing key of Go's map gives that."""
    for value in mapping.values():
        if isinstance(value, str):
            return ""
        if isinstance(value, list):
            return NilList()
        if isinstance(value, bool):
            return False
        if isinstance(value, int | float):
            return 0
        return None
    return ""


def _slice(item: object, *bounds: int) -> object:
    if not isinstance(item, str | list):
        raise CallError(f"can't slice item of type {type_name(item)}")
    content = item.encode() if isinstance(item, str) else item
    start, end = (*bounds, *(0, len(content))[len(bounds) :])[:2]
    for bound in (start, end):
        if not 0 <= bound <= len(content):
            raise CallError(f"index out of range: {bound}")
    if start > end:
        raise CallError(f"invalid slice index: {start} > {end}")
    piece = content[start:end]
    return piece.decode(errors="replace") if isinstance(piece, bytes) else piece


_BASIC = {"string": str, "bool": bool, "int": int, "float64": float}


def _comparable(value: object) -> object:
    if isinstance(value, NilMap | NilList):
        return None
    if isinstance(value, list | dict):
        raise CallError("non-comparable type " + print_value(value) + ": " + type_name(value))
    return None if value is NO_VALUE else value


def _equal(first: object, *others: object) -> bool:
    if not others:
        raise CallError("missing argument for comparison")
    left = _comparable(first)
    for other in others:
        right = _comparable(other)
        if left is None or right is None:
            if left is right:
                return True
        elif type_name(left) != type_name(right):
            raise CallError("incompatible types for comparison")
        elif left == right:
            return True
    return False


def _less(first: Any, second: Any) -> bool:
    for value in (first, second):
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise CallError("invalid type for comparison")
    if type_name(first) != type_name(second):
        raise CallError("incompatible types for comparison")
    return bool(first < second)


def _print(*values: object) -> str:
    """Print as Go's Sprint: a blank between two values when neither is a string."""
    out = ""
    for number, value in enumerate(values):
        if number and not isinstance(value, str) and not isinstance(values[number - 1], str):
            out += " "
        out += print_value(value)
    return out


def _title(text: str) -> str:
    out, starts = [], True
    for char in text:
        out.append(char.upper() if starts else char)
        starts = not (char.isalnum() or char in "_'")
    return "".join(out)


def _pad(text: str, before: int, after: int) -> str:
    return text if not text else " " * before + text + " " * after


def _truncate(text: str, length: int) -> str:
    content = text.encode()
    if len(content) < length:
        return text
    return content[:length].decode(errors="replace")


_HTML = {"'": "&#39;", '"': "&#34;", "&": "&amp;", "<": "&lt;", ">": "&gt;", "\0": "\ufffd"}
_JS = {
    "\\": "\\\\",
    "'": "\\'",
    '"': '\\"',
    "<": "\\u003C",
    ">": "\\u003E",
    "&": "\\u0026",
    "=": "\\u003D",
}


def _html(*values: object) -> str:
    return "".join(_HTML.get(char, char) for char in _print(*values))


def _js(*values: object) -> str:
    return "".join(
        _JS.get(char) or (f"\\u{ord(char):04X}" if char < " " else char) for char in _print(*values)
    )


def _url_query(*values: object) -> str:
    from naru.client.transport import quote

    return quote(_print(*values), b" ").replace(" ", "+")


def _call(function: object, *_args: object) -> object:
    raise CallError(f"non-function of type {type_name(function)}")


def _never(*_args: object) -> object:
    raise AssertionError("the evaluator short-circuits and, or")


FUNCTIONS: dict[str, Function] = {
    "and": Function(_never, "any", variadic=True, least=1),
    "or": Function(_never, "any", variadic=True, least=1),
    "not": Function(lambda value: not is_true(value), "any"),
    "len": Function(_length, "any"),
    "index": Function(_index, "any", variadic=True, least=1),
    "slice": Function(_slice, "any", "int", variadic=True, least=1),
    "eq": Function(_equal, "any", variadic=True, least=1),
    "ne": Function(lambda a, b: not _equal(a, b), "any", "any"),
    "lt": Function(_less, "any", "any"),
    "le": Function(lambda a, b: _less(a, b) or _equal(a, b), "any", "any"),
    "gt": Function(lambda a, b: _less(b, a), "any", "any"),
    "ge": Function(lambda a, b: _less(b, a) or _equal(a, b), "any", "any"),
    "print": Function(_print, "any", variadic=True),
    "println": Function(
        lambda *values: " ".join(map(print_value, values)) + "\n", "any", variadic=True
    ),
    "printf": Function(format_values, "string", "any", variadic=True, least=1),
    "html": Function(_html, "any", variadic=True),
    "js": Function(_js, "any", variadic=True),
    "urlquery": Function(_url_query, "any", variadic=True),
    "call": Function(_call, "any", variadic=True, least=1),
    "json": Function(print_json, "any"),
    "split": Function(lambda text, by: text.split(by) if by else list(text), "string", "string"),
    "join": Function(lambda items, by: by.join(items), "strings", "string"),
    "title": Function(_title, "string"),
    "lower": Function(lambda text: text.lower(), "string"),
    "upper": Function(lambda text: text.upper(), "string"),
    "pad": Function(_pad, "string", "int", "int"),
    "truncate": Function(_truncate, "string", "int"),
}

# In a table's header line the fields are column titles; what works on values leaves them alone.
HEADER_FUNCTIONS: dict[str, Function] = {
    **FUNCTIONS,
    **{
        name: Function(lambda first, *_rest: first, "any", variadic=True, least=1)
        for name in ("json", "split", "join", "title", "lower", "upper", "truncate")
    },
}
