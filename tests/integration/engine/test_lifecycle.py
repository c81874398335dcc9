"""A container's life through the API: create, start, stop, kill, restart, pause, remove."""

from __future__ import annotations

import re
import time

import pytest

from harness.engine import Engine
from harness.waiting import eventually, settled


def test_a_container_runs_and_its_output_is_read_back(engine: Engine) -> None:
    done = engine.sh("echo out; echo err >&2; exit 3")
    assert (done.code, done.out, done.err) == (3, "out\n", "err\n")


def test_states_follow_each_other(engine: Engine) -> None:
    container = engine.create("sleep", "1000")
    state = engine.state(container)
    assert (state["Status"], state["Running"], state["Pid"]) == ("created", False, 0)
    assert state["StartedAt"] == state["FinishedAt"] == "0001-01-01T00:00:00Z"
    engine.start(container)
    state = engine.state(container)
    assert (state["Status"], state["Running"], state["Paused"]) == ("running", True, False)
    assert state["Pid"] > 1
    engine.api("POST", f"/containers/{container}/kill").ok(204)
    assert engine.wait(container) == 137
    state = engine.state(container)
    assert (state["Status"], state["Running"], state["Pid"]) == ("exited", False, 0)
    assert (state["ExitCode"], state["OOMKilled"]) == (137, False)
    assert state["FinishedAt"] > state["StartedAt"]


def test_ids_names_and_prefixes_find_the_same_container(engine: Engine) -> None:
    container = engine.create("true", name="naru-test-found")
    assert re.fullmatch(r"[0-9a-f]{64}", container)
    for name in (container, container[:12], "naru-test-found"):
        assert engine.inspect(name)["Id"] == container
    assert engine.inspect(container)["Name"] == "/naru-test-found"


def test_a_name_is_made_up_when_none_is_given(engine: Engine) -> None:
    name = engine.inspect(engine.create("true"))["Name"]
    assert re.fullmatch(r"/[a-z]+_[a-z]+[0-9]?", name)


def test_starting_twice_changes_nothing(engine: Engine) -> None:
    container = engine.up()
    pid = engine.state(container)["Pid"]
    assert engine.api("POST", f"/containers/{container}/start").status == 304
    assert engine.state(container)["Pid"] == pid


def test_stopping_what_is_stopped_changes_nothing(engine: Engine) -> None:
    container = engine.create("true")
    assert engine.api("POST", f"/containers/{container}/stop").status == 304


def test_a_stopped_container_starts_again_with_its_files(engine: Engine) -> None:
    container = engine.up("sh", "-c", "echo line >> /file; cat /file")
    assert engine.wait(container) == 0
    first = engine.state(container)
    engine.start(container)
    assert engine.wait(container) == 0
    assert engine.logs(container)["stdout"] == b"line\nline\nline\n"
    assert engine.state(container)["StartedAt"] > first["StartedAt"]


def test_stop_sends_term_and_the_process_chooses_its_code(engine: Engine) -> None:
    script = "trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.05; done"
    container = engine.up("sh", "-c", script)
    eventually(lambda: b"ready" in engine.logs(container)["stdout"], "the trap is set")
    engine.api("POST", f"/containers/{container}/stop", query={"t": 10}).ok(204)
    state = engine.state(container)
    assert (state["Status"], state["ExitCode"]) == ("exited", 7)
    assert engine.logs(container)["stdout"] == b"ready\nbye\n"


def test_stop_kills_when_the_time_is_up(engine: Engine) -> None:
    container = engine.up("sh", "-c", "trap '' TERM; while :; do sleep 0.1; done")
    before = time.monotonic()
    engine.api("POST", f"/containers/{container}/stop", query={"t": 1}).ok(204)
    # Ten seconds would be the default.
    assert 0.9 < time.monotonic() - before < 9
    assert engine.state(container)["ExitCode"] == 137


def test_the_image_or_the_request_may_choose_the_stop_signal(engine: Engine) -> None:
    script = "trap 'exit 9' USR1; echo ready; while :; do sleep 0.05; done"
    container = engine.up("sh", "-c", script, StopSignal="SIGUSR1")
    eventually(lambda: b"ready" in engine.logs(container)["stdout"], "the trap is set")
    engine.api("POST", f"/containers/{container}/stop", query={"t": 10}).ok(204)
    assert engine.state(container)["ExitCode"] == 9


