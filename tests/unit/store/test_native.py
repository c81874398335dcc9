"""The plain-copy snapshotter keeps the contract."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from naru.db.database import Database
from naru.errors import NotSupportedError
from naru.linux import mount
from naru.linux.mount import Mount
from naru.store.native import NativeSnapshotter
from suites import raw_tar as raw
from suites.snapshotter_suite import Mounted, SnapshotterSuite, chain, layer

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="binds directories and owns others' files"
)


class TestNativeSnapshotter(SnapshotterSuite):
    @pytest.fixture
    def snapshots(self, tmp_path: Path, database: Database) -> NativeSnapshotter:
        return NativeSnapshotter(tmp_path / "snapshots", database)

    @pytest.fixture
    def mounted(self) -> Mounted:
        @contextlib.contextmanager
        def mounted(mounts: list[Mount]) -> Iterator[Path]:
            with mount.detached(mounts) as descriptor:
                yield Path(f"/proc/self/fd/{descriptor}")

        return mounted


def test_layers_cannot_be_stacked_afterwards(tmp_path: Path) -> None:
    snapshots = NativeSnapshotter(tmp_path / "snapshots", Database(tmp_path / "naru.db"))
    layer(snapshots, "one", None, raw.member("a"))
    snapshots.prepare("c", None)
    assert not snapshots.can_rebase
    with pytest.raises(NotSupportedError):
        snapshots.rebase("c", chain("one"), inherit_root=False)
