"""Networks of a test's own: a bridge, a table, and namespaces that stand for other machines."""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.rig import Rig
from harness.subnets import Subnet, bridge_name
from naru.clock import SystemClock
from naru.db.database import Database
from naru.network.model import NetworkConfig
from naru.network.networks import Networks


@functools.cache
def _makes_links(kind: str) -> bool:
    """Say whether the kernel knows a kind of interface; asked in a namespace that ends with it."""
    parent = "ip link add below type veth peer name other"
    made = f"ip link add link below name above type {kind}{' id 5' if kind == 'vlan' else ''}"
    argv = ["unshare", "--net", "sh", "-ec", f"{parent}; {made}"]
    return subprocess.run(argv, check=False, capture_output=True).returncode == 0


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what this machine's kernel was built without; what is said then has its own test."""
    unfit = [
        item
        for item in items
        for marker in item.iter_markers("kernel_link")
        if not _makes_links(marker.args[0])
    ]
    if unfit:
        items[:] = [item for item in items if item not in unfit]
        config.hook.pytest_deselected(items=unfit)


@pytest.fixture
def unstarted(tmp_path: Path) -> Iterator[Rig]:
    """Give networks that were never started."""
    subnet, bridge = Subnet(), bridge_name()
    config = NetworkConfig(exec_root=tmp_path, bridge=bridge, bip=subnet.bip, table=f"t_{bridge}")
    database = Database(tmp_path / "naru.db")
    rig = Rig(tmp_path, config, database, Networks(config, database, SystemClock()))
    yield rig
    rig.close()
    subnet.close()


@pytest.fixture
def rig(unstarted: Rig) -> Rig:
    """Give networks that are up and have no containers."""
    unstarted.networks.start()
    unstarted.networks.restore(())
    return unstarted
