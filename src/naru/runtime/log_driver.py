"""Which log drivers there are, what their options mean, and which are refused.

Whatever the driver, conmon writes the container's output to a spool, which `log_file` reads and
`log_keeping` keeps small; a driver other than `local` and `none` names a sink besides, which the
spool is shipped to. So `logs` works with every driver but `none`, as with Docker's dual logging,
whose `cache-*` options are the bounds of the spool here.

Spec: moby, daemon/logger: the drivers' ValidateLogOpt, for names and texts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from naru.errors import InvalidInputError, NotSupportedError
from naru.runtime import fluentd_sink, gelf_sink, journald_sink, syslog_sink
from naru.runtime.log_attributes import check_patterns
from naru.runtime.log_tag import check_tag
from naru.units import parse_bytes, parse_bytes_decimal, parse_flag

# Docker's drivers that are not here.
_ELSEWHERE: Final = ("awslogs", "etwlogs", "gcplogs", "splunk")
_METADATA: Final = frozenset({"labels", "labels-regex", "env", "env-regex", "tag"})
_FILES: Final = frozenset({"max-size", "max-file", "compress"})
# Known to every driver: how lines travel to it, and what is kept for `logs`.
_DELIVERY: Final = frozenset({"mode", "max-buffer-size"})
_CACHE: Final = frozenset({"cache-disabled", "cache-max-size", "cache-max-file", "cache-compress"})
_DEFAULT_MAX_BYTES: Final = 10 * 1000 * 1000
_DEFAULT_MAX_FILES: Final = 3
_CACHE_MAX_BYTES: Final = 20 * 1000 * 1000
_CACHE_MAX_FILES: Final = 5
# Docker's word for a log without bounds.
_UNLIMITED: Final = "-1"


@dataclass(frozen=True, slots=True)
class _Driver:
    """The options of one driver; `check` refuses values that it cannot use."""

    options: frozenset[str]
    unknown: str
    check: Callable[[Mapping[str, str]], None] | None = None


_DRIVERS: Final = {
    "json-file": _Driver(_FILES | _METADATA, "unknown log opt '{}' for json-file log driver"),
    "local": _Driver(_FILES, "unknown log opt '{}' for log driver local"),
    "none": _Driver(frozenset(), "unknown log opt '{}' for none log driver"),
    "syslog": _Driver(
        syslog_sink.OPTIONS | _METADATA,
        "unknown log opt '{}' for syslog log driver",
        syslog_sink.check_options,
    ),
    "journald": _Driver(_METADATA, "unknown log opt '{}' for journald log driver"),
    "fluentd": _Driver(
        fluentd_sink.OPTIONS | _METADATA,
        "unknown log opt '{}' for fluentd log driver",
        fluentd_sink.check_options,
    ),
    "gelf": _Driver(
        gelf_sink.OPTIONS | _METADATA,
        'unknown log opt "{}" for gelf log driver',
        gelf_sink.check_options,
    ),
}


@dataclass(frozen=True, slots=True)
class LogPolicy:
    """What is kept of the output, and who may read it.

    The spool and, for `json-file`, the file at LogPath have at most `max_files` files of
    `max_bytes` each (0: no bound).
    """

    is_written: bool
    max_bytes: int = _DEFAULT_MAX_BYTES
    max_files: int = _DEFAULT_MAX_FILES
    is_readable: bool = True
    compress: bool = False
    has_sink: bool = False
    # How much of the spool may be in memory on its way to the sink.
    buffer_bytes: int = 0


def available_drivers() -> list[str]:
    """Return the drivers that work on this machine."""
    return sorted(name for name in _DRIVERS if name != "journald" or journald_sink.is_available())


def log_policy(driver: str, options: Mapping[str, str]) -> LogPolicy:
    """Return what a container's log configuration means.

    Unlike in Docker, a log is bounded unless `max-size=-1` says otherwise.

    Raises:
        InvalidInputError: an unknown driver or option, or a value that makes no sense.
        NotSupportedError: a driver of Docker's that is not here.
    """
    known = _driver(driver)
    buffer_bytes = _delivery(options)
    cached = driver not in ("json-file", "local", "none")
    allowed = frozenset() if driver == "none" else known.options | _DELIVERY | _CACHE
    for name in options:
        if name not in allowed:
            raise InvalidInputError(known.unknown.format(name))
    is_readable = not _boolean(options, "cache-disabled") or not cached
    if driver == "none":
        return LogPolicy(is_written=False, max_bytes=0, max_files=0, is_readable=False)
    check_patterns(options)
    check_tag(options.get("tag", ""))
    if known.check is not None:
        known.check(options)
    # Where nothing is cached, a wish about the cache is fulfilled, if it makes sense.
    _max_bytes(options.get("cache-max-size", ""), cached=True)
    _max_files(options.get("cache-max-file", ""), cached=True)
    _boolean(options, "cache-compress")
    prefix = "cache-" if cached else ""
    max_bytes = _max_bytes(options.get(f"{prefix}max-size", ""), cached=cached)
    max_files = _max_files(options.get(f"{prefix}max-file", ""), cached=cached)
    return LogPolicy(
        is_written=True,
        max_bytes=max_bytes,
        max_files=max_files,
        is_readable=is_readable,
        compress=_compress(driver, options, prefix, max_bytes, max_files),
        has_sink=driver != "local",
        buffer_bytes=buffer_bytes,
    )


def check_on_host(driver: str, options: Mapping[str, str]) -> None:
    """Refuse what this machine has not got when a container is made.

    Raises:
        InvalidInputError: a file or socket that the options name is not there.
        NotSupportedError: there is no journal.
    """
    if driver == "syslog":
        syslog_sink.check_on_host(options)
    if driver == "journald" and not journald_sink.is_available():
        raise NotSupportedError("journald is not enabled on this host")


def _driver(name: str) -> _Driver:
    known = _DRIVERS.get(name)
    if known is not None:
        return known
    if name in _ELSEWHERE:
        raise NotSupportedError(
            f"log driver {name} is not supported", hint=f"there are {', '.join(_DRIVERS)}"
        )
    raise InvalidInputError(
        f"logger: no log driver named '{name}' is registered",
        hint=f"there are {', '.join(_DRIVERS)}",
    )


def _delivery(options: Mapping[str, str]) -> int:
    """Return how much may be buffered in memory, 0 for what is usual.

    A container never waits for its sink, in either mode: what cannot be delivered yet stays in
    the spool.
    """
    mode = options.get("mode", "")
    if mode not in ("", "blocking", "non-blocking"):
        raise InvalidInputError(f"logger: logging mode not supported: {mode}")
    size = options.get("max-buffer-size")
    if size is None:
        return 0
    if mode != "non-blocking":
        raise InvalidInputError(
            "logger: max-buffer-size option is only supported with 'mode=non-blocking'"
        )
    try:
        return max(parse_bytes(size), 1)
    except InvalidInputError as error:
        raise InvalidInputError(f"error parsing option max-buffer-size: {error.message}") from error


def _compress(
    driver: str, options: Mapping[str, str], prefix: str, max_bytes: int, max_files: int
) -> bool:
    name = f"{prefix}compress"
    wanted = _boolean(options, name)
    if wanted and driver != "json-file":
        raise NotSupportedError(
            f"{name}=true is not supported by the {driver} log driver: "
            "what `logs` reads is kept as it is"
        )
    if wanted and (max_files < 2 or not max_bytes):
        raise InvalidInputError(
            "compress cannot be true when max-file is less than 2 or max-size is not set"
        )
    return wanted


def _boolean(options: Mapping[str, str], name: str) -> bool:
    text = options.get(name)
    if text is None:
        return False
    try:
        return parse_flag(text)
    except InvalidInputError as error:
        if name.startswith("cache-"):
            raise InvalidInputError(f"invalid value for option {name}: {text}") from error
        raise


def _max_bytes(text: str, *, cached: bool) -> int:
    if not text:
        return _CACHE_MAX_BYTES if cached else _DEFAULT_MAX_BYTES
    if text == _UNLIMITED:
        return 0
    size = parse_bytes_decimal(text)
    if size <= 0:
        raise InvalidInputError(f"max-size must be a positive number, got '{text}'")
    return size


def _max_files(text: str, *, cached: bool) -> int:
    if not text:
        return _CACHE_MAX_FILES if cached else _DEFAULT_MAX_FILES
    if not text.isascii() or not text.removeprefix("-").isdigit():
        raise InvalidInputError(f'strconv.Atoi: parsing "{text}": invalid syntax')
    if int(text) < 1:
        raise InvalidInputError("max-file cannot be less than 1")
    return int(text)
