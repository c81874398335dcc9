"""Limits in the spec."""

from __future__ import annotations

import pytest

from naru.api.host_config import Resources, ThrottleDevice, WeightDevice
from naru.errors import InvalidInputError
from naru.specgen.facts import DeviceNode, HostFacts
from naru.specgen.resources import resources

_FACTS = HostFacts(
    find_devices=lambda path: (DeviceNode("/dev/sda", "b", 8, 0),) if path == "/dev/sda" else ()
)


def test_nothing_asked_is_nothing_limited() -> None:
    assert resources(Resources(), _FACTS) == {}
    assert resources(Resources(pids_limit=-1, memory_swap=0), _FACTS) == {}


def test_everything_has_its_place() -> None:
    asked = Resources(
        memory=100, memory_swap=200, memory_reservation=50, memory_swappiness=0,
        oom_kill_disable=True, cpu_shares=512, nano_cpus=1_500_000_000, cpuset_cpus="0-1",
        cpuset_mems="0", pids_limit=7, blkio_weight=300,
        blkio_weight_device=[WeightDevice(path="/dev/sda", weight=5)],
        blkio_device_read_bps=[ThrottleDevice(path="/dev/sda", rate=6)],
    )  # fmt: skip
    assert resources(asked, _FACTS) == {
        "memory": {
            "limit": 100, "reservation": 50, "swap": 200, "swappiness": 0,
            "disableOOMKiller": True,
        },
        "cpu": {"shares": 512, "period": 100_000, "quota": 150_000, "cpus": "0-1", "mems": "0"},
        "blockIO": {
            "weight": 300,
            "weightDevice": [{"major": 8, "minor": 0, "weight": 5}],
            "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 6}],
        },
        "pids": {"limit": 7},
    }  # fmt: skip


def test_period_and_quota_pass_through() -> None:
    assert resources(Resources(cpu_period=50_000, cpu_quota=20_000), _FACTS) == {
        "cpu": {"period": 50_000, "quota": 20_000}
    }


def test_swap_is_left_out_where_the_kernel_cannot_count_it() -> None:
    found = resources(Resources(memory=100, memory_swap=200), HostFacts(swap_limit=False))
    assert found == {"memory": {"limit": 100}}


def test_a_missing_block_device_is_told() -> None:
    asked = Resources(blkio_device_read_bps=[ThrottleDevice(path="/dev/none", rate=1)])
    with pytest.raises(InvalidInputError, match="no such device: /dev/none"):
        resources(asked, _FACTS)
