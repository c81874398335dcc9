"""Exec: further processes in a running container."""

from __future__ import annotations

from typing import Any

import pytest

from harness.engine import Engine
from harness.waiting import eventually
from harness.wire import split_frames


def _created(engine: Engine, container: str, *cmd: str, **config: Any) -> str:
    body = {"Cmd": list(cmd), "AttachStdout": True, "AttachStderr": True, **config}
    answer = engine.api("POST", f"/containers/{container}/exec", body).ok(201)
    return str(answer.json()["Id"])


def test_output_and_code_come_back(engine: Engine) -> None:
    container = engine.up()
    done = engine.exec(container, "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (done.code, done.out, done.err) == (3, "out\n", "err\n")


def test_stdin_goes_in(engine: Engine) -> None:
    container = engine.up()
    exec_id = _created(engine, container, "tr", "a-z", "A-Z", AttachStdin=True)
    with engine.hijack(f"/exec/{exec_id}/start", {"Detach": False, "Tty": False}) as stream:
        assert stream.status == 101
        stream.send(b"loud\n")
        stream.close_write()
        assert split_frames(stream.read_all())["stdout"] == b"LOUD\n"


def test_much_output_is_complete(engine: Engine) -> None:
    container = engine.up()
    done = engine.exec(container, "seq", "1", "100000")
    assert done.out == "".join(f"{number}\n" for number in range(1, 100001))


def test_a_detached_exec_runs_on(engine: Engine) -> None:
    container = engine.up()
    exec_id = _created(engine, container, "sh", "-c", "echo done > /made; exit 6")
    engine.api("POST", f"/exec/{exec_id}/start", {"Detach": True}).ok(200)

    def ended() -> bool:
        state = engine.api("GET", f"/exec/{exec_id}/json").ok(200).json()
        return not state["Running"] and state["ExitCode"] == 6

    eventually(ended, "the exec ended with its code")
    assert engine.exec(container, "cat", "/made").out == "done\n"


def test_inspect_tells_before_during_and_after(engine: Engine) -> None:
    container = engine.up()
    assert engine.exec(container, "mkfifo", "-m", "666", "/gate").code == 0
    exec_id = _created(engine, container, "sh", "-c", "read x < /gate", User="1000")
    state = engine.api("GET", f"/exec/{exec_id}/json").ok(200).json()
    assert (state["Running"], state["ExitCode"], state["ContainerID"]) == (False, None, container)
    assert state["ProcessConfig"]["entrypoint"] == "sh"
    assert state["ProcessConfig"]["arguments"] == ["-c", "read x < /gate"]
    assert state["ProcessConfig"]["user"] == "1000"
    assert exec_id in engine.inspect(container)["ExecIDs"]
    engine.api("POST", f"/exec/{exec_id}/start", {"Detach": True}).ok(200)
    state = engine.api("GET", f"/exec/{exec_id}/json").ok(200).json()
    assert state["Running"] is True
    assert state["Pid"] > 1
    assert engine.exec(container, "sh", "-c", "echo > /gate").code == 0
    eventually(
        lambda: engine.api("GET", f"/exec/{exec_id}/json").json()["ExitCode"] == 0, "it ended"
    )


def test_a_terminal_is_given_and_resized(engine: Engine) -> None:
    container = engine.up()
    exec_id = _created(engine, container, "sh", Tty=True, AttachStdin=True)
    with engine.hijack(f"/exec/{exec_id}/start", {"Detach": False, "Tty": True}) as stream:
        engine.api("POST", f"/exec/{exec_id}/resize", query={"h": 41, "w": 99}).ok(200, 201)
        stream.send(b"tty; stty size; exit 2\n")
        text = stream.read_all()
    assert b"/dev/pts/" in text
    assert b"41 99" in text
    eventually(
        lambda: engine.api("GET", f"/exec/{exec_id}/json").json()["ExitCode"] == 2, "it ended"
    )


@pytest.mark.parametrize(
    ("user", "ids"),
    [
        ("1000", "uid=1000(app) gid=1000(app)"),
        ("app", "uid=1000(app) gid=1000(app)"),
        ("app:staff", "uid=1000(app) gid=50(staff)"),
        ("4321:1234", "uid=4321 gid=1234"),
    ],
)
def test_the_user_may_be_chosen(engine: Engine, user: str, ids: str) -> None:
    container = engine.up(image=_image(engine))
    assert engine.exec(container, "id", User=user).out.startswith(ids)


def test_environment_and_directory_may_be_chosen(engine: Engine) -> None:
    container = engine.up(Env=["A=container", "B=container"])
    script = "echo $A $B; pwd"
    done = engine.exec(container, "sh", "-c", script, Env=["B=exec"], WorkingDir="/tmp")
    assert done.out == "container exec\n/tmp\n"


@pytest.mark.naru_only
def test_privileged_gives_all_capabilities(engine: Engine) -> None:
    container = engine.up()
    script = ("sh", "-c", "grep CapEff /proc/self/status")
    plain = engine.exec(container, *script).out.split()[1]
    more = engine.exec(container, *script, Privileged=True).out.split()[1]
    assert int(plain, 16) == 0xA80425FB
    assert int(more, 16) > int(plain, 16)


def test_ids_are_of_use_once(engine: Engine) -> None:
    container = engine.up()
    exec_id = _created(engine, container, "true")
    engine.api("POST", f"/exec/{exec_id}/start", {"Detach": False}).ok(200)
    answer = engine.api("POST", f"/exec/{exec_id}/start", {"Detach": True})
    assert answer.status == 409
    assert answer.message == f"Error: Exec command {exec_id} has already run"


@pytest.mark.parametrize(
    ("cmd", "code", "words"),
    [
        ("naru-no-such-program", 127, "executable file not found in $PATH"),
        ("/etc/passwd", 126, "permission denied"),
    ],
)
def test_a_program_that_cannot_run_is_told(engine: Engine, cmd: str, code: int, words: str) -> None:
    container = engine.up()
    result = engine.docker("exec", container, cmd)
    # Docker 20.10 knew 126 only.
    assert result.code == (code if engine.is_naru else 126), result
    assert words in result.err + result.out


def test_a_stopped_container_takes_no_exec(engine: Engine) -> None:
    done = engine.sh("true")
    answer = engine.api("POST", f"/containers/{done.id}/exec", {"Cmd": ["true"]})
    assert answer.status == 409
    assert answer.message.lower() == f"container {done.id} is not running"


def test_a_paused_container_takes_no_exec(engine: Engine) -> None:
    container = engine.up()
    engine.api("POST", f"/containers/{container}/pause").ok(204)
    answer = engine.api("POST", f"/containers/{container}/exec", {"Cmd": ["true"]})
    assert answer.status == 409
    words = f"container {container} is paused, unpause the container before exec"
    assert answer.message.lower() == words


def test_an_exec_needs_a_command(engine: Engine) -> None:
    container = engine.up()
    answer = engine.api("POST", f"/containers/{container}/exec", {"Cmd": []})
    assert (answer.status, answer.message) == (400, "No exec command specified")


def test_an_unknown_exec_is_not_found(engine: Engine) -> None:
    for method, path in (("GET", "json"), ("POST", "start"), ("POST", "resize?h=1&w=1")):
        body = {"Detach": False} if path == "start" else None
        answer = engine.api(method, f"/exec/naru-test-nothing/{path}", body)
        assert answer.status == 404
        assert "No such exec instance" in answer.message


def test_execs_end_with_their_container(engine: Engine) -> None:
    container = engine.up()
    exec_id = _created(engine, container, "sleep", "1000")
    engine.api("POST", f"/exec/{exec_id}/start", {"Detach": True}).ok(200)
    engine.api("POST", f"/containers/{container}/kill").ok(204)
    engine.wait(container)

    def ended() -> bool:
        answer = engine.api("GET", f"/exec/{exec_id}/json")
        return answer.status == 404 or answer.json()["Running"] is False

    eventually(ended, "the exec ended too")


def _image(engine: Engine) -> str:
    return engine.ensure_test_image()
