"""Filters compiled through libseccomp, or left to the runtime."""

from __future__ import annotations

from typing import Any

import pytest

from naru.linux import seccomp
from naru.specgen.seccomp import default_filter

# One instruction of BPF is eight bytes.
_INSTRUCTION = 8


def _filter(**changes: Any) -> dict[str, Any]:
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [{"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"}],
        **changes,
    }


def test_a_filter_becomes_a_program_and_is_kept() -> None:
    program = seccomp.compiled(_filter())
    assert program
    assert len(program) % _INSTRUCTION == 0
    assert seccomp.compiled(_filter()) is program


def test_the_built_in_filter_compiles_for_every_set_of_capabilities() -> None:
    small = seccomp.compiled(default_filter("x86_64", (6, 1), []) or {})
    large = seccomp.compiled(default_filter("x86_64", (6, 1), ["CAP_SYS_ADMIN"]) or {})
    assert small
    assert large
    assert small != large


def test_what_is_allowed_changes_the_program() -> None:
    rule = {"names": ["read"], "action": "SCMP_ACT_ALLOW"}
    assert seccomp.compiled(_filter(syscalls=[rule])) != seccomp.compiled(_filter())
    assert seccomp.compiled(_filter(defaultErrnoRet=13)) != seccomp.compiled(_filter())


def test_unknown_calls_stay_forbidden() -> None:
    rules = [*_filter()["syscalls"], {"names": ["no_such_call"], "action": "SCMP_ACT_ALLOW"}]
    assert seccomp.compiled(_filter(syscalls=rules)) == seccomp.compiled(_filter())


@pytest.mark.parametrize(
    "changes",
    [
        {"listenerPath": "/run/listener"},
        {"defaultAction": "SCMP_ACT_NOTIFY"},
        {"architectures": ["SCMP_ARCH_VAX"]},
        {"syscalls": [{"names": ["read"], "action": "odd"}]},
        {"syscalls": [{"names": 5, "action": "SCMP_ACT_ALLOW"}]},
        {"syscalls": [{"action": "SCMP_ACT_ALLOW"}]},
        {"syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 9}]}]},
        {"syscalls": 5},
    ],
)
def test_what_we_cannot_compile_is_left_to_the_runtime(changes: dict[str, Any]) -> None:
    assert seccomp.compiled(_filter(**changes)) is None
