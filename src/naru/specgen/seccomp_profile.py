"""Seccomp profiles of users: Docker's format, read, checked and cut down to one machine. Pure.

A profile comes from anybody who may create a container. What is wrong with it is said here, in
words, and not by the runtime.

Spec: moby, profiles/seccomp, `archMap`, `includes` and `excludes`; runtime-spec v1.0.2,
config-linux.md, Seccomp.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from naru import untrusted_json
from naru.errors import InvalidInputError
from naru.oci.runtime_spec import Json
from naru.specgen.seccomp import GO_NAMES, architectures_of

_WRONG: Final = "Decoding seccomp profile failed"
Action = Literal[
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_TRAP",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_LOG",
    "SCMP_ACT_NOTIFY",
]
Operator = Literal[
    "SCMP_CMP_NE",
    "SCMP_CMP_LT",
    "SCMP_CMP_LE",
    "SCMP_CMP_EQ",
    "SCMP_CMP_GE",
    "SCMP_CMP_GT",
    "SCMP_CMP_MASKED_EQ",
]
Architecture = Literal[
    "SCMP_ARCH_X86",
    "SCMP_ARCH_X86_64",
    "SCMP_ARCH_X32",
    "SCMP_ARCH_ARM",
    "SCMP_ARCH_AARCH64",
    "SCMP_ARCH_MIPS",
    "SCMP_ARCH_MIPS64",
    "SCMP_ARCH_MIPS64N32",
    "SCMP_ARCH_MIPSEL",
    "SCMP_ARCH_MIPSEL64",
    "SCMP_ARCH_MIPSEL64N32",
    "SCMP_ARCH_PPC",
    "SCMP_ARCH_PPC64",
    "SCMP_ARCH_PPC64LE",
    "SCMP_ARCH_S390",
    "SCMP_ARCH_S390X",
    "SCMP_ARCH_PARISC",
    "SCMP_ARCH_PARISC64",
    "SCMP_ARCH_RISCV64",
    "SCMP_ARCH_LOONGARCH64",
    "SCMP_ARCH_M68K",
    "SCMP_ARCH_SH",
    "SCMP_ARCH_SHEB",
]
_KNOWN_FLAGS: Final = frozenset(
    f"SECCOMP_FILTER_FLAG_{name}" for name in ("TSYNC", "LOG", "SPEC_ALLOW", "WAIT_KILLABLE_RECV")
)
_Number = Annotated[int, Meta(ge=0, lt=1 << 32)]
# At most 64 bits, which is more than the decoder's bounds can say.
_Word = Annotated[int, Meta(ge=0)]


class _Argument(msgspec.Struct, rename="camel"):
    index: Annotated[int, Meta(ge=0, le=5)]
    op: Operator
    value: _Word = 0
    value_two: _Word = 0


class _Condition(msgspec.Struct, rename="camel"):
    arches: list[str] | None = None
    caps: list[str] | None = None
    min_kernel: str | None = None


class _Rule(msgspec.Struct, rename="camel"):
    action: Action
    name: str = ""
    names: list[str] | None = None
    args: list[_Argument | None] | None = None
    errno_ret: _Number | None = None
    includes: _Condition | None = None
    excludes: _Condition | None = None


class _Architectures(msgspec.Struct, rename="camel"):
    architecture: Architecture
    sub_architectures: list[Architecture] | None = None


class _Profile(msgspec.Struct, rename="camel"):
    default_action: Action
    default_errno_ret: _Number | None = None
    architectures: list[Architecture] | None = None
    arch_map: list[_Architectures] | None = None
    flags: list[str] | None = None
    listener_path: str = ""
    listener_metadata: str = ""
    syscalls: list[_Rule] | None = None


def from_profile(
    text: str, machine: str, kernel: tuple[int, int], capabilities: Iterable[str]
) -> Json:
    """Return the filter that a user's profile means on this machine.

    Raises:
        InvalidInputError: it is no profile; the message names the place.
    """
    profile = _read(text)
    held = set(capabilities)
    result: Json = {"defaultAction": profile.default_action}
    for key, value in (
        ("defaultErrnoRet", profile.default_errno_ret),
        ("flags", profile.flags),
        ("listenerPath", profile.listener_path or None),
        ("listenerMetadata", profile.listener_metadata or None),
    ):
        if value is not None:
            result[key] = value
    result["architectures"] = profile.architectures or _mapped(profile, machine)
    result["syscalls"] = [
        _plain(rule)
        for rule in profile.syscalls or ()
        if _applies(rule, GO_NAMES.get(machine, machine), kernel, held)
    ]
    return result


def _read(text: str) -> _Profile:
    try:
        profile = untrusted_json.decode(text, type=_Profile)
    except msgspec.MsgspecError as error:
        raise InvalidInputError(f"{_WRONG}: {error}") from error
    if profile.architectures and profile.arch_map:
        raise InvalidInputError(
            "both 'architectures' and 'archMap' are specified in the seccomp profile, "
            "use either 'architectures' or 'archMap'"
        )
    unknown = sorted(set(profile.flags or ()) - _KNOWN_FLAGS)
    if unknown:
        raise InvalidInputError(f"{_WRONG}: unknown flag {unknown[0]}")
    for rule in profile.syscalls or ():
        if rule.name and rule.names:
            raise InvalidInputError(
                "both 'name' and 'names' are specified in the seccomp profile, "
                "use either 'name' or 'names'"
            )
        if any("\0" in name for name in (rule.name, *(rule.names or ()))):
            raise InvalidInputError(f"{_WRONG}: a system call's name holds a zero byte")
        if any(max(one.value, one.value_two) >> 64 for one in rule.args or () if one):
            raise InvalidInputError(f"{_WRONG}: a value has more than 64 bits")
    return profile


def _mapped(profile: _Profile, machine: str) -> list[str]:
    own = architectures_of(machine)
    for entry in profile.arch_map or ():
        if own and entry.architecture == own[0]:
            return [entry.architecture, *(entry.sub_architectures or ())]
    return []


def _applies(rule: _Rule, go_name: str, kernel: tuple[int, int], held: set[str]) -> bool:
    includes, excludes = rule.includes or _Condition(), rule.excludes or _Condition()
    if includes.arches and go_name not in includes.arches:
        return False
    if any(capability not in held for capability in includes.caps or ()):
        return False
    if includes.min_kernel and kernel < _version(includes.min_kernel):
        return False
    if go_name in (excludes.arches or ()):
        return False
    if any(capability in held for capability in excludes.caps or ()):
        return False
    return not (excludes.min_kernel and kernel >= _version(excludes.min_kernel))


def _version(text: str) -> tuple[int, int]:
    try:
        major, minor = text.split(".")[:2]
        return int(major), int(minor)
    except ValueError as error:
        raise InvalidInputError(f"invalid kernel version: {text}") from error


def _plain(rule: _Rule) -> Json:
    plain: Json = {"names": rule.names or [rule.name], "action": rule.action}
    if arguments := [argument for argument in rule.args or () if argument]:
        plain["args"] = msgspec.to_builtins(arguments)
    if rule.errno_ret is not None:
        plain["errnoRet"] = rule.errno_ret
    return plain
