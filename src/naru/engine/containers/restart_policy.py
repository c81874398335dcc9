"""Restart policies, as pure rules.

Spec: Docker's documented policies; back-off of moby's restartmanager: 100 ms, doubled with every
restart up to a minute, reset once a run lasted ten seconds.
"""

from __future__ import annotations

from naru.api.host_config import RestartPolicy

FIRST_DELAY = 0.1
LONGEST_DELAY = 60.0
STEADY_RUN = 10.0


def restarts_after_exit(
    policy: RestartPolicy, *, exit_code: int, restart_count: int, stopped_by_user: bool
) -> bool:
    """Say whether a container that just exited comes back."""
    if stopped_by_user:
        return False
    match policy.name:
        case "always" | "unless-stopped":
            return True
        case "on-failure":
            limit = policy.maximum_retry_count
            return exit_code != 0 and (limit == 0 or restart_count < limit)
        case _:
            return False


def restarts_with_engine(
    policy: RestartPolicy,
    *,
    exit_code: int,
    restart_count: int,
    stopped_by_user: bool,
    was_started: bool,
) -> bool:
    """Say whether a container that is not running comes back when the engine starts.

    `always` also brings back what a user stopped; nothing brings back what never ran.
    """
    if not was_started:
        return False
    if policy.name == "always":
        return True
    return restarts_after_exit(
        policy,
        exit_code=exit_code,
        restart_count=restart_count,
        stopped_by_user=stopped_by_user,
    )


def next_delay(previous: float, *, ran_for: float) -> float:
    """Return the seconds to wait before the next restart.

    `previous` is the delay before the run that just ended, zero if it was a user's start;
    `ran_for` is that run's length in seconds.
    """
    if previous == 0 or ran_for >= STEADY_RUN:
        return FIRST_DELAY
    return min(previous * 2, LONGEST_DELAY)
