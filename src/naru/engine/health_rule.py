"""When a container counts as healthy, and when it is asked next, as pure rules.

Spec: Docker's HEALTHCHECK reference; moby's health monitor for what its text leaves open: a
failure in the start period of a container that was never healthy counts for nothing, and a
container whose monitor has stopped is called unhealthy without an event.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec

from naru.api.container_config import ContainerConfig, HealthConfig
from naru.errors import InvalidInputError
from naru.units import print_duration

HealthStatus = Literal["starting", "healthy", "unhealthy"]

OUTPUT_LIMIT = 4096
# What a probe says that did not come to an end of its own.
NO_EXIT_CODE = -1
ON_FAILURE = ("none", "restart", "stop", "kill")

_SECOND = 10**9
_SHORTEST = 10**6
_LOG_LENGTH = 5
_DEFAULT_SHELL = ("/bin/sh", "-c")


class ProbeResult(msgspec.Struct, frozen=True):
    """How one probe went."""

    start_ns: int
    end_ns: int
    exit_code: int
    output: str


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What the probes say of a container by now."""

    status: HealthStatus = "starting"
    failing_streak: int = 0
    log: tuple[ProbeResult, ...] = ()


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """A check with its defaults filled in; times in nanoseconds."""

    words: tuple[str, ...]
    interval: int = 30 * _SECOND
    timeout: int = 30 * _SECOND
    retries: int = 3
    start_period: int = 0
    start_interval: int = 5 * _SECOND
    on_failure: str = "none"


def check_of(config: ContainerConfig) -> HealthCheck | None:
    """Return the check that a container has, None when there is none to run."""
    given = config.healthcheck
    if given is None or not given.test:
        return None
    match given.test[0]:
        case "CMD":
            words = tuple(given.test[1:])
        case "CMD-SHELL":
            words = (*(config.shell or _DEFAULT_SHELL), *given.test[1:])
        case _:
            return None
    default = HealthCheck(words)
    return HealthCheck(
        words,
        interval=given.interval or default.interval,
        timeout=given.timeout or default.timeout,
        retries=given.retries or default.retries,
        start_period=given.start_period or default.start_period,
        start_interval=given.start_interval or default.start_interval,
        on_failure=given.on_failure or default.on_failure,
    )


def validate_check(given: HealthConfig | None) -> list[str]:
    """Check what was asked for, and return warnings.

    Raises:
        InvalidInputError: with Docker's words where it has some.
    """
    if given is None:
        return []
    for name, value in (
        ("Interval", given.interval),
        ("Timeout", given.timeout),
        ("StartPeriod", given.start_period),
        ("StartInterval", given.start_interval),
    ):
        if value != 0 and value < _SHORTEST:
            shortest = print_duration(_SHORTEST)
            raise InvalidInputError(f"{name} in Healthcheck cannot be less than {shortest}")
    if given.retries < 0:
        raise InvalidInputError("Retries in Healthcheck cannot be negative")
    test = given.test or ["NONE"]
    if test[0] in ("CMD", "CMD-SHELL") and len(test) == 1:
        raise InvalidInputError(f"Test in Healthcheck has no command after {test[0]}")
    is_known = test[0] in ("NONE", "CMD", "CMD-SHELL")
    if given.on_failure not in ("", *ON_FAILURE):
        wanted = ", ".join(ON_FAILURE)
        raise InvalidInputError(
            f"invalid OnFailure in Healthcheck: '{given.on_failure}': must be one of {wanted}"
        )
    if given.on_failure not in ("", "none") and (test == ["NONE"] or not is_known):
        raise InvalidInputError(
            f"OnFailure in Healthcheck is '{given.on_failure}', but there is no health check"
        )
    if not is_known:
        return [f"Unknown healthcheck type '{test[0]}' (expected 'CMD'); the check is not run."]
    return []


def at_start(check: HealthCheck | None, earlier: Health | None) -> Health | None:
    """Return the health of a container that just started; the log of earlier runs stays."""
    if check is None:
        return earlier
    return Health(log=earlier.log if earlier else ())


def at_rest(health: Health | None) -> Health | None:
    """Return the health of a container that nobody asks any more: it is paused, or it ended."""
    return msgspec.structs.replace(health, status="unhealthy") if health else None


def after_probe(
    check: HealthCheck, health: Health, result: ProbeResult, *, started_ns: int
) -> Health:
    """Return the health after one more probe; `started_ns` is when the container started."""
    log = (*health.log, result)[-_LOG_LENGTH:]
    if result.exit_code == 0:
        return Health(status="healthy", log=log)
    in_start_period = result.start_ns - started_ns < check.start_period
    if health.status == "starting" and in_start_period:
        return msgspec.structs.replace(health, log=log)
    streak = health.failing_streak + 1
    status = "unhealthy" if streak >= check.retries else health.status
    return Health(status=status, failing_streak=streak, log=log)


def wait_before_probe(check: HealthCheck, health: Health, *, started_ns: int, now_ns: int) -> float:
    """Return the seconds until the next probe, which begin when the last one has ended."""
    in_start_period = now_ns - started_ns < check.start_period
    often = in_start_period and health.status == "starting"
    return (check.start_interval if often else check.interval) / _SECOND


def timed_out_text(check: HealthCheck, output: str) -> str:
    """Return what the log says of a probe that took too long."""
    text = f"Health check exceeded timeout ({print_duration(check.timeout)})"
    return f"{text}: {output}" if output else text
