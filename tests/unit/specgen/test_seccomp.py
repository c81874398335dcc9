"""The built-in filter."""

from __future__ import annotations

from typing import Any

import pytest

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
