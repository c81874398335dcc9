"""Tar archives byte by byte, so that tests can write what no honest tool would."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict, Unpack

END = bytes(1024)


class Fields(TypedDict, total=False):
    """What else a header may say; see `header`."""

    size: int | bytes
    link: bytes
    mode: int
    uid: int | bytes
    gid: int | bytes
    mtime: int | bytes
    major: int
    minor: int
    magic: bytes
    prefix: bytes
    checksum: bytes


def octal(value: int, width: int) -> bytes:
    return b"%0*o\0" % (width - 1, value)


def base256(value: int, width: int) -> bytes:
    bits = 8 * width
    number = value + (1 << (bits - 1)) if value >= 0 else value + (1 << bits)
    return number.to_bytes(width, "big")


def header(
    name: bytes,
    kind: bytes = b"0",
    *,
    size: int | bytes = 0,
    link: bytes = b"",
    mode: int = 0o644,
    uid: int | bytes = 0,
    gid: int | bytes = 0,
    mtime: int | bytes = 1_000_000_000,
    major: int = 0,
    minor: int = 0,
    magic: bytes = b"ustar\x0000",
    prefix: bytes = b"",
    checksum: bytes | None = None,
) -> bytes:
    """Return one block; numbers given as bytes are taken as they are."""

    def number(value: int | bytes, width: int) -> bytes:
        return value if isinstance(value, bytes) else octal(value, width)

    block = b"".join(
        (
            name[:100].ljust(100, b"\0"),
            octal(mode, 8),
            number(uid, 8),
            number(gid, 8),
            number(size, 12),
            number(mtime, 12),
            b" " * 8,
            kind,
            link[:100].ljust(100, b"\0"),
            magic,
            bytes(64),
            octal(major, 8),
            octal(minor, 8),
            prefix.ljust(155, b"\0"),
            bytes(12),
        )
    )
    assert len(block) == 512
    stored = b"%06o\0 " % sum(block) if checksum is None else checksum
    return block[:148] + stored + block[156:]


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def member(
    name: str | bytes, data: bytes = b"", kind: bytes = b"0", **fields: Unpack[Fields]
) -> bytes:
    """Return header and data; long names go into GNU's extra entries."""
    raw = name.encode() if isinstance(name, str) else name
    link = fields.get("link", b"")
    before = long_name(raw) if len(raw) > 100 else b""
    before += long_name(link, b"K") if len(link) > 100 else b""
    fields.setdefault("size", len(data))
    return before + header(raw, kind, **fields) + padded(data)


def directory(name: str | bytes, **fields: Unpack[Fields]) -> bytes:
    raw = name.encode() if isinstance(name, str) else name
    fields.setdefault("mode", 0o755)
    return member(raw + b"/", b"", b"5", **fields)


def symlink(name: str | bytes, to: str | bytes) -> bytes:
    return member(name, b"", b"2", link=to.encode() if isinstance(to, str) else to, mode=0o777)


def hard_link(name: str | bytes, to: str | bytes) -> bytes:
    return member(name, b"", b"1", link=to.encode() if isinstance(to, str) else to)


def long_name(name: bytes, kind: bytes = b"L") -> bytes:
    data = name + b"\0"
    return header(b"././@LongLink", kind, size=len(data)) + padded(data)


def pax(records: Mapping[bytes, bytes], kind: bytes = b"x") -> bytes:
    data = b"".join(pax_record(key, value) for key, value in records.items())
    return header(b"PaxHeaders/x", kind, size=len(data)) + padded(data)


def pax_record(key: bytes, value: bytes) -> bytes:
    body = b" " + key + b"=" + value + b"\n"
    length = len(body) + 1
    while len(b"%d" % length) + len(body) != length:
        length = len(b"%d" % length) + len(body)
    return b"%d" % length + body


def archive(*members: bytes) -> bytes:
    return b"".join(members) + END
