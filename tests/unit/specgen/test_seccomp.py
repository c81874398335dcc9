"""The built-in filter, and profiles in Docker's format."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from naru.errors import InvalidInputError
from naru.specgen import seccomp

_KERNEL = (6, 1)


def _default(capabilities: list[str], machine: str = "x86_64") -> dict[str, Any]:
    found = seccomp.default_filter(machine, _KERNEL, capabilities)
    assert found is not None
    return found


def _free(filter_: dict[str, Any]) -> set[str]:
    """Return the calls that are allowed whatever their arguments are."""
    rules = [r for r in filter_["syscalls"] if r["action"] == "SCMP_ACT_ALLOW" and "args" not in r]
    return {name for rule in rules for name in rule["names"]}


@pytest.mark.parametrize(
    "name",
    "mount umount2 unshare setns clone clone3 bpf perf_event_open kexec_load init_module"
    " finit_module delete_module reboot swapon swapoff pivot_root keyctl add_key request_key"
    " open_by_handle_at settimeofday clock_settime io_uring_setup userfaultfd quotactl acct"
    " iopl ioperm mbind move_pages nfsservctl personality socket syslog vhangup ustat uselib"
    " kcmp lookup_dcookie fsopen fsmount move_mount open_tree".split(),
)
def test_what_reaches_beyond_a_container_is_not_free(name: str) -> None:
    assert name not in _free(_default(["CAP_CHOWN"]))


@pytest.mark.parametrize("name", "read write execve futex openat2 clone3 ptrace arch_prctl".split())
def test_what_programs_need_is_allowed(name: str) -> None:
    filter_ = _default(["CAP_SYS_ADMIN"])
    assert name in _free(filter_)


def test_capabilities_open_their_calls() -> None:
    assert "chroot" in _free(_default(["CAP_SYS_CHROOT"]))
    assert "mount" in _free(_default(["CAP_SYS_ADMIN"]))
    assert "settimeofday" in _free(_default(["CAP_SYS_TIME"]))
    assert "mount" not in _free(_default(["CAP_SYS_TIME"]))


def test_new_namespaces_need_admin_and_clone3_falls_back() -> None:
    rules = {tuple(r["names"]): r for r in _default([])["syscalls"]}
    assert rules["clone",]["args"] == [
        {"index": 0, "value": 0x7E020000, "op": "SCMP_CMP_MASKED_EQ", "valueTwo": 0}
    ]
    assert rules["clone3",] == {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}
    s390 = {tuple(r["names"]): r for r in _default([], "s390x")["syscalls"]}
    assert s390["clone",]["args"][0]["index"] == 1


def test_tracing_needs_a_kernel_that_filters_it() -> None:
    old = seccomp.default_filter("x86_64", (4, 7), [])
    assert old
    assert "ptrace" not in _free(old)


def test_each_machine_has_its_architectures() -> None:
    assert _default([])["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
    assert _default([], "aarch64")["architectures"] == ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]
    assert "arch_prctl" not in _free(_default([], "aarch64"))
    assert seccomp.default_filter("vax", _KERNEL, []) is None


_PROFILE = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "defaultErrnoRet": 1,
    "archMap": [
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
        {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": None},
    ],
    "syscalls": [
        {"names": ["read"], "action": "SCMP_ACT_ALLOW", "comment": "c"},
        {"name": "old", "action": "SCMP_ACT_ALLOW"},
        {"names": ["admin"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["common"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["arm"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["arm64"]}},
        {"names": ["new"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "5.0"}},
        {"names": ["newer"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "7.0"}},
    ],
}


def _names(text: str, machine: str, capabilities: list[str]) -> list[str]:
    filter_ = seccomp.from_profile(text, machine, _KERNEL, capabilities)
    return [name for rule in filter_["syscalls"] for name in rule["names"]]


def test_conditions_of_a_profile_are_decided_here() -> None:
    text = msgspec.json.encode(_PROFILE).decode()
    assert _names(text, "x86_64", []) == ["read", "old", "common", "new"]
    assert _names(text, "aarch64", ["CAP_SYS_ADMIN"]) == ["read", "old", "admin", "arm", "new"]
    filter_ = seccomp.from_profile(text, "x86_64", _KERNEL, [])
    assert filter_["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]
    assert filter_["defaultErrnoRet"] == 1
    assert filter_["syscalls"][0] == {"names": ["read"], "action": "SCMP_ACT_ALLOW"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"defaultAction": 5}',
        '{"defaultAction": "X", "syscalls": {}}',
        '{"defaultAction": "X", "syscalls": [5]}',
        '{"defaultAction": "X", "syscalls": [{"names": ["a"]}]}',
        '{"defaultAction": "X", "syscalls": [{"name": "a", "names": ["a"], "action": "X"}]}',
        '{"defaultAction": "X", "architectures": ["A"], "archMap": [{}]}',
        '{"defaultAction": "X", "syscalls": [{"names": ["a"], "action": "X", "includes": {"minKernel": "x"}}]}',
    ],
)
def test_what_is_no_profile_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        seccomp.from_profile(text, "x86_64", _KERNEL, [])
