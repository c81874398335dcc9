"""What naru has beyond docker for who waits: `run --wait`, `wait --condition`, `ps --watch`.

Where it asks for nothing but Docker's own API it must work with Docker's engine as well.
"""

from __future__ import annotations

import signal
import subprocess
import threading

import pytest

from harness.engine import Engine
from harness.waiting import eventually

_OFTEN = ("--health-interval", "100ms", "--health-retries", "1")
_SLEEP = ("busybox", "sleep", "1000")


def test_run_returns_when_the_container_is_healthy(engine: Engine) -> None:
    answer = engine.naru("run", "--wait", "--health-cmd", "true", *_OFTEN, *_SLEEP).ok()
    container = answer.out.strip()
    assert engine.state(container)["Health"]["Status"] == "healthy"


def test_run_returns_when_a_container_without_a_check_runs(engine: Engine) -> None:
    container = engine.naru("run", "-d", "--wait", *_SLEEP).ok().out.strip()
    assert engine.state(container)["Status"] == "running"


def test_run_says_what_was_wrong(engine: Engine) -> None:
    words = ("--health-cmd", "echo out of order; exit 1", *_OFTEN, *_SLEEP)
    answer = engine.naru("run", "--wait", *words)
    container = answer.out.strip()
    assert answer.code == 1
    assert answer.err == f"container {container} is unhealthy: out of order\n"
    assert engine.state(container)["Status"] == "running"


def test_run_says_that_the_container_ended(engine: Engine) -> None:
    words = ("--health-cmd", "false", "--health-interval", "10s", "busybox")
    answer = engine.naru("run", "--wait", *words, "sh", "-c", "sleep 0.3; exit 3")
    assert answer.code == 1
    assert answer.err.endswith(" ended with exit code 3 before it was ready\n")


def test_waiting_goes_without_attaching(engine: Engine) -> None:
    answer = engine.naru("run", "--wait", "-a", "stdout", *_SLEEP)
    assert answer.code == 1
    assert "cannot specify both --attach and --wait" in answer.err


@pytest.mark.naru_only
def test_wait_takes_conditions(engine: Engine) -> None:
    container = engine.naru("create", "--health-cmd", "true", *_OFTEN, *_SLEEP).ok().out.strip()
    timer = threading.Timer(0.3, engine.start, (container,))
    timer.start()
    assert engine.naru("wait", "--condition", "healthy", container).ok().out == "0\n"
    timer.join()
    engine.api("POST", f"/containers/{container}/kill").ok(204)
    assert engine.naru("wait", "--condition=not-running", container).ok().out == "137\n"
    answer = engine.naru("wait", "--condition", "healthy", container)
    assert answer.code == 1
    assert answer.err == f"Error response from daemon: container {container} is not running\n"
    answer = engine.naru("wait", "--condition", "bored", container)
    assert answer.code == 125
    assert "must be one of not-running, next-exit, removed, healthy" in answer.err


@pytest.mark.naru_only
def test_replace_takes_the_name(engine: Engine) -> None:
    first = engine.naru("run", "-d", "--name", "naru-test-web", *_SLEEP).ok().out.strip()
    words = ("--replace", "--name", "naru-test-web", *_SLEEP)
    second = engine.naru("run", "-d", *words).ok().out.strip()
    assert engine.containers() == [second]
    answer = engine.naru("run", "-d", "--pull=never", *words[:-3], "naru-test/nothing")
    assert answer.code == 125
    assert engine.state(second)["Status"] == "running"
    third = engine.naru("create", *words).ok().out.strip()
    assert engine.containers() == [third]
    assert first != second
    answer = engine.naru("create", "--replace", *_SLEEP)
    assert answer.code == 125
    assert "--replace needs --name" in answer.err


def test_a_watched_table_follows_on_a_terminal_and_ends_with_ctrl_c(engine: Engine) -> None:
    words = ("--filter", "name=naru-test-seen", "--format", "{{.Names}} {{.State}}")
    child = engine.terminal("naru", "ps", "--watch=100ms", *words)
    engine.up(name="naru-test-seen")
    child.expect_exact("naru-test-seen running")
    engine.remove("naru-test-seen")
    child.expect_exact("\x1b[H\x1b[J")
    child.sendintr()
    child.expect("\\^C|$")
    child.wait()
    assert child.exitstatus == 0


def test_a_watched_table_is_printed_per_change_on_a_pipe(engine: Engine) -> None:
    words = ["ps", "--watch=100ms", "-a", "--filter", "name=naru-test-piped"]
    words += ["--format", "{{.Names}} {{.State}}"]
    program = subprocess.Popen(
        [engine.naru_program, *words], stdout=subprocess.PIPE, env=engine.environ, text=True
    )
    assert program.stdout is not None
    engine.create("sleep", "1000", name="naru-test-piped")
    assert program.stdout.readline() == "naru-test-piped created\n"
    engine.start("naru-test-piped")
    assert program.stdout.readline() == "naru-test-piped running\n"
    # Time alone is no change.
    threading.Event().wait(1.2)
    engine.api("POST", "/containers/naru-test-piped/pause").ok(204)
    assert program.stdout.readline() == "naru-test-piped paused\n"
    program.send_signal(signal.SIGINT)
    assert program.wait(10) == 0
    program.stdout.close()


def test_an_interval_that_makes_no_sense_is_refused(engine: Engine) -> None:
    for text in ("soon", "1ms"):
        answer = engine.naru("ps", f"--watch={text}")
        assert answer.code == 125
        assert answer.err.startswith("invalid --watch: ")


def test_events_are_formatted(engine: Engine) -> None:
    container = engine.create("true")
    words = ("--since", "1m", "--until", "0s", "--filter", f"container={container}")

    def told() -> bool:
        form = "{{.Type}} {{.Action}} {{.Actor.Attributes.image}}"
        out = engine.naru("events", *words, "--format", form).ok().out
        return out == "container create busybox:latest\n"

    eventually(told, "the creation is told")
