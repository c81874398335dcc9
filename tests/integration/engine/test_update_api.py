"""Updates: in force at once, kept for the next start, and all or nothing."""

from __future__ import annotations

import contextlib
import http.client
import time
from pathlib import Path
from typing import Any

import pytest

from harness.engine import Engine
from harness.narud import EngineUnderTest
from harness.waiting import eventually

_M = 1 << 20


def _update(engine: Engine, container: str, **body: Any) -> Any:
    answer = engine.api("POST", f"/containers/{container}/update", body).ok(200)
    return answer.json()["Warnings"] or []


def _refusal(engine: Engine, container: str, **body: Any) -> tuple[int, str]:
    answer = engine.api("POST", f"/containers/{container}/update", body)
    return answer.status, answer.message


def _limits(engine: Engine, container: str) -> dict[str, str]:
    """Return what the kernel has for a container, under the names of version 1."""
    pid = engine.state(container)["Pid"]
    places = {}
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        places.update(dict.fromkeys(names.split(","), path))

    def read(controller: str, v1: str, v2: str) -> str:
        if controller in places:
            return Path(f"/sys/fs/cgroup/{controller}{places[controller]}/{v1}").read_text().strip()
        # The second word of a quota is its period; no choice of processors is none.
        return Path(f"/sys/fs/cgroup{places['']}/{v2}").read_text().partition(" ")[0].strip()

    return {
        "memory": read("memory", "memory.limit_in_bytes", "memory.max"),
        "quota": read("cpu", "cpu.cfs_quota_us", "cpu.max"),
        "cpus": read("cpuset", "cpuset.cpus", "cpuset.cpus"),
        "pids": read("pids", "pids.max", "pids.max"),
    }


def test_a_running_container_has_its_new_limits_at_once(engine: Engine) -> None:
    container = engine.up(host={"Memory": 32 * _M})
    _update(
        engine,
        container,
        Memory=64 * _M,
        MemorySwap=96 * _M,
        NanoCpus=500_000_000,
        CpusetCpus="0",
        PidsLimit=30,
    )
    expected = {"memory": str(64 * _M), "quota": "50000", "cpus": "0", "pids": "30"}
    assert _limits(engine, container) == expected
    host = engine.inspect(container)["HostConfig"]
    assert (host["Memory"], host["MemorySwap"]) == (64 * _M, 96 * _M)
    assert (host["NanoCpus"], host["CpusetCpus"], host["PidsLimit"]) == (500_000_000, "0", 30)
    # Everything that is not spoken of stays, and is there again after the next start.
    _update(engine, container, Memory=48 * _M)
    engine.api("POST", f"/containers/{container}/restart", query={"t": 0}).ok(204)
    assert _limits(engine, container) == {**expected, "memory": str(48 * _M)}


def test_limits_can_be_taken_away(engine: Engine) -> None:
    container = engine.up(host={"PidsLimit": 30, "CpuQuota": 20_000, "CpuPeriod": 50_000})
    _update(engine, container, PidsLimit=-1)
    assert _limits(engine, container)["pids"] == "max"
    _update(engine, container, CpuQuota=-1)
    assert _limits(engine, container)["quota"] in ("-1", "max")


def test_a_paused_container_is_updated_too(engine: Engine) -> None:
    container = engine.up()
    engine.api("POST", f"/containers/{container}/pause").ok(204)
    _update(engine, container, PidsLimit=30)
    assert _limits(engine, container)["pids"] == "30"
    engine.api("POST", f"/containers/{container}/unpause").ok(204)


def test_a_stopped_container_keeps_its_update_for_the_next_start(engine: Engine) -> None:
    container = engine.create("sleep", "1000")
    _update(engine, container, Memory=32 * _M, MemorySwap=-1, PidsLimit=20)
    engine.start(container)
    limits = _limits(engine, container)
    assert (limits["memory"], limits["pids"]) == (str(32 * _M), "20")


def test_what_the_kernel_refuses_changes_nothing(engine: Engine) -> None:
    container = engine.up(host={"PidsLimit": 30})
    before = _limits(engine, container)
    # No limit of memory, and one of memory and swap together: no kernel makes sense of that.
    refusal = {"MemorySwap": 16 * _M, "PidsLimit": 9, "NanoCpus": 10**9}
    status, message = _refusal(engine, container, **refusal)
    assert status == 500
    assert message.startswith(f"Cannot update container {container}: ")
    host = engine.inspect(container)["HostConfig"]
    assert (host["MemorySwap"], host["PidsLimit"], host["NanoCpus"]) == (0, 30, 0)
    if engine.is_naru:
        # Docker has set some of them by then.
        assert _limits(engine, container) == before


