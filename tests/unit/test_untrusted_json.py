"""JSON that others wrote: whatever is wrong with it, it is one kind of error."""

from __future__ import annotations

import msgspec
import pytest

from naru import untrusted_json


class _Shape(msgspec.Struct):
    name: str = ""


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "truncated"),
        (b'{"name":1}', "Expected `str`, got `int`"),
        (b'{"name":"\xff"}', "not in UTF-8: invalid start byte"),
        ('{"name":"\udcff"}', "not in UTF-8: surrogates not allowed"),
        (b'{"x":' + b"[" * 100_000, "exceeded max depth"),
    ],
)
def test_what_is_wrong_is_told_in_one_way(data: bytes | str, words: str) -> None:
    with pytest.raises(msgspec.DecodeError, match=words):
        untrusted_json.decode(data, type=_Shape)


def test_what_is_right_is_read() -> None:
    assert untrusted_json.decode(b'{"name":"x"}', type=_Shape) == _Shape("x")
    assert untrusted_json.decode("[1]") == [1]
