"""narud as a program: flags, the file, signals, and what it says on its way out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.narud import EngineUnderTest
from harness.requirements import requires
from harness.waiting import eventually

pytestmark = [requires("root"), pytest.mark.naru_only]


def narud(*words: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "narud"
    return subprocess.run(
        [program, *words], capture_output=True, text=True, timeout=30, check=False
    )


def test_a_configuration_can_be_checked_without_a_start(tmp_path: Path) -> None:
    path = tmp_path / "daemon.json"
    path.write_text('{"mtu": 1400, "log-opts": {"max-size": "1m"}}')
    done = narud(f"--config-file={path}", "--validate")
    assert (done.returncode, done.stderr) == (0, "configuration OK\n")
    path.write_text('{"mtu": 1400, "swarm": true}')
    done = narud(f"--config-file={path}", "--validate")
    assert done.returncode == 1
    assert "don't match any configuration option: swarm" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--no-such-flag"], "--no-such-flag"),
        (["--data-root=/proc/1/no"], "/proc/1/no"),
        (["--default-runtime=none-such"], "none-such"),
        (["--live-restore=false"], "containers always outlive the engine"),
    ],
)
def test_an_engine_that_cannot_start_says_why(tmp_path: Path, flags: list[str], words: str) -> None:
    (tmp_path / "daemon.json").write_text("{}")
    roots = {"--data-root": "d", "--exec-root": "e", "--pidfile": "p"}
    given = [
        f"{flag}={tmp_path}/{name}"
        for flag, name in roots.items()
        if not any(word.startswith(flag) for word in flags)
    ]
    socket = f"--host=unix://{tmp_path}/s"
    done = narud(f"--config-file={tmp_path}/daemon.json", *given, socket, "--bridge=ntnone", *flags)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "p").exists(), "the pid file is left behind"
    assert not (tmp_path / "s").exists(), "the socket is left behind"


def test_a_hangup_changes_the_log_level(own_engine: EngineUnderTest) -> None:
    engine = own_engine
    (engine.root / "daemon.json").write_text('{"debug": true, "mtu": 1400}')
    os.kill(engine.pid, signal.SIGHUP)

    def reloaded() -> bool:
        assert "at the next start: mtu" in engine.log_tail()
        return True

    eventually(reloaded, "the engine reloads")
    (engine.root / "daemon.json").write_text("{")
    os.kill(engine.pid, signal.SIGHUP)

    def refused() -> bool:
        assert "the configuration stays as it was" in engine.log_tail()
        return True

    eventually(refused, "the engine refuses")
    engine.api("GET", "/_ping").ok(200)


def test_usr1_shows_what_the_engine_does(own_engine: EngineUnderTest) -> None:
    os.kill(own_engine.pid, signal.SIGUSR1)

    def told() -> bool:
        assert "thread MainThread" in own_engine.log_tail(400)
        return True

    eventually(told, "the engine tells")
    own_engine.api("GET", "/_ping").ok(200)


def test_failures_that_were_foreseen_are_told_in_a_line_each(
    make_engine: Callable[..., EngineUnderTest],
) -> None:
    engine = make_engine()
    busybox = engine.docker("create", "--network=none", "busybox", "true").ok().out.strip()
    engine.api("POST", "/images/create?fromImage=127.0.0.1:1/x&tag=1").ok(500)
    engine.api("POST", "/networks/bridge/disconnect", {"Container": busybox}).ok(500)
    log = engine.log_path.read_text()
    assert "Traceback" not in log
    [refused] = [line for line in log.splitlines() if "/images/create" in line]
    assert "connect: connection refused" in refused
    [stranger] = [line for line in log.splitlines() if "/disconnect" in line]
    assert "is not connected to" in stranger


def test_debug_logs_every_request(make_engine: Callable[..., EngineUnderTest]) -> None:
    engine = make_engine("-D")
    assert engine.docker("run", "--rm", "-i", "busybox", "cat", stdin="x").ok().out == "x"
    log = engine.log_path.read_text()
    assert "/containers/create" in log
    assert "/attach" in log
    assert "Traceback" not in log
