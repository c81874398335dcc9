"""`cp` at the engine: what is at a path of a container, its archive, and an archive put there."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator, Generator

from naru.aio import in_thread, uncancelled
from naru.api.path_stat import PathStat
from naru.engine.container_files import hold_files
from naru.engine.context import EngineContext
from naru.engine.live.open_files import Hold
from naru.engine.model import Container
from naru.engine.views.containers import container_attributes
from naru.errors import FaultError, ForbiddenError, InvalidInputError, NaruError, NotFoundError
from naru.faults import fault_point
from naru.images.layers.compression import open_plain
from naru.images.layers.intake import read_in_thread
from naru.images.layers.pipe import Pipe
from naru.runtime.file_view import ContainerFiles
from naru.specgen.users import resolve_user
from naru.store import tree_paths
from naru.store.tree_archive import TreeArchive
from naru.store.tree_extract import ReadOnlyTreeError, extract
from naru.store.tree_glob import matching_paths

_OPENED = fault_point("engine.archive.opened")


class ContainerArchive:
    """An archive of a container's files, being made as it is read. Close it in the end.

    `stat` describes the path; of a pattern the first match, and `matches` says how many there
    are (0 where no pattern was asked for).
    """

    def __init__(self) -> None:
        self.stat = PathStat("", 0, 0, "", "")
        self.matches = 0
        self._blocks: Generator[bytes] | None = None
        self._hold: Hold | None = None
        self._broken_off: NaruError | None = None
        self._is_busy = False

    async def blocks(self) -> AsyncIterator[bytes]:
        """Yield the archive in blocks of a MiB or so.

        Raises:
            FaultError: the files cannot be read.
            ConflictError: the container was started or removed, and did not wait any longer.
        """
        assert self._blocks is not None
        while not self._broken_off:
            self._is_busy = True
            try:
                block = await uncancelled(in_thread(next, self._blocks, None))
            except OSError as error:
                raise FaultError(f"archive: {(error.strerror or str(error)).lower()}") from error
            finally:
                self._is_busy = False
            if block is None:
                return
            if not self._is_over():
                yield block
        await self.close()
        raise self._broken_off

    def _is_over(self) -> bool:
        return self._broken_off is not None

    async def break_off(self, reason: NaruError) -> None:
        """End it while somebody may still read it."""
        self._broken_off = reason
        if not self._is_busy:
            await self.close()

    async def close(self) -> None:
        """Let go of the container's files. Idempotent; completes even if the caller is cancelled."""
        hold, self._hold = self._hold, None
        if hold is not None:
            await uncancelled(self._release(hold))

    async def _release(self, hold: Hold) -> None:
        try:
            if self._blocks is not None:
                await in_thread(self._blocks.close)
        finally:
            await hold.release()

    async def open(
        self, ctx: EngineContext, container: Container, path: str, *, is_pattern: bool
    ) -> None:
        """Find what is to be archived.

        Raises:
            FileNotFoundError: nothing is there.
            InvalidInputError: the path cannot be followed.
        """
        self._hold = await hold_files(ctx, container, self.break_off)
        files = self._hold.files
        look = _look_at_matches if is_pattern else _look_at_path
        # Descriptors that a thread uses must not be closed: their numbers are used again.
        self._is_busy = True
        try:
            self.stat, found = await in_thread(look, files, tree_paths.absolute(path))
        finally:
            self._is_busy = False
        self.matches = len(found) if is_pattern else 0
        self._blocks = _archived(files, found)


async def stat_path(ctx: EngineContext, name: str, path: str) -> PathStat:
    """Say what is at a path of a container; of a link itself, and where it leads.

    Raises:
        NotFoundError: no such container, or nothing is there.
        InvalidInputError: the path cannot be followed.
    """
    container = ctx.registry.find(name)
    hold = await hold_files(ctx, container, _ends_soon)
    try:
        found, _ = await uncancelled(
            in_thread(_look_at_path, hold.files, tree_paths.absolute(path))
        )
    except FileNotFoundError as error:
        raise _not_found(name, path) from error
    finally:
        await hold.release()
    return found


async def archive_path(
    ctx: EngineContext, name: str, path: str, *, is_pattern: bool = False
) -> ContainerArchive:
    """Return a tar of what is at a path of a container, or of all that fits a pattern.

    Raises:
        NotFoundError: no such container, or nothing is there.
        InvalidInputError: the path cannot be followed, or two matches have one name.
    """
    container = ctx.registry.find(name)
    archive = ContainerArchive()
    try:
        await uncancelled(archive.open(ctx, container, path, is_pattern=is_pattern))
    except FileNotFoundError as error:
        await archive.close()
        raise _not_found(name, path) from error
    except BaseException:
        await archive.close()
        raise
    ctx.events.publish("container", "archive-path", container.id, container_attributes(container))
    return archive


