"""A streaming reader of tar archives that believes nothing: headers in, checked entries out.

Reads ustar, pax, GNU long names and base-256 numbers. Where readers of tar disagree it sides with
Go's archive/tar, which Docker and containerd read layers with: two readings of one layer would
be a hole. Sparse files are for `tar_sparse`. Decides nothing about names or places: that is for
`tar_apply`.

Spec: POSIX.1-2017, pax §ustar and §pax; GNU tar manual, Basic Tar Format.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from struct import Struct
from typing import Protocol

from naru.errors import CorruptDataError, NotSupportedError
from naru.store.tar_fields import (
    XATTR_PREFIX,
    checksum_fits,
    parse_number,
    parse_pax,
    parse_time,
)

BLOCK = 512
READ_SIZE = 1 << 20
MAX_EXTENSION = 1 << 20
"""Bytes. Upper bound of one pax header or long name, as in Go."""
MAX_REST = 64 << 20
"""Bytes. What may follow an archive: tapes have records that large, /dev/zero has no end."""

REGULAR, HARD_LINK, SYMLINK = b"0", b"1", b"2"
CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO = b"3", b"4", b"5", b"6"
_PAX, _PAX_GLOBAL, _LONG_NAME, _LONG_LINK, _VOLUME = b"x", b"g", b"L", b"K", b"V"
SPARSE = b"S"
"""A kind of GNU's own, see `tar_sparse`."""
_HEADER_ONLY = frozenset({HARD_LINK, SYMLINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO})
_KINDS = _HEADER_ONLY | {REGULAR}
# name mode uid gid size mtime checksum type link magic uname gname major minor prefix
_HEADER = Struct("100s8s8s8s12s12s8sc100s8s32x32x8s8s155s12x")
_ZEROS = bytes(BLOCK)
_MAX_NUMBER = 2**63
_MAX_ID = 2**32 - 2
_MAX_MEMO = 4096


class Readable(Protocol):
    """Where bytes come from; `readinto` or `read_piece` is used where it exists, and saves a copy."""

    def read(self, count: int, /) -> bytes:
        """Return up to `count` bytes; nothing means the end."""


@dataclass(slots=True)
class Entry:
    """One member of an archive. Names are bytes as written, never decoded."""

    kind: bytes
    name: bytes
    link: bytes
    mode: int
    uid: int
    gid: int
    size: int
    mtime_ns: int
    major: int = 0
    minor: int = 0
    xattrs: dict[bytes, bytes] | None = None

    def __str__(self) -> str:
        return show(self.name)


def show(name: bytes) -> str:
    """Print a hostile name for an error message: short, and on one line."""
    text = name.decode("utf-8", "backslashreplace")
    return repr(text if len(text) <= 200 else f"{text[:100]}…{text[-90:]}")


