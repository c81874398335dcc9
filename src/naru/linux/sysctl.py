"""Kernel settings below /proc/sys."""

from __future__ import annotations

from pathlib import Path

from naru.errors import FaultError, reason_of

_ROOT = Path("/proc/sys")


def sysctl(path: str) -> str:
    """Return a kernel setting, "" where there is none."""
    try:
        return (_ROOT / path).read_text(encoding="ascii").strip()
    except OSError:
        return ""


def set_sysctl(path: str, value: str) -> None:
    """Set a kernel setting, named by its path as in `net/ipv4/ip_forward`. Idempotent.

    One that has the value already is not written, so that an engine that may not write it
    starts where the administrator has set it. Settings below `net` are those of the network
    namespace of the calling thread.

    Raises:
        FaultError: the setting does not exist or may not be changed.
    """
    name = path.replace("/", ".")
    try:
        file = _ROOT / path
        if file.read_text(encoding="ascii").strip() != value:
            file.write_text(value, encoding="ascii")
    except OSError as error:
        reason = reason_of(error)
        raise FaultError(
            f"set sysctl {name} to {value}: {reason}", hint=f"run: sysctl -w {name}={value}"
        ) from error
