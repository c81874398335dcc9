"""Folders of `RUN --mount=type=cache`: they outlive builds, and are all the cache there is to prune.

What steps came to is kept as images, and those are pruned as images.

Spec: Dockerfile reference, "RUN --mount=type=cache".
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from naru.aio import KeyedLock, in_thread, uncancelled
from naru.dockerfile.instructions import RunMount
from naru.linux import fs
from naru.specgen.id_maps import IdMaps

_NAME_LENGTH = 25
_FILES, _BIRTH = "files", "birth"


@dataclass(frozen=True, slots=True)
class CacheFolder:
    """One folder: its name, when it was made and last used (nanoseconds), and its size in bytes."""

    name: str
    created_ns: int
    used_ns: int
    size: int
    is_in_use: bool


class CacheMounts:
    """The cache folders of one engine."""

    def __init__(self, root: Path, id_maps: IdMaps | None = None) -> None:
        """Keep folders below `root`, owned as `id_maps` has it if containers are mapped."""
        self._root = root
        self._id_maps = id_maps
        self._locks = KeyedLock()
        self._users: Counter[str] = Counter()

    @contextlib.asynccontextmanager
    async def use(self, mount: RunMount) -> AsyncIterator[Path]:
        """Give the folder that a mount names, made if it is not there.

        A `locked` one is given to one step at a time, a `private` one as well: the next step
        waits for it. Folders in use are not pruned.
        """
        identity = mount.options.get("id") or mount.target
        name = hashlib.sha256(identity.encode()).hexdigest()[:_NAME_LENGTH]
        is_shared = mount.options.get("sharing", "shared") == "shared"
        async with contextlib.AsyncExitStack() as stack:
            if not is_shared:
                await stack.enter_async_context(self._locks.hold(f"use {name}"))
            # Whoever removes it has finished, or finds that it is used.
            async with self._locks.hold(name):
                self._users[name] += 1
                stack.callback(self._leave, name)
                files = await uncancelled(in_thread(self._make, name, mount))
            yield files

    def _leave(self, name: str) -> None:
        self._users[name] -= 1

    def _make(self, name: str, mount: RunMount) -> Path:
        folder = self._root / name
        files = folder / _FILES
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(FileExistsError):
            # Its time stays, whatever goes on in the folder.
            (folder / _BIRTH).touch(exist_ok=False)
        with contextlib.suppress(FileExistsError):
            files.mkdir()
            options = mount.options
            owner = int(options.get("uid", "0")), int(options.get("gid", "0"))
            os.chown(files, *(self._id_maps.on_host(*owner) if self._id_maps else owner))
            files.chmod(int(options.get("mode", "755"), 8))
        # The folder's own time says when it was last used.
        os.utime(folder)
        return files

    def walk(self) -> Sequence[CacheFolder]:
        """Return all folders, the one that was not used for longest first. For worker threads."""
        found = []
        with contextlib.suppress(FileNotFoundError):
            for folder in self._root.iterdir():
                with contextlib.suppress(FileNotFoundError):
                    status = folder.stat()
                    found.append(
                        CacheFolder(
                            name=folder.name,
                            created_ns=(folder / _BIRTH).stat().st_mtime_ns,
                            used_ns=status.st_mtime_ns,
                            size=fs.tree_size(folder / _FILES),
                            is_in_use=self._users[folder.name] > 0,
                        )
                    )
        return sorted(found, key=lambda folder: folder.used_ns)

    async def remove(self, name: str) -> bool:
        """Remove a folder, unless a step uses it; say whether it is gone. Idempotent."""
        async with self._locks.hold(name):
            if self._users[name]:
                return False
            await uncancelled(in_thread(fs.remove_tree, self._root / name))
        return True
