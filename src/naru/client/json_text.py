"""JSON in and out, without the 10 ms that importing `json` (and `re` behind it) costs.

The interpreter's C scanner is what `json` itself uses; where it is missing, `json` is taken.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

try:
    from _json import encode_basestring as _quote
    from _json import make_scanner as _make_scanner
except ImportError:  # pragma: no cover - another interpreter
    from json import dumps as _quote
    from json.scanner import make_scanner as _make_scanner


class _Settings:
    """The settings that `json.JSONDecoder` hands to the scanner."""

    strict = False
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float


_settings: Any = _Settings()
_scan: Callable[[str, int], tuple[Any, int]] = _make_scanner(_settings)


def loads(text: bytes | str) -> Any:
    """Read one JSON value.

    Raises:
        ValueError: `text` is not JSON.
    """
    if not isinstance(text, str):
        text = text.decode("utf-8", "replace")
    text = text.strip()
    try:
        value, end = _scan(text, 0)
    except StopIteration as error:
        raise ValueError(f"not JSON at character {error.value}") from error
    if end != len(text):
        raise ValueError(f"more than one JSON value: character {end}")
    return value


def dumps(value: Any) -> str:
    """Print a JSON value of dicts with text keys, lists, texts, numbers, booleans and None."""
    if isinstance(value, str):
        return str(_quote(value))
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{_quote(k)}:{dumps(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(dumps, value)) + "]"
    raise TypeError(f"{type(value).__name__} has no JSON form")
