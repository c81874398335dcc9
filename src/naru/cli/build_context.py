"""A directory as the context of a build: an archive of what `.dockerignore` lets pass.

The archive is made while it is sent; no file is held in memory. Owners are root's, as in Docker.

Spec: docker/cli, cli/command/image/build.
"""

from __future__ import annotations

import os
import stat
import tarfile

from naru.cli.failure import CommandFailedError
from naru.dockerfile.ignorefile import IgnoreRules, read_patterns
from naru.errors import InvalidInputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_NAME = "Dockerfile"
IGNORE_FILE = ".dockerignore"
_CHUNK = 1 << 18
_BLOCK = 512
_END = bytes(2 * _BLOCK)


class ContextFolder:
    """A directory on this machine that is sent as a context.

    `extra` are files that go along whatever is in the directory, by their names in it.
    """

    def __init__(self, folder: str, dockerfile: str, *, reads_stdin: bool = False) -> None:
        """Read the ignore file of `folder`; `dockerfile` is the Dockerfile's name in it.

        Raises:
            CommandFailedError: the ignore file is none.
        """
        self._folder = folder
        self.extra: dict[str, bytes] = {}
        try:
            with open(os.path.join(folder, IGNORE_FILE), "rb") as file:
                self.ignored: bytes | None = file.read()
        except OSError:
            self.ignored = None
        text = (self.ignored or b"").decode("utf-8", "surrogateescape")
        try:
            patterns = read_patterns(text)
            rules = IgnoreRules(patterns)
            # The engine needs these two to decide about them.
            kept = [IGNORE_FILE] if reads_stdin else [IGNORE_FILE, dockerfile]
            patterns += [f"!{name}" for name in kept if rules.leaves_out(name)]
            self._rules = IgnoreRules(patterns)
        except InvalidInputError as error:
            raise CommandFailedError(f"error checking context: {error.message}") from error

    def add_dockerfile(self, name: str, content: bytes) -> None:
        """Send a Dockerfile that is not in the directory, and have it left out of the image."""
        self.extra[name] = content
        ignored = (self.ignored or b"").decode("utf-8", "surrogateescape")
        ignored += f"\n{IGNORE_FILE}\n{name}\n"
        self.extra[IGNORE_FILE] = ignored.encode("utf-8", "surrogateescape")

    def check(self) -> None:
        """Refuse a directory with files that cannot be read, before anything is sent.

        Raises:
            CommandFailedError: with the name of the first one.
        """
        for path, status in self._walk():
            if stat.S_ISREG(status.st_mode) and not os.access(self._at(path), os.R_OK):
                raise CommandFailedError(
                    f"error checking context: no permission to read from '{self._at(path)}'"
                )

    def archive(self) -> Iterator[bytes]:
        """Yield the archive.

        Raises:
            CommandFailedError: a file cannot be read.
        """
        first_names: dict[tuple[int, int], str] = {}
        for path, status in self._walk():
            if path in self.extra or stat.S_ISSOCK(status.st_mode):
                continue
            identity = (status.st_dev, status.st_ino)
            is_linked = status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode)
            info = self._header(path, status)
            if is_linked and identity in first_names:
                info.type, info.size, info.linkname = tarfile.LNKTYPE, 0, first_names[identity]
            yield _block(info)
            if info.isreg():
                yield from self._content(path, info.size)
            if is_linked:
                first_names.setdefault(identity, path)
        for name, content in self.extra.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o600
            yield _block(info)
            yield content + bytes(-len(content) % _BLOCK)
        yield _END

    def _at(self, path: str) -> str:
        return os.path.join(self._folder, path)

    def _walk(self) -> Iterator[tuple[str, os.stat_result]]:
        pending = [""]
        while pending:
            path = pending.pop()
            status = os.lstat(self._at(path))
            if path and not self._rules.leaves_out(path):
                yield path, status
            if stat.S_ISDIR(status.st_mode):
                pending += self._children(path)

    def _children(self, path: str) -> list[str]:
        try:
            names = sorted(os.listdir(self._at(path)), reverse=True)
        except PermissionError as error:
            raise CommandFailedError(
                f"error checking context: can't stat '{self._at(path)}'"
            ) from error
        children = (f"{path}/{name}" if path else name for name in names)
        return [
            child
            for child in children
            if not self._rules.leaves_out(child) or self._rules.may_hold_exceptions(child)
        ]

    def _header(self, path: str, status: os.stat_result) -> tarfile.TarInfo:
        info = tarfile.TarInfo(path)
        info.mode, info.mtime = stat.S_IMODE(status.st_mode), int(status.st_mtime)
        mode = status.st_mode
        if stat.S_ISREG(mode):
            info.size = status.st_size
        elif stat.S_ISDIR(mode):
            info.type = tarfile.DIRTYPE
        elif stat.S_ISLNK(mode):
            info.type, info.linkname = tarfile.SYMTYPE, os.readlink(self._at(path))
        elif stat.S_ISFIFO(mode):
            info.type = tarfile.FIFOTYPE
        else:
            info.type = tarfile.CHRTYPE if stat.S_ISCHR(mode) else tarfile.BLKTYPE
            info.devmajor, info.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)
        return info

    def _content(self, path: str, size: int) -> Iterator[bytes]:
        left = size
        try:
            with open(self._at(path), "rb") as file:
                while left and (piece := file.read(min(left, _CHUNK))):
                    left -= len(piece)
                    yield piece
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise CommandFailedError(f"open {self._at(path)}: {reason}") from error
        if left:
            raise CommandFailedError(f"{self._at(path)}: shrank while it was sent")
        yield bytes(-size % _BLOCK)


def _block(info: tarfile.TarInfo) -> bytes:
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def single_file(name: str, content: bytes) -> bytes:
    """Return a context that is nothing but a Dockerfile."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), 0o600
    return _block(info) + content + bytes(-len(content) % _BLOCK) + _END