class TarReader:
    """Goes through an archive once, front to back. One thread at a time."""

    def __init__(self, stream: Readable) -> None:
        self._source = _Source(stream)
        self._unread = 0
        self._padding = 0
        self._numbers: dict[bytes, int] = {}
        self._name = b""
        self._sparse_header = b""
        self._has_begun = False
        self.has_end = False

    def next(self) -> Entry | None:
        """Return the next entry, past the data of the last one; None at the end.

        Raises:
            CorruptDataError: no valid tar, or cut off; the message names the entry.
            NotSupportedError: a sparse file, or a kind of entry that nobody defines.
        """
        extended: dict[bytes, bytes] = {}
        long_name = long_link = b""
        while True:
            self._finish_entry()
            header = self._header()
            if header is None:
                if extended or long_name or long_link:
                    raise CorruptDataError("tar: ends behind an extension header")
                return None
            kind = header.kind
            if kind == _PAX:
                extended = self._pax(header)
            elif kind == _LONG_NAME:
                long_name = self._extension(header).partition(b"\0")[0]
            elif kind == _LONG_LINK:
                long_link = self._extension(header).partition(b"\0")[0]
            elif kind in (_PAX_GLOBAL, _VOLUME):
                # Go applies global records to nothing, and so do we.
                self._unread, self._padding = header.size, -header.size % BLOCK
            else:
                break
        if extended:
            self._extend(header, extended)
        header.name = long_name or header.name
        header.link = long_link or header.link
        self._name = header.name
        return self._checked(header)

    def _checked(self, entry: Entry) -> Entry:
        if entry.kind not in _KINDS:
            if entry.kind == SPARSE:
                raise _no_sparse_files(entry)
            raise NotSupportedError(f"tar: {entry}: unknown kind of entry {entry.kind!r}")
        if not entry.name or b"\0" in entry.name or b"\0" in entry.link:
            raise CorruptDataError(f"tar: {entry}: no valid name")
        if entry.kind == REGULAR and entry.name.endswith(b"/"):
            entry.kind = DIRECTORY
        if entry.kind in _HEADER_ONLY:
            entry.size = 0
        self._unread = entry.size
        self._padding = -entry.size % BLOCK
        return entry

    def read_piece(self, count: int) -> memoryview:
        """Return 1 to `count` bytes of the current entry's data; nothing at its end.

        The bytes are valid until the next call of any method: copy what must live longer.

        Raises:
            CorruptDataError: the archive is cut off.
        """
        if not self._unread:
            return memoryview(b"")
        piece = self._source.some(min(count, self._unread))
        if not piece:
            raise CorruptDataError(f"tar: {show(self._name)}: cut off within its data")
        self._unread -= len(piece)
        return piece

    def copy_to(self, descriptor: int) -> None:
        """Write the data of the current entry to a file.

        Raises:
            CorruptDataError: the archive is cut off.
            OSError: the file cannot be written.
        """
        while self._unread:
            piece = self.read_piece(self._unread)
            written = os.write(descriptor, piece)
            while written < len(piece):
                written += os.write(descriptor, piece[written:])

    def read_data(self, limit: int) -> bytes:
        """Return all data of the current entry, which is `limit` bytes at most.

        Raises:
            CorruptDataError: larger, or cut off.
        """
        if self._unread > limit:
            raise CorruptDataError(f"tar: {show(self._name)}: larger than {limit} bytes")
        data = self._source.exactly(self._unread)
        if data is None:
            raise CorruptDataError(f"tar: {show(self._name)}: cut off within its data")
        self._unread = 0
        return bytes(data)

    def drain(self) -> None:
        """Read what follows the archive, so that a digest covers all. Raises as `next`."""
        rest = 0
        while piece := self._source.some(READ_SIZE):
            rest += len(piece)
            if rest > MAX_REST:
                raise CorruptDataError(f"tar: more than {MAX_REST} bytes follow the archive's end")

    def _finish_entry(self) -> None:
        rest, padding = self._unread + self._padding, self._padding
        if rest:
            self._unread = self._padding = 0
            missing = self._source.skip(rest)
            # docker's own client ends a context right behind the data, and Go takes that.
            if missing and missing != padding:
                raise CorruptDataError(f"tar: {show(self._name)}: cut off within its data")

    def _header(self) -> Entry | None:
        block = self._source.exactly(BLOCK)
        if block is None:
            # Archives without an end marker are common, and Go takes them.
            if self._source.at_end:
                return None
            where = f"the header behind {show(self._name)}" if self._name else "its first header"
            raise CorruptDataError(f"tar: cut off in {where}")
        fields = _HEADER.unpack_from(block)
        if not block[0] and block == _ZEROS:
            second = self._source.exactly(BLOCK)
            if (second is None and self._source.at_end) or second == _ZEROS:
                self.has_end = True
                return None
            raise CorruptDataError(f"tar: bad end marker behind {show(self._name)}")
        name, mode, uid, gid, size, mtime, checksum, kind, link, magic, *rest = fields
        self._name = name = name.partition(b"\0")[0]
        if not self._fits(block, checksum):
            if not self._has_begun:
                # Go's words, for what is no tar at all.
                raise CorruptDataError("archive/tar: invalid tar header")
            raise CorruptDataError(f"tar: {show(name)}: header checksum does not match")
        self._has_begun = True
        if kind == SPARSE:
            self._sparse_header = bytes(block)
        major, minor, prefix = rest
        number = self._repeated_number
        entry = Entry(
            REGULAR if kind in (b"\0", b"7") else kind,
            name,
            link.partition(b"\0")[0] if link[0] else b"",
            number(mode) & 0o7777,
            number(uid),
            number(gid),
            self._number(size),
            number(mtime) * 10**9,
        )
        if prefix[0] and magic.startswith(b"ustar\0"):
            entry.name = prefix.partition(b"\0")[0] + b"/" + name
        if kind in (CHARACTER, BLOCK_DEVICE):
            entry.major, entry.minor = number(major), number(minor)
            _check_range(entry)
        elif (uid[0] | gid[0] | size[0]) & 0x80:
            # Octal digits cannot be out of range: the fields are too short.
            _check_range(entry)
        return entry

    def _fits(self, block: memoryview | bytes, checksum: bytes) -> bool:
        try:
            return checksum_fits(block, checksum, self._repeated_number(checksum))
        except CorruptDataError:
            return False

    def _number(self, field: bytes) -> int:
        try:
            return parse_number(field)
        except ValueError:
            raise CorruptDataError(f"tar: {show(self._name)}: bad number {field!r}") from None

    def _repeated_number(self, field: bytes) -> int:
        # Owners, modes, times and sums repeat thousands of times in one archive.
        value = self._numbers.get(field)
        if value is None:
            if len(self._numbers) >= _MAX_MEMO:
                self._numbers.clear()
            value = self._numbers[field] = self._number(field)
        return value

    def _sparse_record(self, entry: Entry, key: bytes, value: bytes) -> None:
        """Take note of a pax record about holes."""
        raise _no_sparse_files(entry)

    def _pax_time(self, value: bytes) -> int:
        try:
            return parse_time(value)
        except ValueError:
            raise CorruptDataError(
                f"tar: {show(self._name)}: bad pax mtime {value[:40]!r}"
            ) from None

    def _extension(self, header: Entry) -> bytes:
        if header.size > MAX_EXTENSION:
            raise CorruptDataError(f"tar: {header}: extension of {header.size} bytes")
        self._unread, self._padding = header.size, -header.size % BLOCK
        return self.read_data(MAX_EXTENSION)

    def _pax(self, header: Entry) -> dict[bytes, bytes]:
        data = self._extension(header)
        try:
            return parse_pax(data)
        except ValueError as error:
            raise CorruptDataError(f"tar: {header}: bad pax header: {error}") from None

    def _extend(self, entry: Entry, records: dict[bytes, bytes]) -> None:
        """Apply pax records; an empty value means the header's own. Spec: pax §Extended Header."""
        for key, value in records.items():
            if key.startswith(XATTR_PREFIX):
                entry.xattrs = entry.xattrs or {}
                entry.xattrs[key[len(XATTR_PREFIX) :]] = value
            elif key.startswith(b"GNU.sparse."):
                self._sparse_record(entry, key, value)
            elif not value:
                continue
            elif key == b"path":
                entry.name = value
            elif key == b"linkpath":
                entry.link = value
            elif key in (b"size", b"uid", b"gid"):
                if not value.isdigit() or len(value) > 19:
                    raise CorruptDataError(f"tar: {entry}: bad pax {key.decode()} {value[:40]!r}")
                setattr(entry, key.decode(), int(value))
            elif key == b"mtime":
                entry.mtime_ns = self._pax_time(value)
        _check_range(entry)