async def extract_archive(
    ctx: EngineContext,
    name: str,
    path: str,
    chunks: AsyncIterator[bytes],
    *,
    keeps_types: bool = False,
    as_user: bool = False,
) -> None:
    """Extract a tar, compressed or not, into a directory of a container.

    `keeps_types` refuses to put a directory in place of anything else, or the other way round;
    `as_user` gives all files to the user that the container runs as.

    Raises:
        NotFoundError: no such container or directory.
        ForbiddenError: nothing can be written there.
        InvalidInputError: the path is no directory, or the archive cannot be.
        FaultError: the disk is full or fails.
    """
    container = ctx.registry.find(name)
    pipe = Pipe()

    async def break_off(reason: NaruError) -> None:
        pipe.end(reason)
        pipe.abandon()

    hold = await hold_files(ctx, container, break_off)

    def work(stream: Pipe) -> None:
        place = _destination(hold.files, container, path)
        owner = _user(hold.files, container) if as_user else None
        _, plain = open_plain(stream)
        hold.files.prepare_writer()
        try:
            extract(
                plain,
                hold.files.root,
                place,
                owner=owner,
                on_host=hold.files.on_host,
                keeps_types=keeps_types,
            )
        except ReadOnlyTreeError as error:
            raise _read_only(container, error.path) from error

    try:
        _OPENED()
        await read_in_thread(chunks, work, pipe)
    except FileNotFoundError as error:
        raise _not_found(name, path) from error
    finally:
        await hold.release()
    ctx.events.publish("container", "extract-to-dir", container.id, container_attributes(container))


async def _ends_soon(reason: NaruError) -> None:
    """Break nothing off: a look at one path waits for nobody."""


def _look_at_path(files: ContainerFiles, path: str) -> tuple[PathStat, list[str]]:
    descriptor = tree_paths.open_named(files.root, path)
    try:
        if files.is_made_up(descriptor) and not _is_entry(files, descriptor):
            raise FileNotFoundError(path)
        return tree_paths.describe(files.root, path, descriptor), [path]
    finally:
        os.close(descriptor)


def _is_entry(files: ContainerFiles, descriptor: int) -> bool:
    """Say whether this is where a made-up file system begins, such as /proc: a directory to see."""
    return stat.S_ISDIR(os.fstat(descriptor).st_mode) and files.is_mount(descriptor)


def _look_at_matches(files: ContainerFiles, pattern: str) -> tuple[PathStat, list[str]]:
    found = matching_paths(files.root, pattern)
    names: dict[str, str] = {}
    for path in found:
        name = tree_paths.last_name(path)
        if name in names:
            raise InvalidInputError(f"{names[name]} and {path} have the same name")
        names[name] = path
    if not found:
        raise FileNotFoundError(pattern)
    return _look_at_path(files, found[0])[0], found


def _archived(files: ContainerFiles, paths: list[str]) -> Generator[bytes]:
    archive = TreeArchive(files.may_enter, files.inside)
    for path in paths:
        descriptor = tree_paths.open_named(files.root, path)
        try:
            yield from archive.add(
                descriptor,
                os.fsencode(tree_paths.last_name(path)),
                with_children=not files.is_made_up(descriptor),
            )
        finally:
            os.close(descriptor)
    yield archive.end()


def _destination(files: ContainerFiles, container: Container, path: str) -> bytes:
    """Return the directory to extract into, from the root and without links."""
    descriptor, place = tree_paths.open_directory(files.root, tree_paths.absolute(path))
    try:
        if files.is_made_up(descriptor):
            raise ForbiddenError(f"{path}: the kernel makes up what is there")
        if files.is_read_only(descriptor):
            raise _read_only(container, "/" + os.fsdecode(place))
    finally:
        os.close(descriptor)
    return place


def _read_only(container: Container, path: str) -> NaruError:
    """Say in Docker's words what keeps `path` from being written."""
    is_in_volume = any(
        path == mount.destination or path.startswith(mount.destination.rstrip("/") + "/")
        for mount in container.record.mounts
    )
    what = "mounted volume" if is_in_volume else "container rootfs"
    return ForbiddenError(f"{what} is marked read-only")


def _user(files: ContainerFiles, container: Container) -> tuple[int, int] | None:
    """Return whom the container's processes run as; None where nobody is named."""
    if not container.config.user:
        return None
    texts = files.read_text("etc/passwd"), files.read_text("etc/group")
    user = resolve_user(container.config.user, *texts)
    return user.uid, user.gid


def _not_found(name: str, path: str) -> NaruError:
    return NotFoundError(f"Could not find the file {path} in container {name}")
