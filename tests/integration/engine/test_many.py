"""Many at once, and many in a row."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from harness.engine import Engine
from harness.waiting import eventually


def test_twenty_start_at_once_through_twenty_connections(engine: Engine) -> None:
    barrier = threading.Barrier(20)

    def one(number: int) -> str:
        barrier.wait(30)
        return engine.up("sh", "-c", f"echo {number}; sleep 1000", name=f"naru-test-many-{number}")

    with ThreadPoolExecutor(20) as pool:
        containers = list(pool.map(one, range(20)))
    assert len(set(containers)) == 20
    addresses = set()
    for number, container in enumerate(containers):
        found = engine.inspect(container)
        assert found["State"]["Running"] is True
        addresses.add(found["NetworkSettings"]["IPAddress"])
        eventually(partial(_has_said, engine, container, number), "it has said its number")
    assert len(addresses) == 20


def _has_said(engine: Engine, container: str, number: int) -> bool:
    return engine.logs(container)["stdout"] == f"{number}\n".encode()


def test_only_one_of_many_gets_a_name(engine: Engine) -> None:
    barrier = threading.Barrier(8)

    def one(_: int) -> int:
        barrier.wait(30)
        return engine.ask_to_create("true", name="naru-test-only").status

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(one, range(8)))
    assert statuses == [201] + [409] * 7


def test_starting_stopping_and_removing_at_once_does_no_harm(engine: Engine) -> None:
    containers = [engine.create("sleep", "1000") for _ in range(6)]
    stop_at = time.monotonic() + 4
    problems = []

    def shake(container: str, verb: str) -> None:
        while time.monotonic() < stop_at:
            query = {"t": 0} if verb != "start" else None
            answer = engine.api("POST", f"/containers/{container}/{verb}", query=query)
            if answer.status not in (204, 304):
                problems.append((verb, answer.status, answer.body))

    with ThreadPoolExecutor(18) as pool:
        for container in containers:
            for verb in ("start", "stop", "restart"):
                pool.submit(shake, container, verb)
    assert problems == [] or not engine.is_naru
    for container in containers:
        engine.remove(container)


@pytest.mark.slow
def test_two_hundred_runs_leave_nothing_behind(engine: Engine) -> None:
    # What is left is told by the fixture, which compares the engine's footprint.
    count = 200 if engine.is_naru else 20
    for number in range(count):
        result = engine.docker("run", "--rm", "busybox", "echo", str(number))
        assert (result.code, result.out) == (0, f"{number}\n"), result
