"""What a new engine decides about the containers of the old one."""

from __future__ import annotations

import pytest

from naru.engine.model import Status
from naru.engine.reconcile import Action, Seen, plan
from naru.runtime.exits import ContainerExit

RUNS = Seen(process_runs=True, was_started=True)
CREATED_ONLY = Seen(process_runs=True, was_started=False)
ENDED = Seen(end=ContainerExit("x", 3, 1))
NOTHING = Seen()


@pytest.mark.parametrize(
    ("status", "seen", "action"),
    [
        ("running", RUNS, Action.KEEP),
        ("paused", RUNS, Action.KEEP),
        ("running", ENDED, Action.FINISH),
        ("running", NOTHING, Action.FINISH),
        ("paused", NOTHING, Action.FINISH),
        ("created", RUNS, Action.ADOPT),
        ("exited", RUNS, Action.ADOPT),
        ("restarting", RUNS, Action.ADOPT),
        ("created", CREATED_ONLY, Action.TIDY),
        ("created", NOTHING, Action.TIDY),
        ("exited", ENDED, Action.TIDY),
        ("restarting", NOTHING, Action.RESTART),
        ("removing", NOTHING, Action.REMOVE),
        ("removing", RUNS, Action.REMOVE),
        ("dead", NOTHING, Action.REMOVE),
    ],
)
def test_what_is_seen_decides_what_is_done(status: Status, seen: Seen, action: Action) -> None:
    assert plan(status, seen) is action
