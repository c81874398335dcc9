"""`naru exec`, `attach`, `start` and `logs` without a terminal."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from pathlib import Path

import pytest

from harness.engine import Engine
from harness.requirements import requires
from harness.waiting import eventually

pytestmark = requires("root")


def test_exec_returns_the_code_and_keeps_streams_apart(engine: Engine) -> None:
    container = engine.up()
    result = engine.naru("exec", container, "sh", "-c", "echo out; echo err >&2; exit 4")
    assert (result.code, result.out, result.err) == (4, "out\n", "err\n")


def test_exec_of_a_missing_program_is_126_or_127(engine: Engine) -> None:
    result = engine.naru("exec", engine.up(), "no-such-program")
    # Engines before 25 gave 126.
    assert result.code in (126, 127)
    assert "executable file not found in $PATH" in result.out + result.err


def test_exec_takes_input_and_its_end(engine: Engine) -> None:
    data = random.Random(2).randbytes(3 << 20)
    done = subprocess.run(
        [engine.naru_program, "exec", "-i", engine.up(), "cat"],
        input=data,
        capture_output=True,
        env=engine.environ,
        timeout=60,
        check=True,
    )
    assert done.stdout == data


def test_exec_sets_variables_folder_and_user(engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("A=1\nB=1\n")
    words = ("-e", "B=2", f"--env-file={file}", "-w", "/tmp", "-u", "1:2")
    script = 'echo "$A $B $(pwd) $(id -u):$(id -g)"'
    result = engine.naru("exec", *words, engine.up(), "sh", "-c", script).ok()
    assert result.out == "1 2 /tmp 1:2\n"


def test_exec_in_the_background_returns_at_once_and_silently(engine: Engine) -> None:
    container = engine.up()
    result = engine.naru("exec", "-d", container, "sh", "-c", "sleep 1; touch /done").ok()
    assert (result.out, result.err) == ("", "")
    eventually(lambda: engine.exec(container, "ls", "/done").code == 0, "it ran")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("nobody-there", "true"), "Error response from daemon: No such container: nobody-there"),
        (("stopped", "true"), "is not running"),
        (("--env-file=/nowhere", "stopped", "true"), "open /nowhere: no such file or directory"),
        (("-it", "stopped", "true"), "the input device is not a TTY"),
    ],
)
def test_exec_that_cannot_be_says_why(engine: Engine, words: tuple[str, ...], text: str) -> None:
    engine.create("true", name="stopped")
    result = engine.naru("exec", *words)
    assert result.code == 1
    assert text in result.err


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ("created", "You cannot attach to a stopped container, start it first\n"),
        ("paused", "You cannot attach to a paused container, unpause it first\n"),
    ],
)
def test_attach_needs_a_running_container(engine: Engine, state: str, text: str) -> None:
    container = engine.create("sleep", "100")
    if state == "paused":
        engine.start(container)
        engine.api("POST", f"/containers/{container}/pause").ok(204)
    result = engine.naru("attach", container)
    assert (result.code, result.err) == (1, text)


def test_attach_shows_output_and_returns_the_code(engine: Engine) -> None:
    script = "read line; echo got $line; echo err >&2; exit 3"
    container = engine.up("sh", "-c", script, OpenStdin=True, StdinOnce=True)
    result = engine.naru("attach", container, stdin="word\n")
    assert (result.code, result.out, result.err) == (3, "got word\n", "err\n")


def test_attach_without_input_leaves_the_input_alone(engine: Engine) -> None:
    script = "until test -e /go; do echo early; sleep 0.05; done; read -t 1 line || echo nothing"
    container = engine.up("sh", "-c", script, OpenStdin=True)
    command = subprocess.Popen(
        [engine.naru_program, "attach", "--no-stdin", container],
        env=engine.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert command.stdin is not None
    assert command.stdout is not None
    command.stdin.write(b"word\n")
    command.stdin.flush()
    assert command.stdout.readline() == b"early\n"
    engine.exec(container, "touch", "/go")
    out, _ = command.communicate(timeout=60)
    assert set(out.splitlines()[:-1]) <= {b"early"}
    assert out.splitlines()[-1] == b"nothing"
    assert command.returncode == 0


def test_attach_passes_signals_on(engine: Engine) -> None:
    script = 'trap "exit 5" INT; while :; do echo up; sleep 0.05; done'
    container = engine.up("sh", "-c", script)
    command = subprocess.Popen(
        [engine.naru_program, "attach", container],
        env=engine.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    assert command.stdout is not None
    command.stdout.readline()
    command.send_signal(signal.SIGINT)
    command.communicate(timeout=60)
    assert command.returncode == 5


def test_start_names_what_it_started_and_what_it_could_not(engine: Engine) -> None:
    first = engine.create("sleep", "100", name="first")
    result = engine.naru("start", "first", "nobody", "nothing")
    assert result.code == 1
    assert result.out == "first\n"
    assert result.err.splitlines() == [
        "Error response from daemon: No such container: nobody",
        "Error response from daemon: No such container: nothing",
        "Error: failed to start containers: nobody, nothing",
    ]
    assert engine.state(first)["Running"]
    engine.naru("start", "first").ok()


def test_start_can_stay_with_one_only(engine: Engine) -> None:
    result = engine.naru("start", "-a", "one", "two")
    assert result.code == 1
    assert result.err == "you cannot start and attach multiple containers at once\n"


def test_start_attached_gives_input_output_and_code(engine: Engine) -> None:
    container = engine.create("sh", "-c", "cat; exit 8", OpenStdin=True, StdinOnce=True)
    result = engine.naru("start", "-a", "-i", container, stdin="words\n")
    assert (result.code, result.out) == (8, "words\n")


def test_logs_keep_streams_apart(engine: Engine) -> None:
    finished = engine.sh("echo out; echo err >&2")
    result = engine.naru("logs", finished.id).ok()
    assert (result.out, result.err) == ("out\n", "err\n")


def test_logs_of_a_terminal_are_one_stream(engine: Engine) -> None:
    finished = engine.sh("echo out; echo err >&2", Tty=True)
    assert engine.naru("logs", finished.id).ok().out == "out\r\nerr\r\n"


def test_logs_can_be_cut_and_stamped(engine: Engine) -> None:
    finished = engine.sh("seq 1 50")
    assert engine.naru("logs", "--tail=2", finished.id).ok().out == "49\n50\n"
    assert engine.naru("logs", "-n", "0", finished.id).ok().out == ""
    stamped = engine.naru("logs", "-t", "-n1", finished.id).ok().out
    assert stamped.endswith("Z 50\n")
    assert engine.naru("logs", "--until=1h", finished.id).ok().out == ""
    assert len(engine.naru("logs", "--since=1h", finished.id).ok().lines()) == 50


def test_logs_follow_until_the_end(engine: Engine) -> None:
    container = engine.up("sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.2; done")
    assert engine.naru("logs", "-f", container).ok().out == "1\n2\n3\n"


def test_logs_of_many_lines_are_complete(engine: Engine) -> None:
    finished = engine.sh("seq 1 100000")
    assert engine.naru("logs", finished.id).ok().lines()[-1] == "100000"


def test_logs_with_a_bad_time_say_so(engine: Engine) -> None:
    finished = engine.sh("true")
    result = engine.naru("logs", "--since=foo", finished.id)
    assert result.code == 1
    assert result.err == (
        'invalid value for "since": failed to parse value as time or duration: "foo"\n'
    )


def test_an_interrupted_log_ends_quietly(engine: Engine) -> None:
    container = engine.up("sh", "-c", "while :; do echo up; sleep 0.05; done")
    command = subprocess.Popen(
        [engine.naru_program, "logs", "-f", container],
        env=engine.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert command.stdout is not None
    command.stdout.readline()
    os.kill(command.pid, signal.SIGINT)
    _, err = command.communicate(timeout=60)
    assert (command.returncode, err) == (130, b"")
