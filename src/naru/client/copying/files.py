"""Files of a folder or of a tar archive, for those who read image layouts and saved images."""

from __future__ import annotations

import os
import posixpath
import stat
import tarfile
import tempfile
import zlib
from contextlib import contextmanager, suppress
from typing import Protocol

from naru.client.copying.content import file_failure
from naru.errors import CorruptDataError, NotFoundError, NotSupportedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import IO, Any

_PIECE = 1 << 20
_MAX_DOCUMENT = 16 << 20
_MAGIC_SIZE = 6
_LINK_DEPTH = 16
_MAGIC = (
    (b"\x1f\x8b\x08", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"BZh", "bzip2"),
)


class Files(Protocol):
    """Files by name, `/` between folders. A name leads nowhere but to one of them."""

    label: str

    def size(self, name: str) -> int | None:
        """Return the size of a file in bytes; None if there is none."""

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield the bytes of a file.

        Raises:
            NotFoundError: there is none.
            FaultError: it cannot be read.
        """

    def close(self) -> None:
        """Let go of them. Idempotent."""


def read_document(files: Files, name: str) -> bytes:
    """Return the bytes of a small file.

    Raises:
        NotFoundError: there is none.
        CorruptDataError: it is not small.
    """
    size = files.size(name)
    if size is None:
        raise NotFoundError(f"{files.label} has no {name}")
    if size > _MAX_DOCUMENT:
        raise CorruptDataError(f"{files.label}: {name} has {size} bytes, a document is smaller")
    return b"".join(files.pieces(name))


def compression_of(files: Files, name: str) -> str:
    """Return how a file is compressed, "" for not at all: its first bytes tell."""
    pieces = files.pieces(name)
    return detect(next(pieces, b""))


def detect(head: bytes) -> str:
    """Return the compression that a stream begins with; "" for none that is known."""
    return next((name for magic, name in _MAGIC if head.startswith(magic)), "")


class FolderFiles:
    """The files of a folder on disk."""

    def __init__(self, path: str) -> None:
        """Look into the folder.

        Raises:
            NotFoundError: there is none.
        """
        self.label = path
        if not os.path.isdir(path):
            raise NotFoundError(f"{path}: no such folder")

    def size(self, name: str) -> int | None:
        try:
            found = os.stat(f"{self.label}/{name}")
        except OSError:
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def pieces(self, name: str) -> Iterator[bytes]:
        path = f"{self.label}/{name}"
        try:
            with open(path, "rb", buffering=0) as file:
                while piece := file.read(_PIECE):
                    yield piece
        except FileNotFoundError as error:
            raise NotFoundError(f"{self.label} has no {name}") from error
        except OSError as error:
            raise file_failure(path, error) from error

    def close(self) -> None:
        return


class TarFiles:
    """The members of a tar archive that can be read at any place."""

    def __init__(self, file: IO[bytes], label: str) -> None:
        """List the archive's members; `file` is closed with this.

        Raises:
            CorruptDataError: it is no tar archive.
        """
        self.label = label
        self._file = file
        self._places: dict[str, tuple[int, int]] = {}
        self._links: dict[str, str] = {}
        try:
            with tarfile.open(fileobj=file, mode="r:") as archive:
                for member in archive:
                    self._add(member)
        except (tarfile.TarError, ValueError) as error:
            raise CorruptDataError(f"{label} is no tar archive: {error}") from error
        except OSError as error:
            raise file_failure(label, error) from error

    def _add(self, member: tarfile.TarInfo) -> None:
        name = _clean(member.name)
        if member.isreg():
            self._places[name] = (member.offset_data, member.size)
        elif member.issym():
            self._links[name] = _clean(posixpath.join(posixpath.dirname(name), member.linkname))
        elif member.islnk():
            self._links[name] = _clean(member.linkname)

    def _target(self, name: str) -> str:
        name = _clean(name)
        for _ in range(_LINK_DEPTH):
            if name in self._places or name not in self._links:
                break
            name = self._links[name]
        return name

    def size(self, name: str) -> int | None:
        place = self._places.get(self._target(name))
        return place[1] if place else None

    def pieces(self, name: str) -> Iterator[bytes]:
        place = self._places.get(self._target(name))
        if place is None:
            raise NotFoundError(f"{self.label} has no {name}")
        position, left = place
        while left:
            try:
                piece = os.pread(self._file.fileno(), min(left, _PIECE), position)
            except OSError as error:
                raise file_failure(self.label, error) from error
            if not piece:
                raise CorruptDataError(f"{self.label} is cut off within {name}")
            yield piece
            position += len(piece)
            left -= len(piece)

    def close(self) -> None:
        self._file.close()


def open_archive(path: str) -> TarFiles:
    """Open an archive on disk, plain or compressed with gzip, bzip2 or xz.

    What is compressed, or no file that can be read at any place, is written out first, to a file
    without a name in TMPDIR or else `/var/tmp`.

    Raises:
        NotFoundError: there is no such file.
        CorruptDataError, NotSupportedError: it is no archive that can be read.
        FaultError: it cannot be read, or the disk is full.
    """
    try:
        file = open(path, "rb")  # noqa: SIM115 - TarFiles keeps it
    except FileNotFoundError as error:
        raise NotFoundError(f"{path}: no such file") from error
    except OSError as error:
        raise file_failure(path, error) from error
    with _closed_on_failure(file, path):
        kind = detect(file.peek(_MAGIC_SIZE))
        if not kind and stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return TarFiles(file, path)
        with file:
            return spooled(_plain(file, kind), path)


def spooled(pieces: Iterable[bytes], label: str) -> TarFiles:
    """Write an archive that comes only once to a file without a name, and open that.

    Raises:
        CorruptDataError: it is no tar archive.
        FaultError: the disk is full or fails.
    """
    folder = os.environ.get("TMPDIR") or "/var/tmp"  # noqa: S108 - the file has no name there
    try:
        file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - TarFiles keeps it
    except OSError as error:
        raise file_failure(folder, error) from error
    with _closed_on_failure(file, folder):
        _write_all(file, pieces)
        file.seek(0)
        return TarFiles(file, label)


@contextmanager
def _closed_on_failure(file: IO[bytes], place: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        file.close()
        raise file_failure(place, error) from error
    except BaseException:
        file.close()
        raise


def write_whole(path: str, temporary: str, pieces: Iterable[bytes], mode: int) -> None:
    """Make a file appear whole, or not at all; it is on disk when this returns.

    `temporary`, beside it, is gone in any case.

    Raises:
        OSError: it cannot be written.
        Exception: whatever the pieces raise.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with open(os.open(temporary, flags, mode), "wb", buffering=0) as file:
            _write_all(file, pieces)
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _write_all(file: IO[bytes], pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        view = memoryview(piece)
        while view:
            view = view[file.write(view) :]


def _plain(file: IO[bytes], kind: str) -> Iterator[bytes]:
    """Yield the bytes of a file without its compression."""
    import bz2
    import gzip
    import lzma

    if kind == "zstd":
        raise NotSupportedError(
            "the archive is compressed with zstd",
            hint="`load` reads it, or take the compression off with `zstd -d`",
        )
    readers: dict[str, Any] = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}
    stream = readers[kind](file) if kind else file
    try:
        while piece := stream.read(_PIECE):
            yield piece
    except (zlib.error, lzma.LZMAError, EOFError, gzip.BadGzipFile) as error:
        raise CorruptDataError(f"{kind}: invalid data: {error}") from error


def _clean(name: str) -> str:
    return posixpath.normpath("/" + name).lstrip("/")