class _Source:
    """The stream as big pieces; a header is a slice of one, and no byte is copied twice."""

    def __init__(self, stream: Readable) -> None:
        read = stream.read
        self._read_piece = getattr(stream, "read_piece", None) or (lambda: read(READ_SIZE))
        self._readinto = getattr(stream, "readinto", None)
        self._buffer = bytearray(READ_SIZE) if self._readinto else bytearray()
        self._piece = memoryview(b"")
        self._position = 0
        self.at_end = False

    def _fill(self) -> bool:
        """Put the next piece in place of a piece that is used up."""
        if self._readinto is not None:
            count = self._readinto(self._buffer) or 0
            self._piece = memoryview(self._buffer)[:count]
        else:
            self._piece = memoryview(self._read_piece())
        self._position = 0
        self.at_end = not self._piece
        return not self.at_end

    def some(self, count: int) -> memoryview:
        """Return 1 to `count` bytes, valid until the next call; nothing at the end."""
        position = self._position
        if position == len(self._piece):
            if not self._fill():
                return self._piece
            position = 0
        piece = self._piece[position : position + count]
        self._position = position + len(piece)
        return piece

    def skip(self, count: int) -> int:
        """Pass over `count` bytes; return how many of them are missing, if the end is nearer."""
        while count:
            position = self._position + count
            if position <= len(self._piece):
                self._position = position
                return 0
            count = position - len(self._piece)
            if not self._fill():
                return count
        return 0

    def exactly(self, count: int) -> memoryview | bytes | None:
        """Return `count` bytes; None if fewer are left, with `at_end` only if none was."""
        position = self._position
        if position + count <= len(self._piece):
            self._position = position + count
            return self._piece[position : position + count]
        parts = []
        missing = count
        while missing:
            part = bytes(self.some(missing))
            if not part:
                self.at_end = missing == count
                return None
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)


def _no_sparse_files(entry: Entry) -> NotSupportedError:
    return NotSupportedError(
        f"tar: {entry}: sparse files are not supported",
        hint="write the archive without --sparse, or with `tar --format=posix`",
    )


def _check_range(entry: Entry) -> None:
    if not 0 <= entry.size < _MAX_NUMBER:
        raise CorruptDataError(f"tar: {entry}: impossible size {entry.size}")
    if not (0 <= entry.uid <= _MAX_ID and 0 <= entry.gid <= _MAX_ID):
        raise CorruptDataError(f"tar: {entry}: impossible owner {entry.uid}:{entry.gid}")
    if not (0 <= entry.major < 2**12 and 0 <= entry.minor < 2**20):
        raise CorruptDataError(f"tar: {entry}: impossible device {entry.major}:{entry.minor}")
