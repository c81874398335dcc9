"""Scenarios in a network namespace of their own, which stands for a whole host.

There a test may do what it likes to the host's firewall and settings. A scenario is a function of
a test module that takes a `Rig`; it is run by another process, and fails by what it raises.
"""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.rig import Rig
from naru.clock import SystemClock
from naru.db.database import Database
from naru.network.model import NetworkConfig
from naru.network.networks import Networks

_TESTS = Path(__file__).parents[1]
_PRELUDE = (
    "ip link set lo up",
    # Names of namespaces that are made here are nobody else's business.
    "mkdir -p /run/netns",
    "mount -t tmpfs none /run/netns",
)


def in_own_host(scenario: Callable[[Rig], None], root: Path) -> None:
    """Run a scenario, and fail with what it says when it fails."""
    code = "import sys; from harness.own_host import main; main(*sys.argv[1:])"
    file = Path(inspect.getfile(scenario))
    argv = [sys.executable, "-c", code, file.stem, scenario.__name__, str(root)]
    done = subprocess.run(
        ["unshare", "--net", "--mount", *argv],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": f"{file.parent}:{_TESTS}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def main(module: str, name: str, root: str) -> None:
    """Run one scenario, here."""
    for command in _PRELUDE:
        host(command)
    rig = make_rig(Path(root))
    try:
        getattr(importlib.import_module(module), name)(rig)
    except BaseException:
        for command in ("nft list ruleset", "ip -d addr", "ip route"):
            subprocess.run(["sh", "-c", command], check=False)
        for process in rig.processes:
            process.kill()
        raise
    rig.close()


def make_rig(root: Path, **changes: Any) -> Rig:
    """Return networks that are not started."""
    values = {"bridge": "br0", "bip": "10.9.0.1/24", "table": "t", **changes}
    config = NetworkConfig(exec_root=root, **values)
    database = Database(root / "naru.db")
    return Rig(root, config, database, Networks(config, database, SystemClock()))


def host(command: str) -> str:
    """Run a command line on the host."""
    words = ["sh", "-ec", command]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def start(rig: Rig, **changes: Any) -> None:
    """Start the networks, or those of a next engine, with another configuration."""
    rig.again(**changes).start()
    kept = [path.name for path in (rig.root / "netns").iterdir()]
    rig.networks.restore(kept)
