"""Statistics: what the API tells is what the kernel counts."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from harness.engine import Engine
from harness.waiting import eventually

_ZERO_TIME = "0001-01-01T00:00:00Z"
_BUSY = "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done; exec sleep 1000"


def _once(engine: Engine, container: str, **query: Any) -> dict[str, Any]:
    words = {"stream": False, **query}
    answer = engine.api("GET", f"/containers/{container}/stats", query=words).ok(200).json()
    assert isinstance(answer, dict)
    return answer


def _group(engine: Engine, container: str, controller: str) -> Path:
    """Return where the kernel keeps the container's group, in either version."""
    for line in Path(f"/proc/{engine.state(container)['Pid']}/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(","):
            return Path(f"/sys/fs/cgroup/{controller}{path}")
        if not names and Path("/sys/fs/cgroup/cgroup.controllers").exists():
            return Path(f"/sys/fs/cgroup{path}")
    raise AssertionError(f"{container} is in no group of {controller}")


def test_numbers_are_the_kernels(engine: Engine) -> None:
    container = engine.up("sh", "-c", _BUSY, host={"Memory": 64 << 20, "PidsLimit": 50})
    engine.exec(container, "true")
    answer = _once(engine, container)
    assert (answer["id"], answer["name"]) == (container, engine.inspect(container)["Name"])
    assert answer["preread"] < answer["read"]
    memory = _group(engine, container, "memory")
    limits = [memory / "memory.limit_in_bytes", memory / "memory.max"]
    assert answer["memory_stats"]["limit"] == next(
        int(path.read_text()) for path in limits if path.exists()
    )
    assert 0 < answer["memory_stats"]["usage"] < 64 << 20
    assert "inactive_file" in answer["memory_stats"]["stats"]
    assert answer["pids_stats"] == {"current": 1, "limit": 50}
    usage = answer["cpu_stats"]["cpu_usage"]
    counter = _group(engine, container, "cpuacct") / "cpuacct.usage"
    if counter.exists():
        # It sleeps by now, so that the counter hardly moves.
        assert usage["total_usage"] <= int(counter.read_text()) < usage["total_usage"] + 10**9
        assert sum(usage["percpu_usage"]) == pytest.approx(usage["total_usage"], rel=0.01)
    assert usage["total_usage"] > 0
    assert answer["cpu_stats"]["online_cpus"] >= 1
    before = answer["precpu_stats"]
    assert before["system_cpu_usage"] < answer["cpu_stats"]["system_cpu_usage"]
    assert set(answer["networks"]) == {"eth0"}
    sent = int(
        engine.exec(container, "cat", "/sys/class/net/eth0/statistics/rx_bytes").out.strip() or 0
    )
    assert 0 <= answer["networks"]["eth0"]["rx_bytes"] <= sent


def _disk_below(path: str) -> tuple[str, int, int] | None:
    """Return the disk that a path is on, with its numbers; None if it is on none."""
    number = os.stat(path).st_dev
    entry = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve()
    if (entry / "partition").exists():
        # Block devices are counted as wholes.
        entry = entry.parent
    if not (entry / "dev").exists() or not Path("/dev", entry.name).is_block_device():
        return None
    major, _, minor = (entry / "dev").read_text().strip().partition(":")
    return f"/dev/{entry.name}", int(major), int(minor)


def test_what_goes_to_the_disk_is_counted(engine: Engine) -> None:
    disk = _disk_below(tempfile.gettempdir())
    script = "dd if=/dev/zero of=/file bs=1M count=4 oflag=direct; exec sleep 1000"
    # Version 1 counts where there is a limit; this one is never reached.
    rates = [{"Path": disk[0], "Rate": 1 << 40}] if disk else []
    container = engine.up("sh", "-c", script, host={"BlkioDeviceWriteBps": rates})
    eventually(lambda: engine.logs(container)["stderr"], "it has written")
    io = _once(engine, container, **{"one-shot": True})["blkio_stats"]
    written = {
        (entry["major"], entry["minor"]): entry["value"]
        for entry in io["io_service_bytes_recursive"]
        if entry["op"].lower() == "write"
    }
    assert disk is None or written[disk[1:]] >= 4 << 20


def test_one_shot_needs_no_second_reading(engine: Engine) -> None:
    container = engine.up()
    answer = _once(engine, container, **{"one-shot": True})
    assert answer["preread"] == _ZERO_TIME
    assert "system_cpu_usage" not in answer["precpu_stats"]
    assert answer["cpu_stats"]["system_cpu_usage"] > 0
    refused = engine.api("GET", f"/containers/{container}/stats", query={"one-shot": True})
    assert (refused.status, refused.message) == (400, "cannot have stream=true and one-shot=true")


def test_a_stream_goes_on_from_reading_to_reading(engine: Engine) -> None:
    container = engine.up()
    with engine.stream(f"/containers/{container}/stats") as stream:
        lines = stream.lines()
        first, second = (json.loads(next(lines)) for _ in range(2))
        assert first["preread"] == _ZERO_TIME
        assert second["preread"] == first["read"]
        assert second["precpu_stats"] == first["cpu_stats"]


def test_a_stream_outlives_the_process_and_ends_with_the_container(engine: Engine) -> None:
    container = engine.up()
    with engine.stream(f"/containers/{container}/stats") as stream:
        lines = stream.lines()
        next(lines)
        engine.api("POST", f"/containers/{container}/kill").ok(204)
        while (answer := json.loads(next(lines)))["read"] != _ZERO_TIME:
            pass
        assert answer["memory_stats"] == {}
        assert answer["id"] == container
        engine.remove(container)
        for _ in lines:
            pass


def test_a_container_that_does_not_run_uses_nothing(engine: Engine) -> None:
    container = engine.create("true")
    answer = _once(engine, container)
    assert answer["read"] == _ZERO_TIME
    assert answer["memory_stats"] == answer["pids_stats"] == {}
    assert answer["cpu_stats"]["cpu_usage"]["total_usage"] == 0
    assert answer["name"] == engine.inspect(container)["Name"]


def test_the_hosts_network_is_not_the_containers(engine: Engine) -> None:
    container = engine.up(host={"NetworkMode": "host"})
    assert "networks" not in _once(engine, container, **{"one-shot": True})
    container = engine.up(host={"NetworkMode": "none"})
    assert "networks" not in _once(engine, container, **{"one-shot": True})


def test_only_the_interfaces_of_its_networks_are_counted(engine: Engine) -> None:
    script = "ip link add mine type bridge && ip link set mine up; exec sleep 1000"
    owner = engine.up("sh", "-c", script, host={"CapAdd": ["NET_ADMIN"]})
    joined = engine.up(host={"NetworkMode": f"container:{owner}"})
    eventually(
        lambda: "mine" in engine.exec(joined, "cat", "/proc/net/dev").out, "there is another one"
    )
    for container in (owner, joined):
        assert set(_once(engine, container, **{"one-shot": True})["networks"]) == {"eth0"}


def test_nobody_is_not_found(engine: Engine) -> None:
    answer = engine.api("GET", "/containers/nosuch/stats")
    assert (answer.status, answer.message) == (404, "No such container: nosuch")


@pytest.mark.naru_only
def test_watchers_leave_nothing_running(engine: Engine) -> None:
    container = engine.up()
    streams = [engine.stream(f"/containers/{container}/stats") for _ in range(5)]
    for stream in streams:
        next(stream.lines())
        stream.close()
    # The fixture compares what is open and mounted with what was before.
    assert _once(engine, container)["pids_stats"]["current"] == 1