def test_restart_policies_change_while_it_runs(engine: Engine) -> None:
    script = "while [ ! -e /end ]; do sleep 0.05; done; rm /end; exit 3"
    container = engine.up("sh", "-c", script)
    policy = {"Name": "on-failure", "MaximumRetryCount": 2}
    _update(engine, container, RestartPolicy=policy)
    assert engine.inspect(container)["HostConfig"]["RestartPolicy"] == policy
    engine.exec(container, "touch", "/end")

    def restarted() -> bool:
        found = engine.inspect(container)
        return (found["RestartCount"], found["State"]["Status"]) == (1, "running")

    eventually(restarted, "it was restarted")
    _update(engine, container, RestartPolicy={"Name": "no"})
    engine.exec(container, "touch", "/end")
    assert engine.await_status(container, "exited")["ExitCode"] == 3


@pytest.mark.parametrize(
    ("host", "body", "status", "words"),
    [
        (
            {"Memory": 32 * _M},
            {"Memory": 96 * _M},
            409,
            (
                "Memory limit should be smaller than already set memoryswap limit, "
                "update the memoryswap at the same time"
            ),
        ),
        (
            {"CpuPeriod": 50_000},
            {"NanoCpus": 10**9},
            409,
            "Conflicting options: Nano CPUs cannot be updated as CPU Period has already been set",
        ),
        (
            {"AutoRemove": True},
            {"RestartPolicy": {"Name": "always"}},
            409,
            "Restart policy cannot be updated because AutoRemove is enabled for the container",
        ),
        ({}, {"Memory": 1000}, 400, "Minimum memory limit allowed is 6MB"),
        (
            {},
            {"Memory": 32 * _M, "MemorySwap": 16 * _M},
            400,
            "Minimum memoryswap limit should be larger than memory limit, see usage",
        ),
        ({}, {"CpusetCpus": "900"}, 400, "Requested CPUs are not available - requested 900"),
    ],
)
def test_what_does_not_fit_is_refused(
    engine: Engine, host: dict[str, Any], body: dict[str, Any], status: int, words: str
) -> None:
    container = engine.up(host=host)
    answer = _refusal(engine, container, **body)
    assert answer[0] == status
    assert words in answer[1]
    if status == 409:
        assert answer[1].startswith(f"Cannot update container {container}: ")


def test_an_update_is_an_event_and_a_stranger_is_not_found(engine: Engine) -> None:
    since = time.time()
    container = engine.create("true")
    _update(engine, container, CpuShares=512)
    assert len(engine.events(since, container=[container], event=["update"])) == 1
    assert _refusal(engine, "nosuch") == (404, "No such container: nosuch")


@pytest.mark.naru_only
def test_what_cannot_change_is_refused_and_not_ignored(engine: Engine) -> None:
    container = engine.create("true")
    answer = _refusal(engine, container, Ulimits=[{"Name": "nofile", "Soft": 1, "Hard": 2}])
    assert answer == (400, "Ulimits cannot be updated")


def test_an_update_cut_short_leaves_record_and_kernel_in_agreement(
    own_engine: EngineUnderTest,
) -> None:
    engine = own_engine
    for number, point in enumerate(("after_intent", "after_kernel", "after_record")):
        container = engine.up(host={"PidsLimit": 30})
        engine.kill9()
        engine.start_engine(env={"NARU_FAULT": f"engine.update.{point}=kill"})
        with contextlib.suppress(OSError, http.client.HTTPException):
            _update(engine, container, PidsLimit=60, NanoCpus=500_000_000)
        engine.await_death()
        engine.start_engine()
        host, limits = engine.inspect(container)["HostConfig"], _limits(engine, container)
        assert str(host["PidsLimit"]) == limits["pids"]
        assert limits["quota"] in (("50000",) if host["NanoCpus"] else ("-1", "max"))
        # Only what was written down is in force.
        assert host["PidsLimit"] == (60 if number == 2 else 30)
