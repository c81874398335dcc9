"""Sizes, ulimits, sysctls, health checks and restart policies.

Spec: docker/go-units, ParseUlimit; docker/cli, opts and cli/command/container/opts.go.
"""

from __future__ import annotations

from naru.cli.container_options.go_texts import parse_int, why_no_int
from naru.errors import InvalidInputError
from naru.units import parse_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from naru.cli.invocation import OptionValues

_ULIMITS = frozenset(
    (
        "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime "
        "sigpending stack"
    ).split()
)
_SYSCTLS = frozenset(
    (
        "kernel.msgmax kernel.msgmnb kernel.msgmni kernel.sem kernel.shmall kernel.shmmax "
        "kernel.shmmni kernel.shm_rmid_forced"
    ).split()
)
_SYSCTL_TREES = ("net.", "fs.mqueue.")


def parse_swap_size(text: str) -> int:
    """Read a size in bytes, or -1 for no limit."""
    return -1 if text == "-1" else parse_bytes(text)


def parse_ulimit(text: str) -> dict[str, Any]:
    """Read `nofile=1024:2048`.

    Raises:
        InvalidInputError: in Docker's words.
        ValueError: a limit is no number.
    """
    name, equals, values = text.partition("=")
    if not equals:
        raise InvalidInputError(f"invalid ulimit argument: {text}")
    if name not in _ULIMITS:
        raise InvalidInputError(f"invalid ulimit type: {name}")
    limits = values.split(":")
    if len(limits) > 2:
        raise InvalidInputError(
            f"too many limit value arguments - {values}, can only have up to two, `soft[:hard]`"
        )
    soft = parse_int(limits[0])
    hard = parse_int(limits[1]) if len(limits) == 2 else soft
    rule = "ulimit soft limit must be less than or equal to hard limit: "
    if hard != -1 and soft == -1:
        raise InvalidInputError(f"{rule}soft: -1 (unlimited), hard: {hard}")
    if hard != -1 and soft > hard:
        raise InvalidInputError(f"{rule}{soft} > {hard}")
    return {"Name": name, "Hard": hard, "Soft": soft}


def check_sysctl(text: str) -> str:
    """Refuse settings that are not a container's own."""
    name, equals, _ = text.partition("=")
    if not equals or not (name in _SYSCTLS or name.startswith(_SYSCTL_TREES)):
        raise InvalidInputError(f"sysctl '{text}' is not allowed")
    return text


def read_restart_policy(text: str) -> dict[str, Any]:
    """Return the `RestartPolicy` of `name[:count]`; the engine checks the name.

    Raises:
        InvalidInputError: in Docker's words.
    """
    name, colon, count = text.partition(":")
    if colon and not name:
        raise InvalidInputError("invalid restart policy format: no policy provided before colon")
    if count and why_no_int(count):
        raise InvalidInputError(
            "invalid restart policy format: maximum retry count must be an integer"
        )
    return {"Name": name, "MaximumRetryCount": parse_int(count) if count else 0}


def read_health_check(options: OptionValues) -> dict[str, Any] | None:
    """Return the `Healthcheck` of the `--health-*` options; None without any.

    Raises:
        InvalidInputError: in Docker's words.
    """
    times = {
        "Interval": "health-interval",
        "Timeout": "health-timeout",
        "Retries": "health-retries",
        "StartPeriod": "health-start-period",
        "StartInterval": "health-start-interval",
    }
    command = options["health-cmd"]
    settings = {field: options[name] for field, name in times.items() if options[name]}
    if action := options["health-on-failure"]:
        settings["OnFailure"] = action
    if options["no-healthcheck"]:
        if command or settings:
            raise InvalidInputError("--no-healthcheck conflicts with --health-* options")
        return {"Test": ["NONE"]}
    if not command and not settings:
        return None
    for field, name in times.items():
        if settings.get(field, 0) < 0:
            raise InvalidInputError(f"--{name} cannot be negative")
    return ({"Test": ["CMD-SHELL", command]} if command else {}) | settings