@pytest.mark.parametrize("signal", ["SIGHUP", "HUP", "1"])
def test_kill_takes_signals_by_name_and_number(engine: Engine, signal: str) -> None:
    script = "trap 'exit 4' HUP; echo ready; while :; do sleep 0.05; done"
    container = engine.up("sh", "-c", script)
    eventually(lambda: b"ready" in engine.logs(container)["stdout"], "the trap is set")
    engine.api("POST", f"/containers/{container}/kill", query={"signal": signal}).ok(204)
    assert engine.wait(container) == 4


def test_kill_refuses_an_unknown_signal(engine: Engine) -> None:
    container = engine.up()
    answer = engine.api("POST", f"/containers/{container}/kill", query={"signal": "SIGNOPE"})
    assert answer.status == 400
    assert answer.message.lower().endswith("invalid signal: signope")


def test_kill_needs_a_running_container(engine: Engine) -> None:
    container = engine.create("true")
    answer = engine.api("POST", f"/containers/{container}/kill")
    assert answer.status == 409
    assert f"container {container} is not running" in answer.message.lower()


def test_restart_gives_a_new_process_and_the_same_files(engine: Engine) -> None:
    container = engine.up("sh", "-c", "echo again; sleep 1000")
    first = engine.state(container)
    engine.api("POST", f"/containers/{container}/restart", query={"t": 0}).ok(204)
    second = engine.state(container)
    assert second["Status"] == "running"
    assert second["Pid"] != first["Pid"]
    eventually(lambda: engine.logs(container)["stdout"] == b"again\nagain\n", "it ran twice")


def test_restart_starts_what_was_not_running(engine: Engine) -> None:
    container = engine.create("sleep", "1000")
    engine.api("POST", f"/containers/{container}/restart", query={"t": 0}).ok(204)
    assert engine.state(container)["Status"] == "running"


def test_pause_freezes_and_unpause_goes_on(engine: Engine) -> None:
    container = engine.up("sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done")
    eventually(lambda: engine.logs(container)["stdout"], "it counts")
    engine.api("POST", f"/containers/{container}/pause").ok(204)
    state = engine.state(container)
    assert (state["Status"], state["Running"], state["Paused"]) == ("paused", True, True)
    frozen = settled(lambda: engine.logs(container)["stdout"], "it counts no more")
    engine.api("POST", f"/containers/{container}/unpause").ok(204)
    assert engine.state(container)["Status"] == "running"
    eventually(lambda: engine.logs(container)["stdout"] != frozen, "it counts again")


def test_pausing_twice_is_refused(engine: Engine) -> None:
    container = engine.up()
    engine.api("POST", f"/containers/{container}/pause").ok(204)
    answer = engine.api("POST", f"/containers/{container}/pause")
    assert answer.status == 409
    assert answer.message.lower() == f"container {container} is already paused"
    engine.api("POST", f"/containers/{container}/unpause").ok(204)
    answer = engine.api("POST", f"/containers/{container}/unpause")
    # 20.10 took it for a fault of its own.
    assert answer.status in (409, 500)
    assert answer.message.lower() == f"container {container} is not paused"


def test_a_paused_container_can_be_stopped(engine: Engine) -> None:
    container = engine.up()
    engine.api("POST", f"/containers/{container}/pause").ok(204)
    engine.api("POST", f"/containers/{container}/stop", query={"t": 1}).ok(204)
    assert engine.state(container)["Status"] == "exited"


def test_a_paused_container_can_be_removed_by_force(engine: Engine) -> None:
    container = engine.up()
    engine.api("POST", f"/containers/{container}/pause").ok(204)
    engine.remove(container)
    assert engine.api("GET", f"/containers/{container}/json").status == 404


