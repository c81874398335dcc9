"""Docker's arithmetic, on answers of both versions of control groups."""

from __future__ import annotations

from typing import Any

import pytest

from naru.cli.usage_numbers import Usage, block_bytes, cpu_percent, memory_used


def _cpu(total: int, machine: int, **more: Any) -> dict[str, Any]:
    return {"cpu_usage": {"total_usage": total}, "system_cpu_usage": machine, **more}


def test_processor_time_is_a_share_of_all_processors_together() -> None:
    now, before = _cpu(300, 2000, online_cpus=4), _cpu(100, 1000)
    assert cpu_percent({"cpu_stats": now, "precpu_stats": before}) == pytest.approx(80.0)


def test_processors_are_counted_where_no_number_is_told() -> None:
    now = _cpu(300, 2000)
    now["cpu_usage"]["percpu_usage"] = [150, 150]
    assert cpu_percent({"cpu_stats": now, "precpu_stats": _cpu(100, 1000)}) == pytest.approx(40.0)


def test_a_counter_that_did_not_move_is_no_time() -> None:
    now = _cpu(300, 2000, online_cpus=4)
    assert cpu_percent({"cpu_stats": now, "precpu_stats": now}) == 0.0
    assert cpu_percent({}) == 0.0


@pytest.mark.parametrize(
    ("counters", "used"),
    [
        ({"total_inactive_file": 300, "inactive_file": 900}, 700),
        ({"inactive_file": 400}, 600),
        ({"inactive_file": 5000}, 1000),
        ({}, 1000),
    ],
)
def test_idle_file_cache_is_not_memory_used(counters: dict[str, int], used: int) -> None:
    assert memory_used({"usage": 1000, "stats": counters}) == used


def test_reads_and_writes_are_told_by_their_first_letter() -> None:
    entries = [
        {"op": "Read", "value": 1},
        {"op": "read", "value": 2},
        {"op": "Write", "value": 4},
        {"op": "Sync", "value": 8},
        {"op": "Total", "value": 16},
    ]
    assert block_bytes({"io_service_bytes_recursive": entries}) == (3, 4)
    assert block_bytes({"io_service_bytes_recursive": None}) == (0, 0)


def test_an_answer_about_nothing_is_all_zeros() -> None:
    usage = Usage({"memory_stats": {}, "blkio_stats": {}, "networks": None})
    assert usage.memory_percent == 0.0
    assert (usage.received, usage.sent, usage.processes) == (0, 0, 0)
