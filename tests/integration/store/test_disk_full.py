"""A full disk: said clearly, and nothing left that cannot be used or removed."""

from __future__ import annotations

import io
import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.disks import small_disk
from harness.requirements import requires
from naru.db.database import Database
from naru.errors import FaultError
from naru.oci.digest import digest_bytes
from naru.store import tar_apply
from naru.store.content import ContentStore
from naru.store.overlay import OverlaySnapshotter
from suites import raw_tar as raw

pytestmark = requires("root")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "size=2m,nr_inodes=60") as place:
        yield place


def free(path: Path) -> int:
    status = os.statvfs(path)
    return status.f_bfree * status.f_bsize


def test_a_blob_that_does_not_fit_frees_its_space(disk: Path) -> None:
    content = ContentStore(disk / "content")
    before = free(disk)
    with content.ingest("k") as ingest, pytest.raises(FaultError) as caught:
        ingest.write(bytes(4 << 20))
    assert "no space left on device" in caught.value.message
    assert os.fspath(disk) in caught.value.message
    assert "full" in caught.value.hint
    assert content.ingests() == []
    assert free(disk) == before
    digest = content.add(b"small")
    assert digest == digest_bytes(b"small")


def test_a_layer_that_does_not_fit_is_named_and_removable(tmp_path: Path, disk: Path) -> None:
    snapshots = OverlaySnapshotter(disk / "snapshots", Database(tmp_path / "naru.db"))
    mounts = snapshots.prepare("k", None)
    stream = io.BytesIO(raw.archive(raw.member("small"), raw.member("big/file", bytes(3 << 20))))
    with pytest.raises(FaultError, match=r"'big/file'.*no space left on device") as caught:
        tar_apply.apply_to_mounts(stream, mounts)
    assert "full" in caught.value.hint
    snapshots.remove("k")
    assert os.listdir(snapshots.root) == []


def test_a_snapshot_without_room_for_its_directory_leaves_no_row(
    tmp_path: Path, disk: Path
) -> None:
    snapshots = OverlaySnapshotter(disk / "snapshots", Database(tmp_path / "naru.db"))
    with pytest.raises(FaultError, match="no space left on device"):
        deque((snapshots.prepare(f"k{number}", None) for number in range(100)), maxlen=0)
    made = [info.key for info in snapshots.walk()]
    assert made == [f"k{number}" for number in range(len(made))]
    assert 0 < len(made) == len(os.listdir(snapshots.root))
