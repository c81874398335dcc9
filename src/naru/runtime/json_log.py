"""The file of the driver `json-file`: what Docker's users read at LogPath.

Owns `<container id>-json.log` and its rotated files. A line of output is one JSON object on one
line, and is appended whole. Files never grow past their bound, other than by a line that alone
is longer.

Spec: moby, daemon/logger/jsonfilelog and loggerutils: `log`, `stream`, `attrs`, `time`; rotated
files are `.1`, `.2` and, compressed, `.1.gz`.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from naru.faults import fault_point
from naru.linux.fs import write_all
from naru.runtime.log_lines import STDERR, TAGS, TEXT_START, TIME_END, Record

_AFTER_RENAME = fault_point("runtime.json_log.after_rename")

# What may not stand in a JSON string as it is; bytes above 127 may, if they are UTF-8.
_ESCAPED: Final = bytes([*range(0x20), ord('"'), ord("\\")])
_BEGIN: Final = b'{"log":"'
_COPY_BYTES: Final = 1 << 20
# More than a line of the largest size is in JSON, each byte of it escaped.
_TORN_BYTES: Final = 8 << 20


class JsonFormat:
    """Writes lines as JSON, one per line."""

    def __init__(self, attributes: Mapping[str, str]) -> None:
        attrs = b'"attrs":%b,' % msgspec.json.encode(dict(sorted(attributes.items())))
        between = attrs if attributes else b""
        names = {stream: b"stderr" if stream == STDERR else b"stdout" for stream in TAGS.values()}
        self._tails = {
            stream: b'","stream":"%b",%b"time":"' % (name, between)
            for stream, name in names.items()
        }
        self._line_tails = {tag: b"\\n" + self._tails[stream] for tag, stream in TAGS.items()}

    def whole_lines(self, lines: Sequence[bytes]) -> bytes:
        """Write lines that are whole and in UTC, as they stand in the spool.

        Raises:
            KeyError: a line is not so.
        """
        if not lines:
            return b""
        ends = _Ends(self._line_tails)
        if _is_plain(b"".join(lines)):
            pieces = [line[TEXT_START:] + ends[line[:TEXT_START]] for line in lines]
        else:
            pieces = [_json_text(line[TEXT_START:]) + ends[line[:TEXT_START]] for line in lines]
        return _BEGIN + _BEGIN.join(pieces)

    def records(self, records: Iterable[Record]) -> bytes:
        """Write records."""
        return b"".join(
            b'%b%b%b%bZ"}\n'
            % (_BEGIN, _json_text(record.data), self._tails[record.stream], record.timestamp)
            for record in records
        )


class _Ends(dict[bytes, bytes]):
    """What follows the text of a line, by what precedes it in the spool.

    conmon gives the same time to all lines that it reads at once: most are found again.
    """

    def __init__(self, tails: Mapping[bytes, bytes]) -> None:
        super().__init__()
        self._tails = tails

    def __missing__(self, head: bytes) -> bytes:
        end = self[head] = self._tails[head[TIME_END:]] + head[:TIME_END] + b'Z"}\n'
        return end


def _is_plain(text: bytes) -> bool:
    return text.isascii() and len(text.translate(None, _ESCAPED)) == len(text)


def _json_text(text: bytes) -> bytes:
    """Return the inside of a JSON string; what is no UTF-8 is replaced, as in Docker."""
    if _is_plain(text):
        return text
    return msgspec.json.encode(text.decode(errors="replace"))[1:-1]


class JsonLog:
    """Appends to the file at LogPath, and rotates it. Blocking; one thread at a time."""

    def __init__(self, path: Path, max_bytes: int, max_files: int, *, compress: bool) -> None:
        """Write to `path`; 0 for `max_bytes` means no bound."""
        self.path = path
        self._max_bytes = max_bytes
        self._max_files = max_files
        self._compress = compress
        self._descriptor = -1
        self._inode = 0
        self._size = 0

    @property
    def mark(self) -> tuple[int, int]:
        """The file that is written, by inode, and its size."""
        return self._inode, self._size

    def open(self) -> None:
        """Open the file, or make it. Idempotent."""
        if self._descriptor < 0:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._descriptor = os.open(self.path, flags, 0o640)
            status = os.fstat(self._descriptor)
            self._inode, self._size = status.st_ino, status.st_size

    def close(self) -> None:
        """Close the file. Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def drop_torn_line(self) -> None:
        """Cut off a line that a kill left unfinished, and that cannot be made again."""
        with open(self.path, "r+b") as file:
            start = max(self._size - _TORN_BYTES, 0)
            file.seek(start)
            end = start + file.read().rfind(b"\n") + 1
            if end < self._size and (end > start or not start):
                file.truncate(end)
                self._size = end

    def written_since(self, mark: tuple[int, int]) -> int:
        """Return how much was written after `mark`, also into newer files.

        If the marked file is gone, all that is there was.
        """
        inode, size = mark
        total = 0
        for number in range(self._max_files + 1):
            try:
                status = os.stat(self._rotated(number) if number else self.path)
            except FileNotFoundError:
                continue
            if status.st_ino == inode:
                return total + max(status.st_size - size, 0)
            total += status.st_size
        return total

    def append(self, data: bytes, before_rotation: Callable[[int], None]) -> None:
        """Append whole lines.

        `before_rotation` is called with the number of bytes that were written so far, each time
        when the file is about to be put aside, and again when there is a new one.

        Raises:
            OSError: the disk is full, or refuses otherwise.
        """
        self.open()
        written = 0
        while written < len(data):
            if not self._max_bytes or self._size + len(data) - written <= self._max_bytes:
                end = len(data)
            else:
                room = max(self._max_bytes - self._size, 0)
                end = data.rfind(b"\n", written, written + room) + 1
                if not end and not self._size:
                    end = data.find(b"\n", written) + 1
            if end:
                write_all(self._descriptor, memoryview(data)[written:end])
                self._size += end - written
                written = end
            if written < len(data):
                before_rotation(written)
                self._rotate()
                before_rotation(written)

    def _rotate(self) -> None:
        self.close()
        for number in range(self._max_files - 1, 0, -1):
            source = self.path if number == 1 else self._rotated(number - 1)
            with contextlib.suppress(FileNotFoundError):
                os.replace(self._packed(number - 1), self._packed(number))
            with contextlib.suppress(FileNotFoundError):
                os.replace(source, self._rotated(number))
        if self._max_files == 1:
            self.path.unlink(missing_ok=True)
        _AFTER_RENAME()
        self.open()

    def pack(self) -> None:
        """Compress the rotated files, if that is wanted. Blocking; idempotent."""
        if not self._compress:
            return
        for number in range(1, self._max_files):
            self._pack(number)

    def _pack(self, number: int) -> None:
        source, target = self._rotated(number), self._packed(number)
        half_done = target.with_name(f"{target.name}.tmp")
        try:
            with open(source, "rb") as plain, gzip.open(half_done, "wb") as packed:
                shutil.copyfileobj(plain, packed, _COPY_BYTES)
        except FileNotFoundError:
            return
        shutil.copymode(source, half_done)
        os.replace(half_done, target)
        source.unlink(missing_ok=True)

    def _rotated(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def _packed(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}.gz")
