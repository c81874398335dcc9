"""How containers end, and how they fail to begin: codes and words that clients rely on."""

from __future__ import annotations

from typing import Any

import pytest

from harness.engine import Engine


@pytest.mark.parametrize("code", [0, 1, 42, 125, 126, 127, 255])
def test_the_process_chooses_its_code(engine: Engine, code: int) -> None:
    done = engine.sh(f"exit {code}")
    assert done.code == code
    assert engine.state(done.id)["ExitCode"] == code


@pytest.mark.parametrize(("signal", "code"), [("KILL", 137), ("TERM", 143), ("INT", 130)])
def test_a_signal_gives_128_and_its_number(engine: Engine, signal: str, code: int) -> None:
    # A first process ignores signals that it does not handle, so one under `init` is shot.
    done = engine.sh(f"kill -{signal} $$", host={"Init": True})
    assert done.code == code


@pytest.mark.parametrize(
    ("cmd", "code", "words"),
    [
        (["naru-no-such-program"], 127, "executable file not found in $PATH"),
        (["/no/such/program"], 127, "no such file or directory"),
        (["/etc/passwd"], 126, "permission denied"),
        (["/etc"], 126, ("is a directory", "permission denied")),
    ],
)
def test_a_program_that_cannot_run_is_told_at_start(
    engine: Engine, cmd: list[str], code: int, words: str | tuple[str, ...]
) -> None:
    container = engine.create(*cmd)
    answer = engine.api("POST", f"/containers/{container}/start")
    assert answer.status == 400
    either = (words,) if isinstance(words, str) else words
    assert any(one in answer.message for one in either), answer.message
    state = engine.state(container)
    assert (state["Status"], state["ExitCode"]) == ("created", code)
    assert state["Error"] == answer.message


def test_a_container_that_failed_to_start_can_be_mended(engine: Engine) -> None:
    container = engine.create("/data/tool", host={"Binds": ["naru-test-mend:/data"]})
    assert engine.api("POST", f"/containers/{container}/start").status == 400
    helper = engine.sh(
        "echo '#!/bin/sh' > /data/tool; echo 'echo mended' >> /data/tool; chmod +x /data/tool",
        host={"Binds": ["naru-test-mend:/data"]},
    )
    assert helper.code == 0
    engine.start(container)
    assert engine.wait(container) == 0
    assert engine.logs(container)["stdout"] == b"mended\n"
    engine.remove_all()
    engine.api("DELETE", "/volumes/naru-test-mend").ok(204)


def test_out_of_memory_is_told(engine: Engine) -> None:
    # tail keeps a last line that never ends in memory.
    done = engine.run(
        "sh", "-c", "tail /dev/zero", host={"Memory": 16 << 20, "MemorySwap": 16 << 20}
    )
    state = engine.state(done.id)
    assert state["OOMKilled"] is True
    assert state["ExitCode"] == done.code == 137


def test_being_killed_is_not_out_of_memory(engine: Engine) -> None:
    container = engine.up(host={"Memory": 64 << 20})
    engine.api("POST", f"/containers/{container}/kill").ok(204)
    assert engine.wait(container) == 137
    assert engine.state(container)["OOMKilled"] is False


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["busybox", "sh", "-c", "exit 11"], 11),
        (["busybox", "naru-no-such-program"], 127),
        (["busybox", "/etc/passwd"], 126),
        (["--no-such-flag", "busybox"], 125),
        (["--memory", "1", "busybox", "true"], 125),
        (["--network", "naru-no-such-network", "busybox", "true"], 125),
    ],
)
def test_the_docker_command_ends_with_the_right_code(
    engine: Engine, args: list[str], code: int
) -> None:
    result = engine.docker("run", *args)
    assert result.code == code, result


def test_a_failed_start_of_the_command_leaves_the_container_to_look_at(engine: Engine) -> None:
    result = engine.docker("run", "--name", "naru-test-look", "busybox", "naru-no-such-program")
    assert result.code == 127
    assert "executable file not found in $PATH" in result.err
    state: dict[str, Any] = engine.state("naru-test-look")
    assert (state["Status"], state["ExitCode"]) == ("created", 127)


def test_a_failed_run_with_rm_leaves_nothing(engine: Engine) -> None:
    engine.docker("run", "--rm", "--name", "naru-test-none", "busybox", "naru-no-such-program")
    assert engine.api("GET", "/containers/naru-test-none/json").status == 404