def test_a_running_container_is_removed_by_force_only(engine: Engine) -> None:
    container = engine.up()
    answer = engine.api("DELETE", f"/containers/{container}")
    assert answer.status == 409
    # The words of Docker 20.10 and of 28.
    assert answer.message.startswith(
        (
            f"You cannot remove a running container {container}. ",
            "cannot remove container ",
        )
    )
    assert "force remove" in answer.message
    engine.api("DELETE", f"/containers/{container}", query={"force": True}).ok(204)
    answer = engine.api("GET", f"/containers/{container}/json")
    assert (answer.status, answer.message) == (404, f"No such container: {container}")


def test_a_removed_container_gives_its_name_back(engine: Engine) -> None:
    first = engine.create("true", name="naru-test-again")
    engine.remove(first)
    second = engine.create("true", name="naru-test-again")
    assert second != first


def test_auto_remove_takes_the_container_away_after_its_end(engine: Engine) -> None:
    container = engine.create("true", host={"AutoRemove": True})
    engine.start(container)
    eventually(
        lambda: engine.api("GET", f"/containers/{container}/json").status == 404, "it is removed"
    )


def test_auto_remove_takes_anonymous_volumes_too(engine: Engine) -> None:
    container = engine.create("sleep", "1000", host={"AutoRemove": True}, Volumes={"/data": {}})
    engine.start(container)
    [mount] = engine.inspect(container)["Mounts"]
    engine.api("POST", f"/containers/{container}/kill").ok(204)
    eventually(
        lambda: engine.api("GET", f"/volumes/{mount['Name']}").status == 404, "the volume is gone"
    )


def test_rename_frees_the_old_name_and_takes_the_new(engine: Engine) -> None:
    container = engine.up(name="naru-test-before")
    query = {"name": "naru-test-after"}
    engine.api("POST", "/containers/naru-test-before/rename", query=query).ok(204)
    assert engine.inspect("naru-test-after")["Id"] == container
    assert engine.api("GET", "/containers/naru-test-before/json").status == 404
    engine.create("true", name="naru-test-before")


def test_rename_to_a_taken_name_is_refused(engine: Engine) -> None:
    other = engine.create("true", name="naru-test-taken")
    container = engine.create("true", name="naru-test-mine")
    query = {"name": "naru-test-taken"}
    answer = engine.api("POST", f"/containers/{container}/rename", query=query)
    assert answer.status == 409
    assert answer.message.startswith(
        "Error when allocating new name: Conflict. "
        f'The container name "/naru-test-taken" is already in use by container "{other}"'
    )
    assert engine.inspect(container)["Name"] == "/naru-test-mine"


def test_top_lists_the_processes_of_the_container(engine: Engine) -> None:
    container = engine.up("sh", "-c", "sleep 4321 & sleep 4322; true")

    def both() -> bool:
        answer = engine.api("GET", f"/containers/{container}/top").ok(200).json()
        assert answer["Titles"][:2] == ["UID", "PID"]
        commands = [row[answer["Titles"].index("CMD")] for row in answer["Processes"]]
        return {"sleep 4321", "sleep 4322"} <= set(commands) and len(commands) == 3

    eventually(both, "both sleeps are listed")


def test_top_takes_options_of_ps(engine: Engine) -> None:
    container = engine.up("sleep", "4323")
    query = {"ps_args": "-o pid,comm"}
    pid = str(engine.state(container)["Pid"])

    def shows() -> bool:
        answer = engine.api("GET", f"/containers/{container}/top", query=query).ok(200).json()
        assert answer["Titles"] == ["PID", "COMMAND"]
        # For a moment after the start the process is still the runtime's.
        return bool(answer["Processes"] == [[pid, "sleep"]])

    eventually(shows, "the program shows")


def test_top_needs_a_running_container(engine: Engine) -> None:
    container = engine.create("true")
    answer = engine.api("GET", f"/containers/{container}/top")
    assert answer.status == 409
    assert answer.message.lower() == f"container {container} is not running"


def test_the_init_process_reaps_and_forwards(engine: Engine) -> None:
    container = engine.up("sh", "-c", "exec sleep 1000", host={"Init": True})
    top = engine.exec(container, "cat", "/proc/1/cmdline").out
    assert "sleep" in top
    assert not top.startswith("sleep")
    engine.api("POST", f"/containers/{container}/stop", query={"t": 10}).ok(204)
    assert engine.state(container)["ExitCode"] == 143
