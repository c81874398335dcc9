"""A real dockerd of one's own, to compare with: in a network namespace where it disturbs nobody."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness import leaks
from harness.engine import Engine
from harness.waiting import eventually

# dockerd sets firewall rules and forwarding policies; here they are those of an empty namespace.
_IN_OWN_NETWORK = ["unshare", "--net", "--", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]


@functools.cache
def release(program: str) -> str:
    """Return the version of `docker` or `dockerd` on this machine, "" where there is none."""
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return answer.stdout.removeprefix("Docker version ").partition(",")[0]


# Without rules it may stay where it reaches registries on loopback; it can run no containers.
_WITHOUT_NETWORK = ["--iptables=false", "--ip-forward=false", "--bridge=none"]


@contextlib.contextmanager
def running(*, for_images_only: bool = False, netns: Path | None = None) -> Iterator[Engine]:
    """Give a dockerd that has nothing yet; it and all it made are gone afterwards.

    One `for_images_only` reaches registries of this machine, and has no network for containers.
    Any other has a network namespace of its own, or shares `netns`.
    """
    root = Path(tempfile.mkdtemp(prefix="dd-", dir="/tmp"))
    engine = Engine(str(root / "s.sock"))
    argv = [
        *_network_prefix(netns, is_needed=not for_images_only),
        "dockerd",
        *(_WITHOUT_NETWORK if for_images_only else []),
        f"--data-root={root / 'data'}",
        f"--exec-root={root / 'run'}",
        f"--host=unix://{engine.socket}",
        f"--pidfile={root / 'pid'}",
        f"--config-file={root / 'daemon.json'}",
        f"--cgroup-parent=/{root.name}",
    ]
    (root / "daemon.json").write_text("{}", encoding="utf-8")
    with (root / "log").open("wb") as log:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _await_ping(engine, process, root)
        yield engine
        engine.remove_all()
    finally:
        _end(process)
        for target in reversed(leaks.mounts([root])):
            subprocess.run(["umount", "-l", target], check=False, capture_output=True)
        shutil.rmtree(root, ignore_errors=True)


def _network_prefix(netns: Path | None, *, is_needed: bool) -> list[str]:
    if netns is not None:
        return ["nsenter", f"--net={netns}"]
    return _IN_OWN_NETWORK if is_needed else []


def _await_ping(engine: Engine, process: subprocess.Popen[bytes], root: Path) -> None:
    def answers() -> bool:
        assert process.poll() is None, (root / "log").read_text(errors="replace")[-3000:]
        try:
            return engine.api("GET", "/_ping", version="", timeout_s=5).status == 200
        except OSError:
            return False

    eventually(answers, "dockerd answers", timeout_s=60)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End dockerd and, with it, the containerd that it started."""
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
