"""`naru run`: streams, exit codes, signals, and what it leaves behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from harness.engine import LABEL, Engine
from harness.requirements import requires
from harness.waiting import eventually

pytestmark = requires("root")


@contextmanager
def running(engine: Engine, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run our command in the background with pipes; it is ended at the end."""
    command = subprocess.Popen(
        [engine.naru_program, *words],
        env=engine.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield command
    finally:
        command.kill()
        command.communicate()


def waiting_for(name: str, word: str) -> tuple[str, ...]:
    """Return the words of a container that ends with code 5 when the signal `word` comes."""
    script = f'trap "echo got; exit 5" {word}; echo up; while :; do sleep 0.05; done'
    return ("run", "--rm", f"--label={LABEL}", f"--name={name}", "busybox", "sh", "-c", script)


@pytest.mark.parametrize("code", [0, 1, 77, 255])
def test_its_exit_code_is_the_process_own(engine: Engine, code: int) -> None:
    assert engine.naru("run", "--rm", "busybox", "sh", "-c", f"exit {code}").code == code


def test_a_killed_process_gives_128_and_the_signal(engine: Engine) -> None:
    words = ("run", "--rm", f"--label={LABEL}", "--name=killed", "busybox", "sh", "-c")
    with running(engine, *words, "echo up; sleep 100") as command:
        assert command.stdout is not None
        command.stdout.readline()
        engine.api("POST", "/containers/killed/kill").ok(204)
        assert command.wait(timeout=60) == 137


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("busybox", "no-such-program"), 127, "executable file not found in $PATH"),
        (("busybox", "/etc"), 126, ""),
        (("--pull=never", "no-such-image"), 125, "No such image: no-such-image:latest"),
        (("busybox:Bad:name",), 125, "naru: invalid reference format"),
        (("BAD",), 125, "repository name (library/BAD) must be lowercase"),
        (("-p", "a:b", "busybox"), 125, "naru: invalid containerPort: b"),
        (("--restart=always", "--rm", "busybox"), 125, "cannot specify both --restart and --rm"),
    ],
)
def test_what_cannot_run_says_why_and_leaves_nothing(
    engine: Engine, words: tuple[str, ...], code: int, text: str
) -> None:
    result = engine.naru("run", "--rm", *words)
    assert (result.code, result.out) == (code, ""), f"{result}"
    assert text in result.err
    assert "Run 'naru run --help' for more information" in result.err
    assert engine.containers() == []


def test_stdout_and_stderr_stay_apart(engine: Engine) -> None:
    result = engine.naru("run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2").ok()
    assert (result.out, result.err) == ("out\n", "err\n")


def test_attaching_stderr_alone_leaves_stdout_out(engine: Engine) -> None:
    words = ("run", "--rm", "-a", "stderr", "busybox", "sh", "-c", "echo out; echo err >&2")
    result = engine.naru(*words).ok()
    assert (result.out, result.err) == ("", "err\n")


def test_in_the_background_it_prints_the_id_alone(engine: Engine) -> None:
    result = engine.naru("run", "-d", "busybox", "sleep", "100").ok()
    assert result.out.strip() in engine.containers()
    assert len(result.out) == 65
    assert result.err == ""


def test_input_comes_through_a_pipe_and_ends(engine: Engine) -> None:
    script = "cat; echo the end"
    result = engine.naru("run", "--rm", "-i", "busybox", "sh", "-c", script, stdin="hello\n").ok()
    assert result.out == "hello\nthe end\n"


def test_without_interactive_nothing_is_read(engine: Engine) -> None:
    assert engine.naru("run", "--rm", "busybox", "cat", stdin="hello\n").ok().out == ""


def test_megabytes_go_both_ways_untouched(engine: Engine) -> None:
    data = random.Random(1).randbytes(8 << 20)
    with running(engine, "run", "--rm", "-i", f"--label={LABEL}", "busybox", "cat") as command:
        out, err = command.communicate(data, timeout=60)
    assert err == b""
    assert out == data
    assert command.returncode == 0


def test_a_process_that_reads_nothing_does_not_hold_up_its_output(engine: Engine) -> None:
    words = ("run", "--rm", "-i", f"--label={LABEL}", "busybox", "sh", "-c", "seq 1 200000")
    with running(engine, *words) as command:
        out, _ = command.communicate(b"x" * (4 << 20), timeout=60)
    assert out.splitlines()[-1] == b"200000"
    assert command.returncode == 0


def test_a_reader_that_goes_away_ends_it(engine: Engine) -> None:
    words = ("run", "--rm", f"--label={LABEL}", "--name=gone-reader", "busybox", "yes")
    with running(engine, *words) as command:
        assert command.stdout is not None
        assert command.stdout.read(2) == b"y\n"
        command.stdout.close()
        assert command.wait(timeout=60) == 1


def test_a_removed_container_is_gone_when_it_returns(engine: Engine) -> None:
    for _ in range(3):
        engine.naru("run", "--rm", "busybox", "true").ok()
        assert engine.containers() == []


