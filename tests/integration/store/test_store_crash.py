"""Processes killed at every fault point of the store: what is left is whole, or repaired away."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from harness.requirements import requires
from naru.db.database import Database
from naru.linux import mountinfo
from naru.oci.digest import digest_bytes
from naru.store.content import ContentStore
from naru.store.overlay import OverlaySnapshotter
from suites.snapshotter_suite import chain

pytestmark = requires("root")

PROGRAM = """
    import io, sys
    from pathlib import Path
    from naru.db.database import Database
    from naru.store import gc, tar_apply
    from naru.store.content import ContentStore
    from naru.store.overlay import OverlaySnapshotter
    from suites import raw_tar as raw
    from suites.snapshotter_suite import chain

    root = Path(sys.argv[1])
    database = Database(root / "naru.db")
    content = ContentStore(root / "content")
    snapshots = OverlaySnapshotter(root / "snapshots", database)
    content.repair()
    snapshots.repair()

    def layer(name, parent, *members):
        data = raw.archive(*members)
        with content.ingest(name) as ingest:
            ingest.restart()
            ingest.write(data)
            ingest.commit()
        if snapshots.stat(chain(name)):
            return
        snapshots.remove("unpack")
        mounts = snapshots.prepare("unpack", parent)
        tar_apply.apply_to_mounts(io.BytesIO(data), mounts)
        snapshots.commit(chain(name), "unpack")

    layer("one", None, raw.member("a", b"1"))
    layer("two", chain("one"), raw.member("b", b"2"))
    links = gc.LinkReader(content)
    roots = lambda: gc.Roots([], [chain("one")])
    gc.collect(database, content, snapshots, roots=roots, links=links, now_ns=0)
    assert [info.key for info in snapshots.walk()] == [chain("one")]
    assert list(content.walk()) == []
    snapshots.remove(chain("one"))
"""

POINTS = [
    "store.ingest.before_commit",
    "store.content.after_rename",
    "store.snapshot.after_row",
    "store.snapshot.before_ready",
    "store.snapshot.before_commit",
    "store.snapshot.remove_half",
    "store.gc.before_sweep",
    "store.gc.after_transaction",
]


def run(root: Path, fault: str = "") -> int:
    tests = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.fspath(tests), "NARU_FAULT": fault}
    argv = [sys.executable, "-c", textwrap.dedent(PROGRAM), os.fspath(root)]
    return subprocess.run(argv, env=environment, check=False).returncode


@pytest.mark.parametrize("passes", [1, 2])
@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_any_point_is_recovered_from(tmp_path: Path, point: str, passes: int) -> None:
    status = run(tmp_path, f"{point}=kill:{passes}")
    assert status == -9 or (passes == 2 and point.startswith("store.gc"))
    assert mountinfo.mounts_under(tmp_path) == []
    content = ContentStore(tmp_path / "content")
    for digest, size in content.walk():
        assert digest_bytes(content.path(digest).read_bytes()) == digest
        assert size > 0
    assert run(tmp_path) == 0
    snapshots = OverlaySnapshotter(tmp_path / "snapshots", Database(tmp_path / "naru.db"))
    assert snapshots.repair() == []
    assert content.repair() == []
    assert content.ingests() == []
    assert os.listdir(snapshots.root) == []
    assert snapshots.stat(chain("one")) is None
