"""What a container goes through, where `test_lifecycle_clients` does not tell it already."""

from __future__ import annotations

import functools
import subprocess
import time
from collections.abc import Callable

import pytest

from harness.clients import Client, ended
from harness.engine import Engine
from harness.narud import EngineUnderTest
from harness.requirements import requires
from harness.waiting import eventually, settled

pytestmark = requires("root")
_BOTH = ("docker", "naru")
_DEAF = ("busybox", "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done")


@pytest.mark.seed("S019", "S021")
@requires("docker")
def test_ten_seconds_are_given_before_the_kill_unless_told_otherwise(engine: Engine) -> None:
    clients = [Client(program, engine) for program in _BOTH]
    words = ("--stop-signal=TERM", *_DEAF)
    names = [client.ready("--name", f"deaf-{client.program}", *words) for client in clients]
    verbs = ("restart", "stop")
    # At the same time, for the sake of the tests: each takes ten seconds.
    begun = time.monotonic()
    waiting = [
        subprocess.Popen([client.path, verb, name], env=engine.environ, stdout=subprocess.DEVNULL)
        for client, verb, name in zip(clients, verbs, names, strict=True)
    ]
    for command in waiting:
        assert command.wait(60) == 0
        assert time.monotonic() - begun > 9.5
    assert engine.state(names[0])["Running"]
    assert engine.state(names[1])["ExitCode"] == 137


@pytest.mark.seed("S020")
def test_a_paused_container_goes_on_where_it_stood(client: Client) -> None:
    script = "n=0; while :; do n=$((n+1)); echo $n; sleep 0.02; done"
    container = client.up("busybox", "sh", "-c", script)

    def lines() -> int:
        return len(client.say("logs", container).splitlines())

    eventually(lines, "it counts")
    client("pause", container).ok()
    row = ("ps", "--filter", f"id={container}", "--format", "{{.Status}}")
    status = client.say(*row)
    assert status.startswith("Up ")
    assert status.endswith(" (Paused)")
    held = settled(lines, "it counts no more")
    client("unpause", container).ok()
    eventually(lambda: lines() > held, "it goes on")
    counted = [int(line) for line in client.say("logs", container).splitlines()]
    assert counted == list(range(1, len(counted) + 1))


@pytest.mark.seed("S021")
def test_a_stopped_container_begins_anew(client: Client) -> None:
    kind = "trap 'exit 0' TERM; echo ready; touch /left; while :; do sleep 0.05; done"
    first = client.ready("busybox", "sh", "-c", kind)
    second = client.ready("--stop-signal=KILL", "busybox", "sh", "-c", kind)
    third = client.ready("busybox", "sh", "-c", "echo ready; exec sleep 1000")
    pid = client.show("{{.State.Pid}}", first)
    assert client.say("stop", "-t", "20", first, second).splitlines() == [first, second]
    assert client.say("container", "kill", third) == third
    codes = client.show("{{.State.ExitCode}}", first, second, third)
    assert codes.splitlines() == ["0", "137", "137"]
    client("start", first).ok()
    assert client.show("{{.State.Pid}}", first) not in ("0", pid)
    eventually(lambda: client.say("logs", first) == "ready\nready", "its command ran afresh")
    client("exec", first, "ls", "/left").ok()


@pytest.mark.seed("S022")
@pytest.mark.naru_only
def test_rm_says_how_to_remove_what_runs(client: Client) -> None:
    first, second = (client.up("--name", name, *_DEAF) for name in ("seeds-one", "seeds-two"))
    refused = client("rm", "seeds-one")
    assert refused.code == 1
    assert refused.err == (
        'Error response from daemon: cannot remove container "/seeds-one": container is running: '
        "stop the container before removing or force remove\n"
    )
    client("pause", second).ok()
    assert client.say("rm", "-f", "seeds-one", second[:12]) == f"seeds-one\n{second[:12]}"
    assert client("rm", first).code == 1


@pytest.mark.seed("S023")
@pytest.mark.naru_only
def test_a_pipe_of_ids_removes_them_all(client: Client) -> None:
    client.up("busybox", "sleep", "1000")
    client("create", "busybox").ok()
    script = f"{client.path} ps -aq | xargs {client.path} rm -f"
    subprocess.run(
        ["sh", "-c", script], env=client.engine.environ, check=True, stdout=subprocess.DEVNULL
    )
    assert client.say("ps", "-aq") == ""


