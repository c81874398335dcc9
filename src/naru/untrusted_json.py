"""JSON that others wrote, read so that there is one way for it to be wrong.

msgspec tells bytes that are no UTF-8 and values that are nested without end by errors of Python's
own, which whoever expects its errors lets pass: a fault of the sender's then looks like one of ours.
"""

from __future__ import annotations

from typing import Any, TypeVar, overload

import msgspec

T = TypeVar("T")


@overload
def decode(data: bytes | bytearray | str, /) -> Any: ...
@overload
def decode(data: bytes | bytearray | str, /, *, type: type[T], strict: bool = True) -> T: ...
@overload
def decode(data: bytes | bytearray | str, /, *, type: Any, strict: bool = True) -> Any: ...
def decode(data: bytes | bytearray | str, /, *, type: Any = Any, strict: bool = True) -> Any:
    """Return the value, as `msgspec.json.decode` does.

    Raises:
        msgspec.DecodeError: it is no JSON, or, as `msgspec.ValidationError`, of another shape.
    """
    try:
        return msgspec.json.decode(data, type=type, strict=strict)
    except (UnicodeDecodeError, UnicodeEncodeError) as error:
        raise msgspec.DecodeError(f"not in UTF-8: {error.reason}") from error
    except RecursionError as error:
        raise msgspec.DecodeError("exceeded max depth") from error
