"""Logs, attach and exec with Docker's command and with ours."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from harness.engine import Engine
from harness.programs import Result
from harness.requirements import requires

pytestmark = requires("root", "docker")


@pytest.fixture(params=["docker", "naru"])
def program(request: pytest.FixtureRequest) -> str:
    """Name a command."""
    return str(request.param)


@pytest.fixture
def run(engine: Engine, program: str) -> Callable[..., Result]:
    """Run that command."""
    return engine.docker if program == "docker" else engine.naru


def _talker(run: Callable[..., Result]) -> str:
    done = run(
        *("run", "-d", "--label", "team=x y", "-e", "STAGE=test", "--log-opt", "labels=team"),
        *("--log-opt", "env=STAGE", "--log-opt", "max-size=1m", "busybox"),
        *("sh", "-c", "echo one; echo two >&2; echo three; sleep 1; echo four"),
    )
    return done.ok().out.strip()


@pytest.mark.seed("S034")
def test_a_log_is_shown_in_all_the_ways_there_are(run: Callable[..., Result]) -> None:
    container = _talker(run)
    assert run("logs", "-f", container).ok().out == "one\nthree\nfour\n"
    assert run("logs", container).ok().err == "two\n"
    assert run("logs", "-n", "1", container).ok().out == "four\n"
    assert run("container", "logs", "--tail", "0", container).ok().out == ""
    assert run("logs", "--details", "--tail=1", container).ok().out == "STAGE=test,team=x+y four\n"
    assert run("logs", "--since", "1h", "--until", "2h", container).ok().out == ""
    assert run("logs", "--since", "2020-01-01", container).ok().out == "one\nthree\nfour\n"
    stamped = run("logs", "-t", "--details", "-n", "1", container).ok().out
    moment, details, line = stamped.split()
    assert (details, line) == ("STAGE=test,team=x+y", "four")
    assert run("logs", "--since", moment, container).ok().out == "four\n"
    assert run("logs", "--until", "2020-01-01T00:00:00", container).ok().out == ""


def test_log_is_no_command(run: Callable[..., Result], program: str) -> None:
    done = run("log", "x")
    assert done.code == 1
    assert f"{program}: unknown command: {program} log" in done.err


def test_what_a_driver_cannot_take_is_said(run: Callable[..., Result]) -> None:
    def refusal(*options: str) -> str:
        done = run("run", "--rm", *options, "busybox", "true")
        assert done.code == 125
        return done.err

    assert "invalid logging opts for driver none" in refusal(
        "--log-driver", "none", "--log-opt", "max-size=1m"
    )
    assert "unknown log opt 'width' for json-file log driver" in refusal("--log-opt", "width=1")
    assert "invalid syslog facility" in refusal(
        "--log-driver=syslog", "--log-opt=syslog-facility=none"
    )


def test_a_container_whose_output_nobody_keeps_shows_it_all_the_same(
    run: Callable[..., Result], engine: Engine
) -> None:
    name = f"naru-test-unkept-{time.monotonic_ns()}"
    done = run("run", "--name", name, "--log-driver", "none", "busybox", "echo", "shown")
    assert done.ok().out == "shown\n"
    done = run("logs", name)
    assert done.code == 1
    assert "configured logging driver does not support reading" in done.err


@pytest.mark.seed("S026")
def test_only_the_streams_that_are_asked_for_are_shown(run: Callable[..., Result]) -> None:
    script = ("busybox", "sh", "-c", "echo out; echo err >&2; cat")
    done = run("run", "--rm", "-a", "stdout", *script).ok()
    assert (done.out, done.err) == ("out\n", "")
    done = run("run", "--rm", "-a", "stdout", "-a", "stderr", *script).ok()
    assert (done.out, done.err) == ("out\n", "err\n")
    done = run("run", "--rm", "-i", *script, stdin="typed\n").ok()
    assert (done.out, done.err) == ("out\ntyped\n", "err\n")


@pytest.mark.parametrize(
    ("keys", "typed"), [("", "\x10\x11"), ("ctrl-a,x", "\x01x"), ("q", "q"), ("ctrl-^", "\x1e")]
)
@pytest.mark.seed("S050")
def test_detach_keys_leave_attach_and_exec(
    engine: Engine, program: str, keys: str, typed: str
) -> None:
    container = engine.up("sh", Tty=True, OpenStdin=True)
    option = ["--detach-keys", keys] if keys else []
    for words in (["attach", *option, container], ["exec", *option, "-it", container, "sh"]):
        screen = engine.terminal(program, *words)
        screen.send("echo at$((1+1))ready\r")
        screen.expect("at2ready")
        screen.send(typed)
        screen.expect("read escape sequence")
        screen.close()
    assert engine.state(container)["Running"]
