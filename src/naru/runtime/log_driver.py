"""Which log drivers there are, and what their options mean. Pure.

Both file drivers are one here: conmon writes the file, `log_file` reads it, `log_rotation` keeps
it small. The engine never stands between a container and its log.

Spec: Docker's logging drivers json-file, local and none; their options max-size and max-file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from naru.errors import InvalidInputError
from naru.units import parse_bytes

DRIVERS: Final = ("json-file", "local", "none")
_FILE_OPTIONS: Final = frozenset({"max-size", "max-file"})
_DEFAULT_MAX_BYTES: Final = 10 * 1000 * 1000
_DEFAULT_MAX_FILES: Final = 3
# Docker's word for a log without bounds.
_UNLIMITED: Final = "-1"


@dataclass(frozen=True, slots=True)
class LogPolicy:
    """What is kept: nothing, or at most `max_files` files of about `max_bytes` (0: no bound)."""

    is_written: bool
    max_bytes: int = _DEFAULT_MAX_BYTES
    max_files: int = _DEFAULT_MAX_FILES


def log_policy(driver: str, options: Mapping[str, str]) -> LogPolicy:
    """Return what a container's log configuration means.

    Unlike in Docker, a log is bounded unless `max-size=-1` says otherwise.

    Raises:
        InvalidInputError: an unknown driver or option, or a value that is no size or number.
    """
    if driver not in DRIVERS:
        raise InvalidInputError(
            f"logger: no log driver named '{driver}' is registered",
            hint=f"there are {', '.join(DRIVERS)}",
        )
    for name in options:
        if driver == "none" or name not in _FILE_OPTIONS:
            raise InvalidInputError(f"unknown log opt '{name}' for {driver} log driver")
    if driver == "none":
        return LogPolicy(is_written=False, max_bytes=0, max_files=0)
    return LogPolicy(
        is_written=True,
        max_bytes=_max_bytes(options.get("max-size", "")),
        max_files=_max_files(options.get("max-file", "")),
    )


def _max_bytes(text: str) -> int:
    if not text:
        return _DEFAULT_MAX_BYTES
    if text == _UNLIMITED:
        return 0
    size = parse_bytes(text)
    if size <= 0:
        raise InvalidInputError(f"max-size must be a positive number, got '{text}'")
    return size


def _max_files(text: str) -> int:
    if not text:
        return _DEFAULT_MAX_FILES
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise InvalidInputError(f"max-file must be a positive number, got '{text}'")
    return int(text)
