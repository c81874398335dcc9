"""Image services on a real store, and what tests want to know about it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from naru.clock import Clock, SystemClock
from naru.db.database import Database
from naru.distribution.hosts import HostsConfig
from naru.images import services as image_services
from naru.images.load import load
from naru.images.removal import ImageUser
from naru.images.services import ImageServices
from naru.linux import mount
from naru.oci.platform import Platform
from naru.store.content import ContentStore
from naru.store.overlay import OverlaySnapshotter


class Store:
    """The image services below one folder, and what tests want to know about it."""

    def __init__(
        self, root: Path, hosts: HostsConfig | None = None, *, clock: Clock | None = None
    ) -> None:
        self.root = root
        root.mkdir(exist_ok=True)
        self.database = Database(root / "naru.db")
        self.services: ImageServices = image_services.build(
            ContentStore(root / "content"),
            OverlaySnapshotter(root / "snapshots", self.database),
            self.database,
            clock or SystemClock(),
            hosts or HostsConfig(),
        )
        self.records: list[dict[str, Any]] = []

    async def close(self) -> None:
        """Let go of registries and of the database, as an engine that stops does."""
        await self.services.close()
        self.database.close()

    async def load(
        self,
        data: bytes,
        *,
        chunk: int = 65536,
        quiet: bool = True,
        platform: Platform | None = None,
    ) -> list[str]:
        async def chunks() -> AsyncIterator[bytes]:
            for start in range(0, len(data), chunk):
                yield data[start : start + chunk]

        return await load(
            self.services, chunks(), quiet=quiet, platform=platform, report=self.records.append
        )

    def remove(
        self, name: str, *, force: bool = False, users: Sequence[ImageUser] = ()
    ) -> list[dict[str, str]]:
        records = self.services.catalog.remove(
            name, force=force, prune=True, users=lambda _: list(users)
        )
        self.services.garbage.settle()
        return records

    def reopened(self) -> Store:
        """Return the same folder as a new process sees it."""
        self.database.close()
        return Store(self.root, self.services.http.hosts)

    def blobs(self) -> set[str]:
        return {digest for digest, _ in self.services.content.walk()}

    def snapshots(self) -> set[str]:
        return {info.key for info in self.services.snapshots.walk()}

    def footprint(self) -> dict[str, object]:
        """Return everything that a load or a pull may leave behind."""
        return {
            "blobs": self.blobs(),
            "snapshots": self.snapshots(),
            "directories": sorted(
                entry for entry in os.listdir(self.root / "snapshots") if entry.isdecimal()
            ),
            "ingests": self.services.content.ingests(),
            "leases": self.services.leases.leases(),
            "images": self.services.rows.all(),
            "names": self.services.rows.names(),
        }

    def read(self, name: str, path: str) -> bytes | None:
        """Return a file of an image as a container would see it."""
        image = self.services.catalog.resolve(name)
        key = f"look-{os.urandom(4).hex()}"
        mounts = self.services.snapshots.view(key, image.chain_id)
        target = self.root / key
        target.mkdir()
        try:
            mount.mount_all(mounts, target)
            file = target / path
            return file.read_bytes() if file.exists() else None
        finally:
            mount.unmount(target)
            target.rmdir()
            self.services.snapshots.remove(key)
