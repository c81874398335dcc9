"""Readings as the API tells them, on both versions of control groups."""

from __future__ import annotations

import msgspec

from naru.api.container_config import ContainerConfig
from naru.api.host_config import HostConfig
from naru.engine.live.samplers import Reading
from naru.engine.model import Container, ContainerRecord, ContainerState
from naru.engine.views.stats import stats_view
from naru.runtime.stats import (
    BlockCount,
    CpuUsage,
    GroupUsage,
    InterfaceCounters,
    MemoryUsage,
    Sample,
)

_RECORD = ContainerRecord(
    created_ns=0,
    image_id="",
    image_name="",
    config=ContainerConfig(),
    host_config=HostConfig(),
    endpoints={},
    mounts=[],
)
_CONTAINER = Container("ab" * 32, "web", _RECORD, ContainerState())
_MACHINE_MEMORY = 1 << 34


def _sample(*, version: int, limit: int = 1 << 26) -> Sample:
    group = GroupUsage(
        cpu=CpuUsage(total_ns=30, kernel_ns=10, user_ns=20, per_cpu_ns=(12, 18)),
        memory=MemoryUsage(usage=500, max_usage=900, limit=limit, counters={"cache": 1}),
        processes=3,
        max_processes=0,
        transferred=(BlockCount(254, 0, "read", 4096),),
        operations=() if version == 1 else None,
    )
    interfaces = {"eth0": InterfaceCounters(1, 2, 3, 4, 5, 6, 7, 8)}
    return Sample(group, machine_cpu_ns=10**12, online_cpus=2, interfaces=interfaces)


def test_a_reading_carries_the_one_before_it() -> None:
    before, now = Reading(_sample(version=1), 10**9), Reading(_sample(version=1), 2 * 10**9)
    view = stats_view(_CONTAINER, now, before, _MACHINE_MEMORY)
    assert (view["name"], view["id"]) == ("/web", "ab" * 32)
    assert (view["preread"], view["read"]) == ("1970-01-01T00:00:01Z", "1970-01-01T00:00:02Z")
    assert view["cpu_stats"] == view["precpu_stats"]
    assert view["cpu_stats"]["cpu_usage"] == {
        "total_usage": 30,
        "percpu_usage": [12, 18],
        "usage_in_kernelmode": 10,
        "usage_in_usermode": 20,
    }
    assert view["networks"]["eth0"]["tx_bytes"] == 5
    assert view["pids_stats"] == {"current": 3}


def test_what_does_not_run_uses_nothing() -> None:
    view = stats_view(_CONTAINER, Reading(None, 0), None, _MACHINE_MEMORY)
    assert view["read"] == view["preread"] == "0001-01-01T00:00:00Z"
    assert view["memory_stats"] == view["pids_stats"] == {}
    assert set(view["blkio_stats"].values()) == {None}
    assert "system_cpu_usage" not in view["cpu_stats"]
    assert "networks" not in view


def test_version_2_counts_bytes_only() -> None:
    counts = {}
    for version in (1, 2):
        reading = Reading(_sample(version=version), 1)
        counts[version] = stats_view(_CONTAINER, reading, None, _MACHINE_MEMORY)["blkio_stats"]
    bytes_read = [{"major": 254, "minor": 0, "op": "read", "value": 4096}]
    assert counts[1].pop("io_service_bytes_recursive") == bytes_read
    assert counts[2].pop("io_service_bytes_recursive") == bytes_read
    assert list(counts[1].values()) == [[]] * 7
    assert list(counts[2].values()) == [None] * 7
    assert msgspec.json.encode(counts)


def test_no_limit_is_shown_as_the_machines_memory() -> None:
    for limit in (0, 0x7FFFFFFFFFFFF000):
        reading = Reading(_sample(version=1, limit=limit), 1)
        view = stats_view(_CONTAINER, reading, None, _MACHINE_MEMORY)
        assert view["memory_stats"]["limit"] == _MACHINE_MEMORY
