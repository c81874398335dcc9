"""`naru run`, `exec`, `attach` and `start` on a terminal: keys, sizes, leaving, restoring."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import termios
from collections.abc import Iterator

import pexpect
import pytest

from harness.engine import LABEL, Engine
from harness.requirements import requires
from harness.waiting import eventually

pytestmark = requires("root")
# Without it the shell asks the terminal where its cursor stands, and waits for the answer.
_SHELL = ("busybox", "sh", "-c", "stty -echo; PS1='$ ' exec sh -i 2>&1")


class Screen:
    """Our command on a terminal."""

    def __init__(self, engine: Engine, *words: str) -> None:
        self.child = engine.terminal("naru", *words)

    def expect(self, text: str) -> None:
        self.child.expect_exact(text)

    def type(self, text: str) -> None:
        self.child.send(text)

    def end(self) -> tuple[str, int | None]:
        self.child.expect(pexpect.EOF)
        self.child.close()
        return self.child.before or "", self.child.exitstatus


@pytest.fixture
def shell(engine: Engine) -> Iterator[Screen]:
    """Give a shell in a container `shelly`, at its prompt."""
    screen = Screen(engine, "run", "-it", "--name=shelly", *_SHELL)
    screen.expect("$ ")
    yield screen
    screen.child.close(force=True)


def test_the_exit_code_of_a_shell_comes_back(shell: Screen) -> None:
    shell.type("exit 7\r")
    assert shell.end()[1] == 7


def test_the_process_has_a_terminal_of_our_size(shell: Screen) -> None:
    shell.type("tty; stty size\r")
    shell.expect("/dev/pts/0")
    shell.expect("24 80")


def test_the_size_follows_ours(shell: Screen) -> None:
    shell.child.setwinsize(41, 101)

    def is_followed() -> bool:
        shell.type("stty size\r")
        return bool(shell.child.expect_exact(["41 101", "24 80"]) == 0)

    eventually(is_followed, "the size follows")


def test_the_interrupt_key_goes_to_the_process(shell: Screen) -> None:
    shell.type("sleep 100\r")
    shell.type("\x03")
    shell.expect("$ ")
    shell.type("echo code $?\r")
    shell.expect("code 130")


def test_the_end_key_ends_the_shell(shell: Screen) -> None:
    shell.type("\x04")
    assert shell.end()[1] == 0


def test_detach_keys_leave_the_container_running(shell: Screen, engine: Engine) -> None:
    shell.type("\x10")
    shell.type("\x11")
    output, code = shell.end()
    assert code == 0
    assert "read escape sequence" not in output
    assert engine.state("shelly")["Running"]
    again = Screen(engine, "attach", "shelly")
    again.type("echo still $((40+2))\r")
    again.expect("still 42")
    again.type("exit 3\r")
    assert again.end()[1] == 3


def test_half_of_the_detach_keys_still_reach_the_process(shell: Screen) -> None:
    shell.type("cat -v\r")
    shell.type("\x10x\r")
    shell.expect("^Px")


def test_attach_says_that_it_was_left(shell: Screen, engine: Engine) -> None:
    screen = Screen(engine, "attach", "--detach-keys=ctrl-x,z", "shelly")
    screen.type("echo here\r")
    screen.expect("here")
    screen.type("\x18z")
    output, code = screen.end()
    assert code == 1
    assert output.strip().endswith("read escape sequence")
    assert engine.state("shelly")["Running"]


def test_detach_keys_that_are_no_keys_are_refused(engine: Engine) -> None:
    result = engine.naru("run", "--detach-keys=ctrl-", "busybox")
    assert result.code != 0
    assert "invalid detach keys (ctrl-) provided" in result.err
    assert engine.containers() == []


def test_exec_gives_a_second_terminal(shell: Screen, engine: Engine) -> None:
    screen = Screen(engine, "exec", "-it", "shelly", *_SHELL[1:])
    screen.expect("$ ")
    screen.type("tty; stty size\r")
    screen.expect("/dev/pts/1")
    screen.expect("24 80")
    screen.type("exit 4\r")
    assert screen.end()[1] == 4


def test_exec_can_be_left(shell: Screen, engine: Engine) -> None:
    screen = Screen(engine, "exec", "-it", "shelly", *_SHELL[1:])
    screen.expect("$ ")
    screen.type("\x10\x11")
    output, code = screen.end()
    assert code == 1
    assert output.strip().endswith("read escape sequence")


def test_start_brings_the_terminal_back(shell: Screen, engine: Engine) -> None:
    shell.type("exit\r")
    shell.end()
    screen = Screen(engine, "start", "-ai", "shelly")
    screen.expect("$ ")
    screen.type("exit 6\r")
    assert screen.end()[1] == 6


def test_a_terminal_without_input_shows_output(engine: Engine) -> None:
    screen = Screen(engine, "run", "--rm", "-t", "busybox", "sh", "-c", "tty; stty size")
    screen.expect("/dev/pts/0")
    assert screen.end()[1] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_terminal_is_restored_when_the_command_is_killed(
    engine: Engine, number: signal.Signals
) -> None:
    leader, terminal = pty.openpty()
    before = termios.tcgetattr(terminal)
    words = ("run", "-it", "--rm", "--sig-proxy=false", f"--label={LABEL}", *_SHELL)
    command = subprocess.Popen(
        [engine.naru_program, *words],
        env=engine.environ,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    try:
        seen = b""
        while b"$ " not in seen:
            seen += os.read(leader, 1000)
        assert termios.tcgetattr(terminal) != before
        command.send_signal(number)
        assert command.wait(timeout=60) == 128 + number
        assert termios.tcgetattr(terminal) == before
    finally:
        command.kill()
        command.wait()
        os.close(leader)
        os.close(terminal)


def test_the_terminal_is_restored_when_the_container_is_killed(
    shell: Screen, engine: Engine
) -> None:
    engine.api("POST", "/containers/shelly/kill").ok(204)
    assert shell.end()[1] == 137
