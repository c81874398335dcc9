"""The framing of netlink."""

from __future__ import annotations

import sys

from naru.linux.netlink_socket import (
    attribute,
    attributes,
    nested_attribute,
    number_attribute,
    text_attribute,
)


def test_attributes_are_padded_and_read_back() -> None:
    data = attribute(1, b"abc") + text_attribute(3, "eth0") + number_attribute(4, 1500)
    assert len(data) % 4 == 0
    found = attributes(data)
    assert found[1] == b"abc"
    assert found[3] == b"eth0\0"
    assert int.from_bytes(found[4], sys.byteorder) == 1500


def test_nested_attributes_are_found_by_their_plain_kind() -> None:
    data = nested_attribute(18, text_attribute(1, "veth"), nested_attribute(2, attribute(1, b"x")))
    inner = attributes(attributes(data)[18])
    assert inner[1] == b"veth\0"
    assert attributes(inner[2]) == {1: b"x"}


def test_bytes_that_are_no_attributes_end_the_reading() -> None:
    assert attributes(b"") == {}
    assert attributes(b"\0\0\0") == {}
    assert attributes(b"\x02\0\x01\0rest") == {}
    assert attributes(b"\xff\xff\x01\0ab") == {1: b"ab"}
