"""Limits that are refused, and those that are taken out with a warning."""

from __future__ import annotations

from typing import Any

import pytest

from naru.api.host_config import HostConfig, Resources, ThrottleDevice
from naru.errors import InvalidInputError
from naru.specgen.facts import HostFacts
from naru.specgen.resource_checks import (
    check_cgroup_parent,
    parse_ranges,
    print_ranges,
    validate_resources,
)

_FACTS = HostFacts(cpus=2, cgroup_version=1, cpu_realtime=True)
_M = 1 << 20


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"cpu_shares": 1}, "the minimum allowed cpu-shares is 2"),
        ({"cpu_shares": -3}, "the minimum allowed cpu-shares is 2"),
        ({"cpu_shares": 300_000}, "the maximum allowed cpu-shares is 262144"),
        (
            {"cpu_realtime_period": 1000, "cpu_realtime_runtime": 2000},
            "cpu real-time runtime cannot be higher than cpu real-time period",
        ),
        (
            {"cpu_realtime_runtime": -1},
            "cpu real-time period and runtime cannot be negative",
        ),
    ],
)
@pytest.mark.parametrize("is_update", [False, True])
def test_what_makes_no_sense_is_refused(
    fields: dict[str, Any], words: str, is_update: bool
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        validate_resources(Resources(**fields), _FACTS, is_update=is_update)
    assert caught.value.message == words


def test_real_time_needs_a_kernel_that_shares_it_out() -> None:
    with pytest.raises(InvalidInputError) as caught:
        validate_resources(Resources(cpu_realtime_runtime=5), HostFacts())
    assert caught.value.message == "Your kernel does not support CPU real-time scheduler"


def test_kernel_memory_is_taken_out_with_a_warning() -> None:
    asked = HostConfig(kernel_memory=10 * _M, kernel_memory_tcp=10 * _M)
    warnings = validate_resources(asked, _FACTS)
    assert [text.partition(" capabilities")[0] for text in warnings] == [
        "Your kernel does not support kernel memory limit",
        "Your kernel does not support kernel memory TCP limit",
    ]
    assert (asked.kernel_memory, asked.kernel_memory_tcp) == (0, 0)


def test_rates_are_taken_out_where_nothing_enforces_them() -> None:
    asked = Resources(blkio_device_read_bps=[ThrottleDevice(path="/dev/vda", rate=1)])
    assert validate_resources(asked, HostFacts(blkio_throttle=False)) == [
        (
            "Your kernel does not support BPS Block I/O read limit or the cgroup is not mounted. "
            "Block I/O BPS read limit discarded."
        )
    ]
    assert asked.blkio_device_read_bps is None


def test_an_update_leaves_open_what_it_does_not_speak_of() -> None:
    asked = Resources(memory=10 * _M)
    assert validate_resources(asked, _FACTS, is_update=True) == []
    assert (asked.memory_swap, asked.oom_kill_disable) == (0, None)
    assert validate_resources(Resources(memory_swap=50 * _M), _FACTS, is_update=True) == []
    asked = Resources(memory=10 * _M)
    validate_resources(asked, _FACTS)
    assert (asked.memory_swap, asked.oom_kill_disable) == (20 * _M, False)


@pytest.mark.parametrize("parent", ["../up", "/a/../..", "a/./b", "x" * 256, "nul\0"])
def test_a_parent_cannot_leave_the_tree_of_groups(parent: str) -> None:
    with pytest.raises(InvalidInputError, match="invalid cgroup-parent"):
        check_cgroup_parent(parent)


def test_a_slice_is_systemds_and_a_path_is_a_path() -> None:
    with pytest.raises(InvalidInputError, match="is a slice of systemd"):
        check_cgroup_parent("machine.slice")
    for parent in ("", "/", "a", "/a/b/", "/machine.slice", "a/machine.slice"):
        check_cgroup_parent(parent)


def test_ranges_come_back_as_they_went() -> None:
    for text in ("", "0", "0-3", "0,2-4,7"):
        assert print_ranges(parse_ranges(text)) == text
    for text in ("a", "3-1", "1-", "-1", "1,,2", "1-99999999"):
        with pytest.raises(ValueError, match="invalid format"):
            parse_ranges(text)
