"""Restart policies."""

from __future__ import annotations

import pytest

from naru.api.host_config import RestartPolicy
from naru.engine.containers.restart_policy import (
    FIRST_DELAY,
    LONGEST_DELAY,
    next_delay,
    restarts_after_exit,
    restarts_with_engine,
)


@pytest.mark.parametrize(
    ("name", "exit_code", "comes_back"),
    [
        ("no", 1, False),
        ("", 1, False),
        ("always", 0, True),
        ("unless-stopped", 0, True),
        ("on-failure", 0, False),
        ("on-failure", 1, True),
    ],
)
def test_policies_decide_by_name_and_code(name: str, exit_code: int, comes_back: bool) -> None:
    policy = RestartPolicy(name=name)
    assert comes_back == restarts_after_exit(
        policy, exit_code=exit_code, restart_count=0, stopped_by_user=False
    )


def test_on_failure_stops_at_its_limit() -> None:
    policy = RestartPolicy(name="on-failure", maximum_retry_count=3)
    tries = [
        restarts_after_exit(policy, exit_code=1, restart_count=n, stopped_by_user=False)
        for n in range(5)
    ]
    assert tries == [True, True, True, False, False]


@pytest.mark.parametrize("name", ["always", "unless-stopped", "on-failure"])
def test_what_a_user_stopped_does_not_come_back_by_itself(name: str) -> None:
    policy = RestartPolicy(name=name)
    assert not restarts_after_exit(policy, exit_code=1, restart_count=0, stopped_by_user=True)


def _with_engine(name: str, *, stopped_by_user: bool, was_started: bool = True) -> bool:
    return restarts_with_engine(
        RestartPolicy(name=name),
        exit_code=0,
        restart_count=0,
        stopped_by_user=stopped_by_user,
        was_started=was_started,
    )


def test_always_comes_back_with_the_engine_even_when_stopped() -> None:
    assert _with_engine("always", stopped_by_user=True)
    assert not _with_engine("unless-stopped", stopped_by_user=True)
    assert _with_engine("unless-stopped", stopped_by_user=False)


def test_what_never_ran_is_not_started_with_the_engine() -> None:
    assert not _with_engine("always", stopped_by_user=False, was_started=False)


def test_delay_doubles_up_to_a_minute_and_starts_over_after_a_steady_run() -> None:
    delay, delays = 0.0, []
    for _ in range(12):
        delay = next_delay(delay, ran_for=0.5)
        delays.append(delay)
    assert delays[:4] == [0.1, 0.2, 0.4, 0.8]
    assert delays[-1] == LONGEST_DELAY
    assert next_delay(delay, ran_for=10) == FIRST_DELAY
