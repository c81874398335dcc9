"""What an update makes of a host configuration, in Docker's words."""

from __future__ import annotations

from typing import Any

import pytest

from naru.api.host_config import HostConfig, Resources, RestartPolicy, Ulimit
from naru.errors import ConflictError, InvalidInputError
from naru.specgen.facts import HostFacts
from naru.specgen.resources import resources
from naru.specgen.update import lifted, updated

_M = 1 << 20
_NO_POLICY = RestartPolicy()


def test_zero_means_as_it_is() -> None:
    current = HostConfig(memory=50 * _M, memory_swap=100 * _M, cpuset_cpus="1", pids_limit=7)
    after = updated(current, Resources(cpu_shares=512), _NO_POLICY)
    assert after == HostConfig(
        memory=50 * _M, memory_swap=100 * _M, cpuset_cpus="1", pids_limit=7, cpu_shares=512
    )
    assert current.cpu_shares == 0


@pytest.mark.parametrize("no_limit", [0, -1])
def test_processes_can_be_let_go(no_limit: int) -> None:
    after = updated(HostConfig(pids_limit=7), Resources(pids_limit=no_limit), _NO_POLICY)
    assert after.pids_limit is None


@pytest.mark.parametrize(
    ("current", "asked", "words"),
    [
        (
            {"cpu_period": 5000},
            {"nano_cpus": 1},
            "Conflicting options: Nano CPUs cannot be updated as CPU Period has already been set",
        ),
        (
            {"cpu_quota": 5000},
            {"nano_cpus": 1},
            "Conflicting options: Nano CPUs cannot be updated as CPU Quota has already been set",
        ),
        (
            {"nano_cpus": 1},
            {"cpu_period": 5000},
            "Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set",
        ),
        (
            {"nano_cpus": 1},
            {"cpu_quota": 5000},
            "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set",
        ),
        (
            {"memory": 10 * _M, "memory_swap": 20 * _M},
            {"memory": 30 * _M},
            (
                "Memory limit should be smaller than already set memoryswap limit, "
                "update the memoryswap at the same time"
            ),
        ),
    ],
)
def test_conflicts_with_what_is_in_force(
    current: dict[str, Any], asked: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConflictError) as caught:
        updated(HostConfig(**current), Resources(**asked), _NO_POLICY)
    assert caught.value.message == words


def test_what_is_removed_at_its_end_is_not_restarted() -> None:
    current = HostConfig(auto_remove=True)
    with pytest.raises(ConflictError, match="because AutoRemove is enabled for the container"):
        updated(current, Resources(), RestartPolicy(name="always"))
    assert updated(current, Resources(), RestartPolicy(name="no")).restart_policy.name == "no"


def test_unlimited_swap_stands_in_no_other_updates_way() -> None:
    current = HostConfig(memory=10 * _M, memory_swap=-1)
    assert updated(current, Resources(pids_limit=5), _NO_POLICY).pids_limit == 5


def test_what_is_fixed_at_creation_is_refused_unless_it_stays() -> None:
    limits = [Ulimit(name="nofile", soft=1, hard=2)]
    current = HostConfig(ulimits=limits, memory_swappiness=10)
    assert updated(current, Resources(ulimits=limits, memory_swappiness=10), _NO_POLICY) == current
    with pytest.raises(InvalidInputError) as caught:
        updated(current, Resources(memory_swappiness=20), _NO_POLICY)
    assert caught.value.message == "MemorySwappiness cannot be updated"
    with pytest.raises(InvalidInputError, match="Ulimits cannot be updated"):
        updated(HostConfig(), Resources(ulimits=limits), _NO_POLICY)


def test_limits_that_are_gone_are_named() -> None:
    facts = HostFacts()
    before = resources(Resources(memory=_M, memory_swap=_M, pids_limit=3), facts)
    after = resources(Resources(memory=_M, cpu_shares=5), facts)
    assert lifted(before, after) == {"memory.swap", "pids.limit"}
    assert "memory.limit" not in lifted(None, after)
    assert {"cpu.quota", "pids.limit", "cpu.cpus"} <= lifted(None, after)
