"""`stats` and `update` by both commands against the engine, on a terminal and off it."""

from __future__ import annotations

import signal
import subprocess

import pexpect
import pytest

from harness.engine import Engine
from harness.narud import EngineUnderTest
from harness.programs import Result
from harness.requirements import requires

_PROGRAMS = pytest.mark.parametrize(
    "program", ["naru", pytest.param("docker", marks=requires("docker"))]
)


def _run(engine: Engine, program: str, *words: str) -> Result:
    return engine.naru(*words) if program == "naru" else engine.docker(*words)


@pytest.mark.seed("S048")
@_PROGRAMS
def test_limits_change_and_show(engine: Engine, program: str) -> None:
    names = [f"{program}-{number}" for number in (1, 2)]
    for name in names:
        engine.up(name=name, host={"Memory": 32 << 20})
    words = ["--memory", "64m", "--memory-swap", "64m", "--cpus", "0.5", "--restart", "always"]
    done = _run(engine, program, "update", *words, *names).ok()
    assert done.lines() == names
    for name in names:
        host = engine.inspect(name)["HostConfig"]
        assert (host["Memory"], host["NanoCpus"]) == (64 << 20, 500_000_000)
        assert host["RestartPolicy"]["Name"] == "always"
    shown = _run(engine, program, "stats", "--no-stream", *names).ok().lines()
    assert shown[0].split() == (
        "CONTAINER ID NAME CPU % MEM USAGE / LIMIT MEM % NET I/O BLOCK I/O PIDS".split()
    )
    assert all("/ 64MiB" in line for line in shown[1:])
    assert [line.split()[1] for line in shown[1:]] == names


@_PROGRAMS
def test_a_failure_does_not_keep_others_from_their_update(engine: Engine, program: str) -> None:
    engine.up(name="there")
    done = _run(engine, program, "update", "-c", "300", "nosuch", "there")
    assert (done.code, done.out) == (1, "there\n")
    assert done.err == "Error response from daemon: No such container: nosuch\n"


@pytest.mark.parametrize("with_names", [False, True])
def test_a_live_table_follows_and_ends_with_a_key(engine: Engine, with_names: bool) -> None:
    engine.up(name="steady")
    names = ["steady"] if with_names else []
    table = engine.terminal("naru", "stats", "--format", "table {{.Name}}\t{{.PIDs}}", *names)
    try:
        table.expect(r"\x1b\[HNAME +PIDS \x1b\[K")
        table.expect(r"steady +1 \x1b\[K")
        if not with_names:
            engine.up(name="later")
            table.expect(r"later +1 \x1b\[K")
            engine.remove("later")
            table.expect(r"\x1b\[HNAME +PIDS \x1b\[K\r\nsteady +1 \x1b\[K\r\n \x1b\[K\r\n\x1b\[J")
        table.sendintr()
        table.expect(pexpect.EOF)
        table.close()
        assert table.exitstatus == 128 + signal.SIGINT
    finally:
        table.close(force=True)


def test_a_live_table_ends_with_the_engine(own_engine: EngineUnderTest) -> None:
    own_engine.up(name="steady")
    words = ("stats", "--format", "{{.Name}}")
    tables = [own_engine.terminal("naru", *words, *names) for names in ((), ("steady",))]
    try:
        for table in tables:
            table.expect("steady")
        own_engine.kill9()
        for table in tables:
            table.expect(pexpect.EOF)
            table.close()
            assert table.exitstatus == 0
            assert "Traceback" not in (table.before or "")
    finally:
        for table in tables:
            table.close(force=True)
        own_engine.start_engine()


def test_a_reader_that_has_enough_ends_it(engine: Engine) -> None:
    engine.up(name="steady")
    script = f"{engine.naru_program} stats --format '{{{{.Name}}}}' | head -n 1"
    done = subprocess.run(
        ["sh", "-c", script], env=engine.environ, capture_output=True, timeout=60, check=True
    )
    assert b"steady" in done.stdout
    assert done.stderr == b""
