"""Profiles in Docker's format."""

from __future__ import annotations

import json

import msgspec
import pytest

from naru.errors import InvalidInputError
from naru.specgen.seccomp_profile import from_profile

_KERNEL = (6, 1)

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
    filter_ = from_profile(text, machine, _KERNEL, capabilities)
    return [name for rule in filter_["syscalls"] for name in rule["names"]]


def test_conditions_of_a_profile_are_decided_here() -> None:
    text = msgspec.json.encode(_PROFILE).decode()
    assert _names(text, "x86_64", []) == ["read", "old", "common", "new"]
    assert _names(text, "aarch64", ["CAP_SYS_ADMIN"]) == ["read", "old", "admin", "arm", "new"]
    filter_ = from_profile(text, "x86_64", _KERNEL, [])
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
        '{"defaultAction": "SCMP_ACT_NONE"}',
        '{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_NONE"]}',
        '{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_VAX"]}',
        '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": {}}',
        '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [5]}',
        "[" * 100_000,
        '{"defaultAction": "SCMP_ACT_LOG", "syscalls": [{"names": ["a"]}]}',
    ],
)
def test_what_is_no_profile_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        from_profile(text, "x86_64", _KERNEL, [])


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"names": ["a"], "action": "X"}, "Invalid enum value 'X'"),
        ({"name": "a", "names": ["a"]}, "both 'name' and 'names'"),
        ({"names": 5}, "Expected `array | null`, got `int` - at `$.syscalls[0].names`"),
        ({"names": ["a\0"]}, "a system call's name holds a zero byte"),
        ({"names": ["a"], "includes": [1]}, "at `$.syscalls[0].includes`"),
        ({"names": ["a"], "includes": {"caps": 5}}, "at `$.syscalls[0].includes.caps`"),
        ({"names": ["a"], "includes": {"minKernel": "x"}}, "invalid kernel version: x"),
        ({"names": ["a"], "errnoRet": -1}, "at `$.syscalls[0].errnoRet`"),
        ({"names": ["a"], "args": [{"index": 99, "op": "SCMP_CMP_EQ"}]}, "args[0].index`"),
        ({"names": ["a"], "args": [{"index": 0, "op": "<"}]}, "args[0].op`"),
        (
            {"names": ["a"], "args": [{"index": 0, "op": "SCMP_CMP_EQ", "value": 1 << 64}]},
            "seccomp profile failed",
        ),
    ],
)
def test_a_rule_that_makes_no_sense_is_named(rule: dict[str, object], words: str) -> None:
    rules = [{"action": "SCMP_ACT_LOG"} | rule]
    text = json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules})
    with pytest.raises(InvalidInputError) as caught:
        from_profile(text, "x86_64", _KERNEL, [])
    assert words in caught.value.message


def test_arguments_reach_the_filter() -> None:
    arguments = [
        {"index": 0, "op": "SCMP_CMP_MASKED_EQ", "value": 2**63, "valueTwo": 1},
        {"index": 1, "op": "SCMP_CMP_EQ", "value": 0},
    ]
    rules = [{"names": ["a"], "action": "SCMP_ACT_ERRNO", "args": arguments, "errnoRet": 38}]
    text = json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules})
    [rule] = from_profile(text, "x86_64", _KERNEL, [])["syscalls"]
    assert rule["args"][0] == arguments[0]
    assert rule["errnoRet"] == 38


def test_two_ways_of_naming_machines_are_one_too_many() -> None:
    arm = {"architecture": "SCMP_ARCH_ARM"}
    profile = {"archMap": [arm], "architectures": ["SCMP_ARCH_ARM"]}
    text = json.dumps({"defaultAction": "SCMP_ACT_ALLOW"} | profile)
    with pytest.raises(InvalidInputError, match="use either 'architectures' or 'archMap'"):
        from_profile(text, "x86_64", _KERNEL, [])
