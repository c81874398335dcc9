"""Health checks: defaults, refusals, and the cases that Docker's documentation names."""

from __future__ import annotations

import pytest

from naru.api.container_config import ContainerConfig, HealthConfig
from naru.engine.health_rule import (
    Health,
    HealthCheck,
    HealthStatus,
    ProbeResult,
    after_probe,
    at_rest,
    at_start,
    check_of,
    timed_out_text,
    validate_check,
    wait_before_probe,
)
from naru.errors import InvalidInputError

_SECOND = 10**9
_STARTED = 1000 * _SECOND


def _config(*test: str, shell: list[str] | None = None) -> ContainerConfig:
    return ContainerConfig(healthcheck=HealthConfig(test=list(test)), shell=shell)


def _probe(exit_code: int, *, after_s: float = 60) -> ProbeResult:
    start = _STARTED + int(after_s * _SECOND)
    return ProbeResult(start, start + 1, exit_code, "")


def _told(check: HealthCheck, *exit_codes: int, health: Health | None = None) -> Health:
    health = health or Health()
    for code in exit_codes:
        health = after_probe(check, health, _probe(code), started_ns=_STARTED)
    return health


def test_what_is_left_open_has_dockers_defaults() -> None:
    assert check_of(_config("CMD", "a", "b")) == HealthCheck(
        ("a", "b"),
        interval=30 * _SECOND,
        timeout=30 * _SECOND,
        retries=3,
        start_period=0,
        start_interval=5 * _SECOND,
        on_failure="none",
    )


def test_a_shell_check_runs_in_the_images_shell() -> None:
    plain, own = (
        check_of(_config("CMD-SHELL", "x")),
        check_of(_config("CMD-SHELL", "x", shell=["s"])),
    )
    assert plain is not None
    assert plain.words == ("/bin/sh", "-c", "x")
    assert own is not None
    assert own.words == ("s", "x")


@pytest.mark.parametrize("config", [ContainerConfig(), _config(), _config("NONE"), _config("x")])
def test_no_check_is_none(config: ContainerConfig) -> None:
    assert check_of(config) is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (HealthConfig(interval=999_999), "Interval in Healthcheck cannot be less than 1ms"),
        (HealthConfig(interval=-1), "Interval in Healthcheck cannot be less than 1ms"),
        (HealthConfig(timeout=1), "Timeout in Healthcheck cannot be less than 1ms"),
        (HealthConfig(start_period=1), "StartPeriod in Healthcheck cannot be less than 1ms"),
        (HealthConfig(start_interval=1), "StartInterval in Healthcheck cannot be less than 1ms"),
        (HealthConfig(retries=-1), "Retries in Healthcheck cannot be negative"),
        (HealthConfig(test=["CMD"]), "Test in Healthcheck has no command after CMD"),
        (
            HealthConfig(test=["CMD", "x"], on_failure="cry"),
            "invalid OnFailure in Healthcheck: 'cry': must be one of none, restart, stop, kill",
        ),
        (
            HealthConfig(on_failure="kill"),
            "OnFailure in Healthcheck is 'kill', but there is no health check",
        ),
    ],
)
def test_what_cannot_be_is_refused(given: HealthConfig, message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        validate_check(given)
    assert caught.value.message == message


def test_a_kind_of_check_that_is_unknown_is_warned_of() -> None:
    assert validate_check(HealthConfig(test=["HTTP", "/"])) == [
        "Unknown healthcheck type 'HTTP' (expected 'CMD'); the check is not run."
    ]
    assert validate_check(HealthConfig(test=["CMD", "x"], interval=10**6)) == []
    assert validate_check(None) == []


def test_retries_in_a_row_make_unhealthy_and_one_success_mends() -> None:
    check = HealthCheck(("x",), retries=3)
    assert _told(check, 1, 1).status == "starting"
    assert _told(check, 0, 1, 1).status == "healthy"
    sick = _told(check, 0, 1, 1, 1)
    assert (sick.status, sick.failing_streak) == ("unhealthy", 3)
    well = _told(check, 0, health=sick)
    assert (well.status, well.failing_streak) == ("healthy", 0)


def test_failures_in_the_start_period_do_not_count() -> None:
    check = HealthCheck(("x",), retries=1, start_period=10 * _SECOND)
    early = after_probe(check, Health(), _probe(1, after_s=9.9), started_ns=_STARTED)
    assert (early.status, early.failing_streak, len(early.log)) == ("starting", 0, 1)
    late = after_probe(check, Health(), _probe(1, after_s=10), started_ns=_STARTED)
    assert late.status == "unhealthy"


def test_who_was_healthy_has_no_start_period_any_more() -> None:
    check = HealthCheck(("x",), retries=1, start_period=10 * _SECOND)
    health = after_probe(check, Health(), _probe(0, after_s=1), started_ns=_STARTED)
    assert after_probe(check, health, _probe(1, after_s=2), started_ns=_STARTED).status == (
        "unhealthy"
    )


@pytest.mark.parametrize(
    ("status", "ran_for", "expected"),
    [("starting", 9.0, 2.0), ("starting", 10.0, 30.0), ("healthy", 1.0, 30.0)],
)
def test_probes_come_often_while_it_starts(
    status: HealthStatus, ran_for: float, expected: float
) -> None:
    check = HealthCheck(("x",), start_period=10 * _SECOND, start_interval=2 * _SECOND)
    now = _STARTED + int(ran_for * _SECOND)
    health = Health(status=status)
    assert wait_before_probe(check, health, started_ns=_STARTED, now_ns=now) == expected


def test_a_start_forgets_the_streak_and_keeps_the_log() -> None:
    check = HealthCheck(("x",), retries=1)
    sick = _told(check, 1)
    fresh = at_start(check, sick)
    assert fresh == Health(log=sick.log)
    assert at_start(check, None) == Health()
    assert at_start(None, None) is None


def test_whom_nobody_asks_is_called_unhealthy() -> None:
    assert at_rest(None) is None
    health = at_rest(Health(status="healthy"))
    assert health is not None
    assert health.status == "unhealthy"


def test_a_time_out_names_the_limit_and_what_was_said() -> None:
    check = HealthCheck(("x",), timeout=1500 * 10**6)
    assert timed_out_text(check, "") == "Health check exceeded timeout (1.5s)"
    assert timed_out_text(check, "hm") == "Health check exceeded timeout (1.5s): hm"
