"""Values as Go's templates see them: what is true, how they print, what type they are.

JSON answers come as Python's dicts and lists. Go's client reads them into structs, whose fields
all exist and print without names; a `GoStruct` marks such a dict.
"""

from __future__ import annotations

from naru.client import json_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar


class _NoValue:
    """What a missing key of a map gives."""

    def __repr__(self) -> str:
        return "<no value>"

    def __bool__(self) -> bool:
        return False


NO_VALUE = _NoValue()


class NilMap(dict[str, object]):
    """A map that is null in JSON: empty, but `null` when printed as JSON."""


class NilList(list[object]):
    """A list that is null in JSON."""


class GoStruct(dict[str, object]):
    """A JSON object that is a struct in Docker's Go client."""


class View:
    """One row of a table: named columns, each computed when it is asked for.

    `methods` are columns that take arguments, `.Label "name"`.
    """

    go_type = "*formatter.Context"
    columns: ClassVar[dict[str, Callable[[Any], object]]] = {}
    methods: ClassVar[dict[str, Callable[..., object]]] = {}

    def resolve(self, name: str, args: list[object]) -> object:
        """Return a column's value for `.Name` or `.Name "argument"`.

        Raises:
            LookupError: with Go's words.
        """
        if name in self.methods:
            if len(args) != 1:
                raise LookupError(f"wrong number of args for {name}: want 1 got {len(args)}")
            return self.methods[name](self, *args)
        if name not in self.columns:
            raise LookupError(f"can't evaluate field {name} in type {self.go_type}")
        if args:
            raise LookupError(f"wrong number of args for {name}: want 0 got {len(args)}")
        return self.columns[name](self)

    def as_json(self) -> dict[str, object]:
        """Return all columns, sorted, as `{{json .}}` shows them."""
        return {name: self.columns[name](self) for name in sorted(self.columns)}


def is_true(value: object) -> bool:
    """Say whether `if` takes its branch."""
    return bool(value)


def type_name(value: object) -> str:
    """Name the Go type of a value, as error messages do."""
    if isinstance(value, View):
        return value.go_type
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    if isinstance(value, float):
        return "float64"
    if isinstance(value, str):
        return "string"
    if isinstance(value, dict):
        return "map[string]interface {}"
    if isinstance(value, list | tuple):
        return "[]interface {}"
    return "<nil>"


def print_value(value: object) -> str:
    """Print a value as Go's fmt does with %v."""
    if isinstance(value, str):
        return value
    if value is True:
        return "true"
    if value is False:
        return "false"
    if value is None:
        return "<nil>"
    if isinstance(value, float):
        return _print_float(value)
    if isinstance(value, GoStruct):
        return "{" + " ".join(map(print_value, value.values())) + "}"
    if isinstance(value, dict):
        pairs = (f"{key}:{print_value(value[key])}" for key in sorted(value))
        return f"map[{' '.join(pairs)}]"
    if isinstance(value, list | tuple):
        return f"[{' '.join(map(print_value, value))}]"
    if isinstance(value, View):
        return "{" + " ".join(print_value(item) for item in value.as_json().values()) + "}"
    return repr(value)


def _print_float(value: float) -> str:
    if value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    mantissa, letter, exponent = repr(value).partition("e")
    if not letter:
        return mantissa
    return f"{mantissa}e{exponent[0]}{exponent[1:]:0>2}"


def print_json(value: object) -> str:
    """Print a value as docker's `json` function does.

    A row of a table comes out of Go's own marshaller, which escapes what HTML minds.
    """
    text = json_text.dumps(_plain(value))
    if isinstance(value, View):
        for char in "<>&\u2028\u2029":
            text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def _plain(value: object) -> object:
    if isinstance(value, View):
        return _plain(value.as_json())
    if isinstance(value, NilMap | NilList) or value is NO_VALUE:
        return None
    if isinstance(value, GoStruct):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, dict):
        return {key: _plain(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