def test_the_id_is_written_to_a_new_file_only(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "id"
    engine.naru("run", f"--cidfile={path}", "busybox", "true").ok()
    assert path.read_text() in engine.containers()
    again = engine.naru("run", f"--cidfile={path}", "busybox", "true")
    assert again.code == 125
    problem = "container ID file found, make sure the other container isn't running or delete "
    assert problem + str(path) in again.err
    other = tmp_path / "other"
    assert engine.naru("run", f"--cidfile={other}", "--pull=never", "nothing-here").code == 125
    assert not other.exists()


def test_a_missing_image_is_looked_for(engine: Engine) -> None:
    result = engine.naru("run", "127.0.0.1:1/no/such:image")
    assert result.code == 125
    first, second, *_ = result.err.splitlines()
    assert first == "Unable to find image '127.0.0.1:1/no/such:image' locally"
    assert second.startswith("naru: Error response from daemon: ")


def test_a_name_in_use_is_refused(engine: Engine) -> None:
    engine.naru("create", "--name=taken", "busybox").ok()
    result = engine.naru("run", "--name=taken", "busybox")
    assert result.code == 125
    assert 'The container name "/taken" is already in use by container' in result.err


def test_a_terminal_needs_a_terminal(engine: Engine) -> None:
    result = engine.naru("run", "-it", "busybox")
    assert (result.code, result.err) == (1, "the input device is not a TTY\n")
    assert engine.containers() == []


def test_attach_and_detach_exclude_each_other(engine: Engine) -> None:
    result = engine.naru("run", "-d", "-a", "stdout", "busybox")
    assert result.code == 1
    assert result.err == "conflicting options: cannot specify both --attach and --detach\n"


@pytest.mark.parametrize("word", ["TERM", "INT", "HUP", "USR1", "QUIT"])
def test_signals_reach_the_process(engine: Engine, word: str) -> None:
    with running(engine, *waiting_for("signalled", word)) as command:
        assert command.stdout is not None
        assert command.stdout.readline() == b"up\n"
        command.send_signal(getattr(signal, f"SIG{word}"))
        out, err = command.communicate(timeout=60)
    assert (out, err, command.returncode) == (b"got\n", b"", 5)


def _is_told(engine: Engine, container: str, count: int) -> bool:
    """Say whether the engine has told of so many signals."""
    return len(engine.events(0, container=[container], event=["kill"])) == count


def test_three_interrupts_force_it_out(engine: Engine) -> None:
    script = "trap '' INT; echo up; sleep 100"
    words = ("run", f"--label={LABEL}", "busybox", "sh", "-c", script)
    with running(engine, *words) as command:
        assert command.stdout is not None
        command.stdout.readline()
        [container] = engine.containers()
        # Signals that wait for their turn are counted once: each is passed on before the next.
        for number in range(1, 3):
            command.send_signal(signal.SIGINT)
            eventually(partial(_is_told, engine, container, number), "it is passed on")
            assert command.poll() is None
        command.send_signal(signal.SIGINT)
        assert command.wait(timeout=60) == 1
        assert command.stderr is not None
        assert command.stderr.read() == b"\ngot 3 SIGTERM/SIGINTs, forcefully exiting\n"
    assert engine.containers() != []


@pytest.mark.naru_only
def test_signals_that_are_not_proxied_end_the_command_alone(engine: Engine) -> None:
    words = ("run", "--sig-proxy=false", *waiting_for("left-alone", "TERM")[1:])
    with running(engine, *words) as command:
        assert command.stdout is not None
        command.stdout.readline()
        command.send_signal(signal.SIGTERM)
        assert command.wait(timeout=60) == 143
    assert engine.state("left-alone")["Running"]


def test_an_option_file_gives_its_variables(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_text("# no\nA=1\nFROM_OUTSIDE\nMISSING\n")
    words = ("run", "--rm", f"--env-file={path}", "-e", "B=2", "busybox", "env")
    lines = engine.naru(*words, env={"FROM_OUTSIDE": "x"}).ok().lines()
    assert {"A=1", "B=2", "FROM_OUTSIDE=x"} <= set(lines)
    assert not [line for line in lines if line.startswith("MISSING")]


def test_create_prints_the_id_of_what_start_can_start(engine: Engine) -> None:
    container = engine.naru("create", "--name=made", "busybox", "echo", "hi").ok().out.strip()
    assert engine.state(container)["Status"] == "created"
    assert engine.naru("start", "-a", "made").ok().out == "hi\n"


def test_what_create_refuses_is_said_without_advice(engine: Engine) -> None:
    result = engine.naru("create", "BAD")
    assert result.code == 1
    assert result.err == (
        "invalid reference format: repository name (library/BAD) must be lowercase\n"
    )


def test_many_at_once_do_not_mix_their_streams(engine: Engine) -> None:
    commands = [
        subprocess.Popen(
            [engine.naru_program, "run", "--rm", f"--label={LABEL}", "busybox", "echo", str(n)],
            env=engine.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        for n in range(6)
    ]
    outputs = [command.communicate(timeout=60)[0] for command in commands]
    assert outputs == [f"{n}\n".encode() for n in range(6)]
    assert eventually(lambda: engine.containers() == [], "all are removed")
    assert all(os.WEXITSTATUS(command.returncode) == 0 for command in commands)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_closed_standard_streams_do_not_matter(engine: Engine, closed: str) -> None:
    line = f"{engine.naru_program} run --rm --label={LABEL} busybox sh -c 'echo out; echo err >&2'"
    done = subprocess.run(
        ["sh", "-c", f"{line} {closed}"], env=engine.environ, capture_output=True, check=True
    )
    assert done.stdout == (b"" if closed == ">&-" else b"out\n")
    assert done.stderr == (b"" if closed == "2>&-" else b"err\n")


def test_a_full_disk_is_said(engine: Engine) -> None:
    line = f"{engine.naru_program} run --rm --label={LABEL} busybox echo hi >/dev/full"
    done = subprocess.run(["sh", "-c", line], env=engine.environ, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (1, b"write /dev/stdout: no space left on device\n")