@pytest.mark.seed("S031")
@requires("docker")
def test_policies_bring_containers_back_with_the_engine(
    make_engine: Callable[..., EngineUnderTest],
) -> None:
    engine = make_engine()
    clients = [Client(program, engine) for program in _BOTH]
    for client in clients:
        for policy in ("always", "unless-stopped", "no", "on-failure:3"):
            name = f"{client.program}-{policy.partition(':')[0]}"
            client("run", "-d", "--name", name, f"--restart={policy}", *_DEAF).ok()
        stopped = ("--name", f"{client.program}-stopped", "--restart=unless-stopped", *_DEAF)
        client.up(*stopped)
        client("stop", "-t", "0", f"{client.program}-stopped").ok()
    # As after a reboot: nothing runs any more.
    engine.lose_power()
    engine.start_engine()
    for client in clients:
        policies = ("always", "unless-stopped", "on-failure")
        expected = {f"{client.program}-{policy}" for policy in policies}
        eventually(functools.partial(_runs, client, expected), "they are back")


def _runs(client: Client, names: set[str]) -> bool:
    words = ("ps", "--filter", f"name={client.program}-", "--format", "{{.Names}}")
    running = set(client.say(*words).splitlines())
    assert running == names
    return True


@pytest.mark.seed("S032")
def test_a_container_for_once_leaves_nothing_but_named_volumes(client: Client) -> None:
    volumes = client.say("volume", "ls", "-q").splitlines()
    words = ("-v", "/anonymous", "-v", "seeds-kept:/kept", "busybox", "touch", "/kept/x")
    client("run", "--rm", "--name", "seeds-once", *words).ok()
    client("run", "--rm", "--name", "seeds-once", "busybox", "false")
    assert client.say("ps", "-aq", "--filter", "name=seeds-once") == ""
    assert set(client.say("volume", "ls", "-q").splitlines()) - set(volumes) == {"seeds-kept"}
    client("volume", "rm", "seeds-kept").ok()


@pytest.mark.seed("S050")
def test_keys_leave_an_attached_container_and_an_interrupt_ends_it(client: Client) -> None:
    script = "trap 'echo caught; exit 5' INT; while :; do echo tick; sleep 0.1; done"
    container = client.up("-it", "busybox", "sh", "-c", script)
    for keys, typed in ((), "\x10\x11"), (("--detach-keys", "ctrl-x,x"), "\x18x"):
        screen = client.terminal("container", "attach", *keys, container)
        screen.expect("tick")
        screen.send(typed)
        screen.expect("read escape sequence")
        ended(screen)
        assert client.show("{{.State.Running}}", container) == "true"
    screen = client.terminal("attach", container)
    screen.expect("tick")
    screen.sendintr()
    screen.expect("caught")
    assert ended(screen)[1] == 5
    assert client.show("{{.State.Status}}", container) == "exited"
    refused = client("attach", container)
    assert refused.code == 1
    assert "cannot attach to a stopped container" in refused.err.lower()


@pytest.mark.seed("S051")
def test_exec_has_its_ways_into_a_running_container(client: Client) -> None:
    container = client.up("--name", "seeds-exec", "busybox", "sleep", "1000")
    screen = client.terminal("container", "exec", "-it", "seeds-exec", "sh", size=(30, 90))
    screen.expect("# ")
    screen.sendline("stty size; exit 4")
    screen.expect("30 90")
    assert ended(screen)[1] == 4
    assert client.say("exec", "-i", container, "cat", stdin="typed") == "typed"
    assert client.say("exec", "-d", container, "touch", "/made") == ""
    eventually(lambda: client("exec", container, "ls", "/made").code == 0, "it is made")
    missing = client("exec", container, "nosuch")
    assert missing.code in (126, 127)
    assert 'exec: "nosuch": executable file not found in $PATH' in missing.err + missing.out
    client("kill", container).ok()
    client("wait", container).ok()
    answer = client.engine.api("POST", "/containers/seeds-exec/exec", {"Cmd": ["true"]})
    assert answer.status == 409
    assert f"container {container} is not running" in answer.json()["message"].lower()
    refused = client("exec", "seeds-exec", "true")
    assert refused.code == 1
    assert "is not running" in refused.err


@pytest.mark.seed("S051")
@pytest.mark.naru_only
def test_exec_can_have_more_rights_than_its_container(client: Client) -> None:
    container = client.up("busybox", "sleep", "1000")
    show = ("grep", "CapEff", "/proc/self/status")
    plain, privileged = (
        int(client.say("exec", *words, container, *show).split()[1], 16)
        for words in ((), ("--privileged",))
    )
    assert privileged.bit_count() > plain.bit_count()


@pytest.mark.seed("S034")
def test_the_log_is_called_logs(client_28: Client) -> None:
    program = client_28.program
    refused = client_28("log", "seeds")
    assert (refused.code, refused.out) == (1, "")
    lines = refused.err.splitlines()
    assert lines[0] == f"{program}: unknown command: {program} log"
    assert lines[-1] == f"Run '{program} --help' for more information"
    assert ("Did you mean 'naru logs'?" in lines) == (program == "naru")
