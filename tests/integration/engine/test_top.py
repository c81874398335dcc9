"""`top` with all kinds of options of the host's ps."""

from __future__ import annotations

import time

import pytest

from harness.engine import Engine
from harness.waiting import eventually


@pytest.fixture
def busy(engine: Engine) -> str:
    """Give a container with a terminal, two processes of its own and one of an exec."""
    container = engine.up("sh", "-c", "sleep 4001 & sleep 4002; true", Tty=True)
    exec_id = engine.api(
        "POST", f"/containers/{container}/exec", {"Cmd": ["sleep", "4003"]}
    ).json()["Id"]
    engine.api("POST", f"/exec/{exec_id}/start", {"Detach": True}).ok(200)

    def all_run() -> bool:
        answer = engine.api("GET", f"/containers/{container}/top").ok(200).json()
        return len(answer["Processes"]) == 4

    eventually(all_run, "all of them run")
    return container


@pytest.mark.parametrize(
    ("options", "titles"),
    [
        ("", ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]),
        ("aux", "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND".split()),
        ("-ef --forest", ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]),
        ("-o pid,args", ["PID", "COMMAND"]),
        ("-eo pid=PID,user", ["PID", "USER"]),
        ("--format pid,args", ["PID", "COMMAND"]),
    ],
)
def test_rows_are_those_of_the_container(
    engine: Engine, busy: str, options: str, titles: list[str]
) -> None:
    query = {"ps_args": options}
    answer = engine.api("GET", f"/containers/{busy}/top", query=query).ok(200).json()
    assert answer["Titles"] == titles
    pids = {int(row[titles.index("PID")]) for row in answer["Processes"]}
    assert len(pids) == 4
    assert engine.state(busy)["Pid"] in pids


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("-o args", "Couldn't find PID field in ps output"),
        ("-o pid=NUMBER", "Couldn't find PID field in ps output"),
        ("-eo user=PID", 'specifying "user=PID" is not allowed'),
        ("--bogus", "ps: error: unknown gnu long option"),
    ],
)
def test_options_that_will_not_do(engine: Engine, busy: str, options: str, words: str) -> None:
    answer = engine.api("GET", f"/containers/{busy}/top", query={"ps_args": options})
    assert answer.status == 400 or not engine.is_naru
    assert answer.message == words


def test_a_look_is_an_event(engine: Engine, busy: str) -> None:
    since = time.time()
    engine.api("GET", f"/containers/{busy}/top").ok(200)
    assert len(engine.events(since, container=[busy], event=["top"])) == 1
