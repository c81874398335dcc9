"""System call filters, compiled once for all containers that share one.

crun compiles a container's filter at each start, which takes longer than all else that it does
together. It also takes a compiled one. What is here does what crun would do, through the same
library, and the bytes are the same. Blocking: twenty milliseconds for a new filter.

Spec: runtime-spec v1.0.2, config-linux.md, Seccomp; libseccomp, seccomp_rule_add(3) and
seccomp_export_bpf(3).
"""

from __future__ import annotations

import ctypes
import functools
import logging
import os
from typing import Any, Final

import msgspec

from naru.oci.runtime_spec import Json

_log = logging.getLogger(__name__)

_LIBRARY: Final = "libseccomp.so.2"
_EPERM: Final = 1
_ERRNO_MASK: Final = 0xFFFF
_UNKNOWN_SYSCALL: Final = -1
_EEXIST: Final = 17
_KEPT: Final = 16
_ACTIONS: Final = {
    "SCMP_ACT_KILL": 0x00000000,
    "SCMP_ACT_KILL_THREAD": 0x00000000,
    "SCMP_ACT_KILL_PROCESS": 0x80000000,
    "SCMP_ACT_TRAP": 0x00030000,
    "SCMP_ACT_ERRNO": 0x00050000,
    "SCMP_ACT_TRACE": 0x7FF00000,
    "SCMP_ACT_LOG": 0x7FFC0000,
    "SCMP_ACT_ALLOW": 0x7FFF0000,
}
_WITH_NUMBER: Final = ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE")
_OPERATORS: Final = {
    f"SCMP_CMP_{name}": number
    for number, name in enumerate(("NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"), start=1)
}


class _Comparison(ctypes.Structure):
    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    )


class _NotCompilableError(Exception):
    """The filter holds what only the runtime itself can handle, or nobody."""


def compiled(seccomp: Json) -> bytes | None:
    """Return the program of a spec's filter, or None if the runtime must compile it itself.

    Programs of the filters used last are kept.
    """
    return _compiled(msgspec.json.encode(seccomp, order="sorted"))


@functools.lru_cache(maxsize=_KEPT)
def _compiled(encoded: bytes) -> bytes | None:
    library = _library()
    if library is None:
        return None
    try:
        return _compile(library, msgspec.json.decode(encoded, type=dict[str, Any]))
    except (_NotCompilableError, KeyError, TypeError, ValueError, ctypes.ArgumentError) as error:
        _log.info("the runtime compiles a seccomp filter: %s", error)
        return None


@functools.cache
def _library() -> Any | None:
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError:
        return None
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = (ctypes.c_uint32,)
    library.seccomp_release.argtypes = (ctypes.c_void_p,)
    library.seccomp_arch_resolve_name.restype = ctypes.c_uint32
    library.seccomp_arch_resolve_name.argtypes = (ctypes.c_char_p,)
    library.seccomp_arch_add.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
    library.seccomp_syscall_resolve_name.argtypes = (ctypes.c_char_p,)
    library.seccomp_rule_add_array.argtypes = (
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.POINTER(_Comparison),
    )
    library.seccomp_export_bpf.argtypes = (ctypes.c_void_p, ctypes.c_int)
    return library


def _compile(library: Any, seccomp: Json) -> bytes:
    if seccomp.get("listenerPath"):
        raise _NotCompilableError("it has a listener")
    default = _action(seccomp["defaultAction"], seccomp.get("defaultErrnoRet"))
    context = library.seccomp_init(default)
    if not context:
        raise _NotCompilableError("seccomp_init failed")
    try:
        for architecture in seccomp.get("architectures") or ():
            _add_architecture(library, context, architecture)
        for rule in seccomp.get("syscalls") or ():
            _add_rule(library, context, rule, default)
        return _exported(library, context)
    finally:
        library.seccomp_release(context)


def _action(name: str, number: int | None) -> int:
    if name not in _ACTIONS:
        raise _NotCompilableError(f"action {name}")
    if name not in _WITH_NUMBER:
        return _ACTIONS[name]
    return _ACTIONS[name] | ((_EPERM if number is None else number) & _ERRNO_MASK)


def _add_architecture(library: Any, context: int, name: str) -> None:
    token = library.seccomp_arch_resolve_name(name.removeprefix("SCMP_ARCH_").lower().encode())
    if token == 0:
        raise _NotCompilableError(f"architecture {name}")
    status = library.seccomp_arch_add(context, token)
    if status not in (0, -_EEXIST):
        raise _NotCompilableError(f"architecture {name}: {os.strerror(-status)}")


def _add_rule(library: Any, context: int, rule: Json, default: int) -> None:
    action = _action(rule["action"], rule.get("errnoRet"))
    if action == default:
        return
    comparisons = [_comparison(argument) for argument in rule.get("args") or ()]
    # The library takes one condition per argument; more of them mean one rule each.
    is_plain = len({comparison.arg for comparison in comparisons}) == len(comparisons)
    groups = [comparisons] if is_plain else [[comparison] for comparison in comparisons]
    for name in rule["names"]:
        number = library.seccomp_syscall_resolve_name(str(name).encode())
        if number == _UNKNOWN_SYSCALL:
            # Newer than the library, or of another machine: it stays forbidden.
            continue
        for group in groups:
            array = (_Comparison * len(group))(*group)
            status = library.seccomp_rule_add_array(context, action, number, len(group), array)
            if status != 0:
                raise _NotCompilableError(f"rule for {name}: {os.strerror(-status)}")


def _comparison(argument: Json) -> _Comparison:
    return _Comparison(
        arg=argument["index"],
        op=_OPERATORS[argument["op"]],
        datum_a=argument["value"],
        datum_b=argument.get("valueTwo") or 0,
    )


def _exported(library: Any, context: int) -> bytes:
    descriptor = os.memfd_create("seccomp")
    try:
        if library.seccomp_export_bpf(context, descriptor) != 0:
            raise _NotCompilableError("seccomp_export_bpf failed")
        size = os.fstat(descriptor).st_size
        return os.pread(descriptor, size, 0)
    finally:
        os.close(descriptor)
