"""The life of containers as users of both commands see it: words, tables, exit codes."""

from __future__ import annotations

import time

import pytest

from harness.clients import Client
from harness.waiting import eventually


def _status(client: Client, container: str) -> str:
    words = ("ps", "-a", "--filter", f"id={container}", "--format", "{{.Status}}")
    return client(*words).ok().out.strip()


def _trap(code: str) -> tuple[str, ...]:
    script = f"trap '{code}' TERM; echo ready; while :; do sleep 0.05; done"
    return "busybox", "sh", "-c", script


@pytest.mark.seed("S018", "S020")
def test_ps_names_every_state_on_the_way(client: Client) -> None:
    container = client("create", "busybox", "sleep", "1000").ok().out.strip()
    assert _status(client, container) == "Created"
    client("start", container).ok()
    assert _status(client, container).startswith("Up ")
    client("pause", container).ok()
    assert _status(client, container).endswith("(Paused)")
    client("unpause", container).ok()
    assert "(Paused)" not in _status(client, container)
    client("restart", "-t", "0", container).ok()
    assert _status(client, container).startswith("Up ")
    client("kill", container).ok()
    client("wait", container).ok()
    assert _status(client, container).startswith("Exited (137) ")
    client("rm", container).ok()
    assert _status(client, container) == ""


@pytest.mark.seed("S019")
def test_stop_and_restart_give_the_time_that_is_asked_for(client: Client) -> None:
    container = client.ready(*_trap(""))
    begun = time.monotonic()
    client("restart", "-t", "1", container).ok()
    assert time.monotonic() - begun > 0.9
    eventually(lambda: client("logs", container).ok().out == "ready\nready\n", "it ran anew")
    client("stop", "--timeout", "0", container).ok()
    form = "{{.State.ExitCode}} {{.State.Running}}"
    assert client("inspect", "-f", form, container).ok().out == "137 false\n"


@pytest.mark.seed("S021")
def test_stop_sends_its_signal_to_several(client: Client) -> None:
    names = [client.ready("--stop-signal", "TERM", *_trap("exit 0")) for _ in range(2)]
    assert client("stop", *names).ok().lines() == names
    assert client("inspect", "-f", "{{.State.ExitCode}}", *names).ok().out == "0\n0\n"


@pytest.mark.seed("S022")
def test_rm_takes_the_running_by_force_and_volumes_when_told(client: Client) -> None:
    words = ("run", "-d", "-v", "/anonymous", "busybox", "sleep", "1000")
    first, second = (client(*words).ok().out.strip() for _ in range(2))
    form = "{{(index .Mounts 0).Name}}"
    kept, gone = client("inspect", "-f", form, first, second).ok().lines()
    refused = client("rm", first)
    assert refused.code == 1
    assert "force remove" in refused.err
    client("rm", "-f", first).ok()
    client("rm", "-f", "-v", second).ok()
    volumes = client("volume", "ls", "-q").ok().lines()
    assert kept in volumes
    assert gone not in volumes
    client("volume", "rm", kept).ok()


@pytest.mark.seed("S031")
def test_policies_are_shown_and_count(client: Client) -> None:
    words = ("run", "-d", "--restart", "on-failure:2", "busybox", "sh", "-c", "exit 4")
    container = client(*words).ok().out.strip()
    form = "{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}"
    assert client("inspect", "-f", form, container).ok().out == "on-failure 2\n"

    def given_up() -> bool:
        out = client("inspect", "-f", "{{.RestartCount}} {{.State.Status}}", container).ok().out
        assert out == "2 exited\n", out
        return True

    eventually(given_up, "it gave up")


@pytest.mark.seed("S033")
@pytest.mark.docker_release("28")
def test_rm_and_a_policy_exclude_each_other(client: Client) -> None:
    answer = client("run", "--rm", "--restart", "always", "busybox", "true")
    assert answer.code == 125
    assert "conflicting options: cannot specify both --restart and --rm" in answer.err
    client("run", "--rm", "--restart=no", "busybox", "true").ok()


@pytest.mark.seed("S032")
def test_rm_leaves_neither_container_nor_volume(client: Client) -> None:
    before = client("volume", "ls", "-q").ok().lines()
    client("run", "--rm", "--name", "naru-test-brief", "-v", "/data", "busybox", "true").ok()
    assert client("ps", "-aq", "--filter", "name=naru-test-brief").ok().out == ""
    assert client("volume", "ls", "-q").ok().lines() == before


@pytest.mark.docker_release("28")
def test_a_command_that_there_is_not_is_told(client: Client) -> None:
    answer = client("log", "x")
    assert answer.code == 1
    assert "unknown command: " in answer.err


@pytest.mark.seed("S049")
def test_start_takes_several_and_brings_back_one_exit_code(client: Client) -> None:
    first, second = (
        client("create", "busybox", "sh", "-c", "echo out; exit 3").ok().out.strip()
        for _ in range(2)
    )
    assert client("start", first, second).ok().lines() == [first, second]
    client("wait", first, second).ok()
    answer = client("start", "-a", first)
    assert (answer.code, answer.out) == (3, "out\n")


@pytest.mark.seed("S051")
def test_exec_returns_the_code_and_takes_its_options(client: Client) -> None:
    container = client("run", "-d", "busybox", "sleep", "1000").ok().out.strip()
    script = "echo $WORD in $PWD as $(id -u); exit 6"
    words = ("exec", "-e", "WORD=hello", "-w", "/tmp", "-u", "7", container, "sh", "-c", script)
    answer = client(*words)
    assert (answer.code, answer.out) == (6, "hello in /tmp as 7\n")
    client("stop", "-t", "0", container).ok()
    refused = client("exec", container, "true")
    assert refused.code == 1
    assert f"container {container} is not running" in refused.err.lower()


def test_kill_takes_signals_by_name_and_by_number(client: Client) -> None:
    for signal in ("USR1", "SIGUSR1", "10"):
        script = "trap 'exit 8' USR1; echo ready; while :; do sleep 0.05; done"
        container = client.ready("busybox", "sh", "-c", script)
        client("kill", "-s", signal, container).ok()
        assert client("wait", container).ok().out == "8\n"
