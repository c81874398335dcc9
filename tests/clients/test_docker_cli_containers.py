"""The real docker command, word for word as people type it."""

from __future__ import annotations

import json
import re
import subprocess

import pexpect
import pytest

from harness.engine import Engine
from harness.requirements import requires
from harness.waiting import eventually

pytestmark = requires("docker")


def test_run_gives_output_and_code(engine: Engine) -> None:
    result = engine.docker("run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (result.code, result.out, result.err) == (3, "out\n", "err\n")


def test_run_reads_stdin(engine: Engine) -> None:
    result = engine.docker("run", "--rm", "-i", "busybox", "wc", "-c", stdin="x" * 300_000)
    assert (result.code, result.out.strip()) == (0, "300000")


def test_run_in_the_background_prints_the_id(engine: Engine) -> None:
    result = engine.docker("run", "-d", "--name", "naru-test-bg", "busybox", "sleep", "1000").ok()
    assert re.fullmatch(r"[0-9a-f]{64}\n", result.out)
    assert engine.inspect("naru-test-bg")["Id"] == result.out.strip()


def test_a_shell_on_a_terminal(engine: Engine) -> None:
    shell = engine.terminal("docker", "run", "-it", "--rm", "busybox", size=(31, 97))
    shell.expect("# ")
    shell.sendline("tty; stty size; exit 5")
    shell.expect("/dev/pts/0")
    shell.expect("31 97")
    shell.expect(pexpect.EOF)
    shell.close()
    assert shell.exitstatus == 5


def test_a_terminal_that_is_resized_tells_the_process(engine: Engine) -> None:
    shell = engine.terminal("docker", "run", "-it", "--rm", "busybox")
    shell.expect("# ")

    def resized() -> bool:
        # Only a change is told, and docker may not listen for it yet.
        shell.setwinsize(44, 110)
        shell.setwinsize(45, 111)
        shell.sendline("stty size")
        return bool(shell.expect(["45 111", pexpect.TIMEOUT], timeout=1) == 0)

    eventually(resized, "the size is known inside")
    shell.sendline("exit")
    shell.expect(pexpect.EOF)
    shell.close()


def test_detach_and_attach_again(engine: Engine) -> None:
    shell = engine.terminal("docker", "run", "-it", "--name", "naru-test-detach", "busybox")
    shell.expect("# ")
    shell.send("\x10\x11")
    shell.expect(pexpect.EOF)
    shell.close()
    assert engine.state("naru-test-detach")["Running"] is True
    again = engine.terminal("docker", "attach", "naru-test-detach")
    again.sendline("echo sti''ll here; exit 6")
    again.expect("still here")
    again.expect(pexpect.EOF)
    again.close()
    assert again.exitstatus == 6


def test_control_c_ends_an_attached_process(engine: Engine) -> None:
    script = "trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.1; done"
    process = engine.terminal("docker", "run", "-t", "--rm", "busybox", "sh", "-c", script)
    process.expect("ready")
    process.sendintr()
    process.expect("caught")
    process.expect(pexpect.EOF)
    process.close()
    assert process.exitstatus == 9


def test_exec_on_a_terminal(engine: Engine) -> None:
    container = engine.up()
    shell = engine.terminal("docker", "exec", "-it", container, "sh", size=(29, 91))
    shell.expect("# ")
    shell.sendline("stty size; exit 4")
    shell.expect("29 91")
    shell.expect(pexpect.EOF)
    shell.close()
    assert shell.exitstatus == 4


def test_exec_takes_its_options(engine: Engine) -> None:
    container = engine.up()
    result = engine.docker(
        "exec", "-e", "A=1", "-w", "/tmp", "-i", container, "sh", stdin="echo $A; pwd"
    )
    assert (result.code, result.out) == (0, "1\n/tmp\n")
    assert engine.docker("exec", container, "sh", "-c", "exit 9").code == 9


def test_start_attached_gives_output_and_code(engine: Engine) -> None:
    container = engine.create("sh", "-c", "echo again; exit 2")
    for _ in range(2):
        result = engine.docker("start", "-a", container)
        assert (result.code, result.out) == (2, "again\n")


def test_logs_follow_until_the_end(engine: Engine) -> None:
    container = engine.up("sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.2; done")
    assert engine.docker("logs", "-f", container).ok().out == "1\n2\n3\n"
    assert engine.docker("logs", "--tail", "1", container).ok().out == "3\n"
    stamped = engine.docker("logs", "-t", container).ok().lines()
    assert re.match(r"\d{4}-\d\d-\d\dT\S+Z 1$", stamped[0])
    assert engine.docker("logs", "--since", "1h", container).ok().out == "1\n2\n3\n"


def test_ps_prints_its_table(engine: Engine) -> None:
    container = engine.up(name="naru-test-ps")
    [line] = [line for line in engine.docker("ps").ok().lines() if "naru-test-ps" in line]
    assert re.match(
        rf'{container[:12]} +busybox:latest +"sleep 1000" +\S.* ago +Up .* +naru-test-ps$', line
    )
    names = engine.docker("ps", "--format", "{{.Names}}", "--filter", "name=naru-test-ps").ok()
    assert names.out == "naru-test-ps\n"
    assert engine.docker("ps", "-q", "--no-trunc", "-f", f"id={container}").out.strip() == container


def test_ps_knows_sizes(engine: Engine) -> None:
    engine.sh("head -c 5000 /dev/zero > /x", name="naru-test-size")
    arguments = ("ps", "-as", "--filter", "name=naru-test-size", "--format", "{{.Size}}")
    assert re.match(r"5(\.\d+)?kB \(virtual .*B\)", engine.docker(*arguments).ok().out)


def test_stop_kill_restart_pause_and_rm_print_what_they_did(engine: Engine) -> None:
    engine.up(name="naru-test-verbs")
    for words in (
        ["pause"],
        ["unpause"],
        ["restart", "-t", "0"],
        ["kill"],
        ["start"],
        ["stop", "-t", "0"],
        ["rm"],
    ):
        if words == ["start"]:
            engine.await_status("naru-test-verbs", "exited")
        assert engine.docker(*words, "naru-test-verbs").ok().out == "naru-test-verbs\n"


def test_wait_prints_the_code(engine: Engine) -> None:
    container = engine.up("sh", "-c", "sleep 0.3; exit 21")
    assert engine.docker("wait", container).ok().out == "21\n"


def test_a_renamed_container_is_found_by_top(engine: Engine) -> None:
    container = engine.up("sleep", "8765")
    engine.docker("rename", container, "naru-test-renamed").ok()

    def shows() -> bool:
        titles, process = engine.docker("top", "naru-test-renamed").ok().lines()
        assert titles.split() == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
        # For a moment after the start the process is still the runtime's.
        return process.endswith("sleep 8765")

    eventually(shows, "the program shows")


def test_inspect_takes_templates(engine: Engine) -> None:
    container = engine.up(name="naru-test-inspect")
    result = engine.docker("inspect", "-f", "{{.State.Status}} {{.Name}}", container)
    assert result.ok().out == "running /naru-test-inspect\n"
    [document] = json.loads(engine.docker("inspect", container).ok().out)
    assert document["Id"] == container
    missing = engine.docker("inspect", "naru-test-nobody")
    assert missing.code == 1
    assert "no such object: naru-test-nobody" in missing.err.lower()


def _listeners(engine: Engine) -> int:
    return int(engine.api("GET", "/info").ok(200).json()["NEventsListener"])


def test_events_are_printed_as_they_happen(engine: Engine) -> None:
    argv = ["docker", "events", "--filter", "container=naru-test-events", "--format", "{{.Action}}"]
    before = _listeners(engine)
    with subprocess.Popen(argv, env=engine.environ, stdout=subprocess.PIPE, text=True) as events:
        assert events.stdout is not None
        try:
            eventually(lambda: _listeners(engine) > before, "it listens")
            engine.sh("true", name="naru-test-events")
            seen = [events.stdout.readline().strip() for _ in range(3)]
        finally:
            events.kill()
    assert seen == ["create", "start", "die"]


def test_a_published_port_is_printed(engine: Engine) -> None:
    engine.docker(
        "run", "-d", "--name", "naru-test-port", "-p", "127.0.0.1::7000", "busybox", "sleep", "1000"
    ).ok()
    line = engine.docker("port", "naru-test-port").ok().out
    assert re.fullmatch(r"7000/tcp -> 127\.0\.0\.1:\d+\n", line)


def test_environment_files_and_labels(engine: Engine, tmp_path: pytest.TempPathFactory) -> None:
    path = f"{tmp_path}/env"
    with open(path, "w", encoding="utf-8") as handle:
        handle.write("# comment\nFROM_FILE=yes\n")
    result = engine.docker("run", "--rm", "--env-file", path, "-e", "B=2", "busybox", "env").ok()
    assert {"FROM_FILE=yes", "B=2"} <= set(result.lines())


def test_rm_holds_when_the_command_is_gone(engine: Engine) -> None:
    words = ["run", "--rm", "--name", "naru-test-gone", "busybox", "sleep", "1000"]
    process = engine.terminal("docker", *words)
    engine.await_made("naru-test-gone", "running")
    process.kill(9)
    process.expect(pexpect.EOF)
    process.close()
    assert engine.state("naru-test-gone")["Running"] is True
    engine.docker("kill", "naru-test-gone").ok()
    eventually(
        lambda: engine.api("GET", "/containers/naru-test-gone/json").status == 404, "it is gone"
    )


def test_cidfile_is_written(engine: Engine, tmp_path: pytest.TempPathFactory) -> None:
    path = f"{tmp_path}/cid"
    engine.docker("run", "--cidfile", path, "--name", "naru-test-cid", "busybox", "true").ok()
    with open(path, encoding="utf-8") as handle:
        assert handle.read() == engine.inspect("naru-test-cid")["Id"]
