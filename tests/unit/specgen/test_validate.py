"""Refusals, warnings and adjustments of host configurations, in Docker's words."""

from __future__ import annotations

from typing import Any

import pytest

from naru.api.host_config import HostConfig, RestartPolicy
from naru.errors import InvalidInputError, NaruError, NotSupportedError
from naru.specgen.facts import HostFacts
from naru.specgen.validate import validate_host_config

_FACTS = HostFacts(cpus=2, cpuset_cpus=frozenset({0, 1}), cpuset_mems=frozenset({0}))
_M = 1 << 20


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"memory": _M}, "Minimum memory limit allowed is 6MB"),
        ({"memory": 100 * _M, "memory_swap": 50 * _M},
         "Minimum memoryswap limit should be larger than memory limit, see usage"),
        ({"memory_swap": 50 * _M},
         "You should always set the Memory limit when using Memoryswap limit, see usage"),
        ({"memory_reservation": _M}, "Minimum memory reservation allowed is 6MB"),
        ({"memory": 10 * _M, "memory_reservation": 20 * _M},
         "Minimum memory limit can not be less than memory reservation limit, see usage"),
        ({"memory_swappiness": 101}, "Invalid value: 101, valid memory swappiness range is 0-100"),
        ({"nano_cpus": 77 * 10**9},
         "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available"),
        ({"nano_cpus": -1},
         "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available"),
        ({"nano_cpus": 10**9, "cpu_quota": 2000},
         "Conflicting options: Nano CPUs and CPU Quota cannot both be set"),
        ({"nano_cpus": 10**9, "cpu_period": 2000},
         "Conflicting options: Nano CPUs and CPU Period cannot both be set"),
        ({"cpu_period": 5},
         "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"),
        ({"cpu_quota": 5}, "CPU cfs quota can not be less than 1ms (i.e. 1000)"),
        ({"cpuset_cpus": "99"},
         "Requested CPUs are not available - requested 99, available: 0-1"),
        ({"cpuset_cpus": "foo"}, "Invalid value foo for cpuset cpus: invalid format: foo"),
        ({"cpuset_mems": "9"},
         "Requested memory nodes are not available - requested 9, available: 0"),
        ({"blkio_weight": 5}, "Range of blkio weight is from 10 to 1000"),
        ({"restart_policy": RestartPolicy(name="foo")},
         ("invalid restart policy: unknown policy 'foo'; "
         "use one of 'no', 'always', 'on-failure', or 'unless-stopped'")),
        ({"restart_policy": RestartPolicy(name="always", maximum_retry_count=3)},
         "invalid restart policy: maximum retry count can only be used with 'on-failure'"),
        ({"restart_policy": RestartPolicy(name="on-failure", maximum_retry_count=-1)},
         "invalid restart policy: maximum retry count cannot be negative"),
        ({"restart_policy": RestartPolicy(name="always"), "auto_remove": True},
         "can't create 'AutoRemove' container with restart policy"),
        ({"isolation": "hyperv"}, "Invalid isolation: \"hyperv\" - linux only supports 'default'"),
        ({"oom_score_adj": 2000}, "Invalid value 2000, range for oom score adj is [-1000, 1000]"),
        ({"shm_size": -1}, "SHM size can not be less than 0"),
        ({"cap_add": ["FOO"]}, 'invalid CapAdd: unknown capability: "CAP_FOO"'),
        ({"security_opt": ["foo=bar"]}, 'invalid --security-opt 2: "foo=bar"'),
        ({"tmpfs": {"/x": "foo"}}, 'invalid tmpfs option ["foo"]'),
        ({"tmpfs": {"x": ""}}, "invalid mount path: 'x' mount path must be absolute"),
        ({"pid_mode": "foo"}, "invalid PID mode: foo"),
        ({"pid_mode": "container:"}, "invalid PID mode: container:"),
        ({"ipc_mode": "foo"}, "invalid IPC mode: foo"),
        ({"uts_mode": "foo"}, "invalid UTS mode: foo"),
        ({"userns_mode": "keep-id"}, "invalid USER mode: keep-id"),
        ({"cgroupns_mode": "foo"}, "invalid cgroup namespace mode: foo"),
        ({"device_cgroup_rules": ["x"]}, "invalid device cgroup rule format: 'x'"),
    ],
)  # fmt: skip
def test_refusals_are_dockers(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        validate_host_config(HostConfig(**fields), _FACTS)
    assert caught.value.message == words


@pytest.mark.parametrize(
    "fields",
    [
        {"cgroup": "container:x"},
    ],
)
def test_what_we_cannot_honour_is_refused_and_not_ignored(fields: dict[str, Any]) -> None:
    with pytest.raises(NaruError) as caught:
        validate_host_config(HostConfig(**fields), _FACTS)
    assert isinstance(caught.value, NotSupportedError)


def test_an_empty_configuration_is_fine() -> None:
    host = HostConfig()
    assert validate_host_config(host, _FACTS) == []
    assert host == HostConfig()


@pytest.mark.parametrize(
    ("asked", "stored"), [(0, 200 * _M), (-1, -1), (300 * _M, 300 * _M), (100 * _M, 100 * _M)]
)
def test_swap_is_twice_the_memory_where_it_is_left_open(asked: int, stored: int) -> None:
    host = HostConfig(memory=100 * _M, memory_swap=asked)
    validate_host_config(host, _FACTS)
    assert host.memory_swap == stored


def test_limits_that_the_kernel_lacks_are_taken_out_with_a_warning() -> None:
    bare = HostFacts(cpus=1, swap_limit=False, pids_limit=False, blkio_weight=False, cpuset=False)
    host = HostConfig(memory=10 * _M, pids_limit=5, blkio_weight=100, cpuset_cpus="0")
    warnings = validate_host_config(host, bare)
    assert (host.memory_swap, host.pids_limit, host.blkio_weight, host.cpuset_cpus) == (
        -1,
        None,
        0,
        "",
    )
    assert warnings[0] == (
        "Your kernel does not support swap limit capabilities or the cgroup is not mounted. "
        "Memory limited without swap."
    )
    assert len(warnings) == 4


def test_version_2_has_no_oom_switch_and_no_swappiness() -> None:
    host = HostConfig(oom_kill_disable=True, memory_swappiness=10, memory=10 * _M)
    warnings = validate_host_config(host, _FACTS)
    assert host.oom_kill_disable is None
    assert host.memory_swappiness is None
    assert len(warnings) == 2
    host = HostConfig(oom_kill_disable=True)
    warnings = validate_host_config(host, HostFacts(cgroup_version=1))
    assert warnings == [
        (
            "OOM killer is disabled for the container, but no memory limit is set, "
            "this can result in the system running out of resources."
        )
    ]
    assert host.oom_kill_disable is True
