"""Who is told what when a container ends, becomes healthy, or goes."""

from __future__ import annotations

import pytest

from naru.engine.live.waiters import Waiters
from naru.errors import FaultError


async def test_an_end_is_told_to_all_who_wait_for_it() -> None:
    waiters = Waiters()
    futures = [waiters.exit("a"), waiters.exit("a")]
    other = waiters.exit("b")
    waiters.exited("a", 3)
    assert [await future for future in futures] == [3, 3]
    assert not other.done()


async def test_health_is_waited_for_through_restarts_and_not_beyond_the_end() -> None:
    waiters = Waiters()
    hopeful, other = waiters.health("a"), waiters.health("b")
    waiters.exited("a", 1, comes_back=True)
    assert not hopeful.done()
    waiters.became_healthy("a")
    assert await hopeful is None
    waiters.exited("b", 4)
    assert await other == 4


async def test_a_removal_answers_everybody() -> None:
    waiters = Waiters()
    futures = [waiters.exit("a"), waiters.removal("a")]
    health = waiters.health("a")
    waiters.removed("a", 5)
    assert [await future for future in futures] == [5, 5]
    assert await health == 5


async def test_a_removal_that_fails_is_told_with_its_reason() -> None:
    waiters = Waiters()
    removal, end = waiters.removal("a"), waiters.exit("a")
    waiters.removal_failed("a", "busy")
    with pytest.raises(FaultError, match="busy"):
        await removal
    assert not end.done()
