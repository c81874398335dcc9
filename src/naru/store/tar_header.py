"""Headers of tar archives, written: one entry in, its blocks out.

Pure, and the other direction of `tar_read`: what is written here is read there as it was. Plain
ustar wherever it holds the entry; pax records for what it does not. Equal entries give equal
bytes, whoever writes them and when.

Spec: POSIX.1-2017, pax §ustar and §pax Extended Header.
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct

from naru.store.tar_fields import XATTR_PREFIX
from naru.store.tar_read import BLOCK, DIRECTORY, Entry

END = bytes(2 * BLOCK)
"""What an archive ends with."""

_PAX = b"x"
_HEADER = Struct("100s8s8s8s12s12s8sc100s8s32x32x8s8s155x12x")
_MAGIC = b"ustar\x0000"
_NAME_SIZE = 100
_CHECKSUM_SPACES = b" " * 8
_LARGEST_ID = 0o7777777
_LARGEST = 0o77777777777
_SECOND = 10**9


def entry_blocks(entry: Entry, more: Mapping[bytes, bytes] | None = None) -> bytes:
    """Return the blocks before an entry's data. Times are cut to whole seconds.

    A directory's name gets the slash that it ends with. `more` are further pax records.
    """
    name = entry.name
    if entry.kind == DIRECTORY and not name.endswith(b"/"):
        name += b"/"
    seconds = entry.mtime_ns // _SECOND
    records = {**_pax_records(entry, name, seconds), **(more or {})}
    header = _header(
        entry.kind,
        name,
        link=entry.link,
        mode=entry.mode & 0o7777,
        uid=entry.uid,
        gid=entry.gid,
        size=entry.size,
        mtime=seconds,
        major=entry.major,
        minor=entry.minor,
    )
    if not records:
        return header
    data = b"".join(_record(key, value) for key, value in sorted(records.items()))
    shown = b"PaxHeaders.0/" + _ascii(name.rstrip(b"/").rpartition(b"/")[2])
    return _header(_PAX, shown, mode=0o644, size=len(data)) + data + padding(len(data)) + header


def padding(size: int) -> bytes:
    """Return the zeros that fill the last block of `size` bytes."""
    return bytes(-size % BLOCK)


def _pax_records(entry: Entry, name: bytes, seconds: int) -> dict[bytes, bytes]:
    records = {XATTR_PREFIX + key: value for key, value in (entry.xattrs or {}).items()}
    if _needs_record(name):
        records[b"path"] = name
    if _needs_record(entry.link):
        records[b"linkpath"] = entry.link
    for key, value, largest in (
        (b"uid", entry.uid, _LARGEST_ID),
        (b"gid", entry.gid, _LARGEST_ID),
        (b"size", entry.size, _LARGEST),
        (b"mtime", seconds, _LARGEST),
    ):
        if not 0 <= value <= largest:
            records[key] = b"%d" % value
    return records


def _needs_record(name: bytes) -> bool:
    return len(name) > _NAME_SIZE or not name.isascii()


def _record(key: bytes, value: bytes) -> bytes:
    """Return `length key=value` and a newline; the length counts its own digits."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    # One more digit than the rest has, when counting the digits crosses a power of ten.
    length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def _ascii(name: bytes) -> bytes:
    return name if name.isascii() else bytes(byte for byte in name if byte < 0x80)


def _header(
    kind: bytes,
    name: bytes,
    *,
    link: bytes = b"",
    mode: int = 0,
    uid: int = 0,
    gid: int = 0,
    size: int = 0,
    mtime: int = 0,
    major: int = 0,
    minor: int = 0,
) -> bytes:
    block = _HEADER.pack(
        _ascii(name)[:_NAME_SIZE],
        b"%07o" % mode,
        _octal(uid, 7, _LARGEST_ID),
        _octal(gid, 7, _LARGEST_ID),
        _octal(size, 11, _LARGEST),
        _octal(mtime, 11, _LARGEST),
        _CHECKSUM_SPACES,
        kind,
        _ascii(link)[:_NAME_SIZE],
        _MAGIC,
        b"%07o" % major,
        b"%07o" % minor,
    )
    return b"%b%06o\0 %b" % (block[:148], sum(block), block[156:])


def _octal(value: int, digits: int, largest: int) -> bytes:
    """Return the digits of a field; what a pax record holds instead reads as zero."""
    return b"%0*o" % (digits, value if 0 <= value <= largest else 0)
