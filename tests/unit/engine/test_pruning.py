"""What all prunes share."""

from __future__ import annotations

import pytest

from naru.api.filters import Filters
from naru.engine.pruning import Pruning, has_pruned_labels, until_ns
from naru.errors import ConflictError, InvalidInputError


def test_one_prune_runs_at_a_time() -> None:
    pruning = Pruning()
    with pruning.turn(), pytest.raises(ConflictError, match="already running"), pruning.turn():
        pass
    with pruning.turn():
        pass


def test_a_prune_that_fails_ends_its_turn() -> None:
    pruning = Pruning()
    with pytest.raises(RuntimeError), pruning.turn():
        raise RuntimeError
    with pruning.turn():
        pass


def test_until_is_one_moment() -> None:
    assert until_ns(Filters(), 10**18) is None
    assert until_ns(Filters({"until": ["1h"]}), 10**18) == 10**18 - 3600 * 10**9
    with pytest.raises(InvalidInputError, match="more than one"):
        until_ns(Filters({"until": ["1h", "2h"]}), 10**18)


@pytest.mark.parametrize(
    ("filters", "goes"),
    [
        ({}, True),
        ({"label": ["a"]}, True),
        ({"label": ["a=1"]}, True),
        ({"label": ["a=2"]}, False),
        ({"label!": ["a"]}, False),
        ({"label!": ["b"]}, True),
        ({"label": ["a"], "label!": ["a=1"]}, False),
    ],
)
def test_labels_choose_what_goes(filters: dict[str, list[str]], goes: bool) -> None:
    assert has_pruned_labels(Filters(filters), {"a": "1"}) is goes
