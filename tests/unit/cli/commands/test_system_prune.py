"""What `prune` asks before it acts, and what it then asks of the engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]


@pytest.mark.parametrize("answer", [b"", b"n\n", b"yess\n", b"\n"])
def test_nothing_happens_without_a_yes(cli: Cli, engine: Any, answer: bytes) -> None:
    outcome = cli("container", "prune", stdin=answer)
    assert outcome.out == (
        "WARNING! This will remove all stopped containers.\n"
        "Are you sure you want to continue? [y/N] "
    )
    assert engine.asked == []


@pytest.mark.parametrize("answer", [b"y\n", b"Y\n", b"yes\n"])
def test_a_yes_is_enough(cli: Cli, engine: Any, answer: bytes) -> None:
    gone = {"ContainersDeleted": ["one", "two"], "SpaceReclaimed": 1_982_493}
    engine.on("POST", "/containers/prune", gone)
    outcome = cli("container", "prune", stdin=answer)
    assert outcome.out.endswith("Deleted Containers:\none\ntwo\n\nTotal reclaimed space: 1.982MB\n")


def test_filters_of_the_configuration_give_way(cli: Cli, engine: Any, tmp_path: Path) -> None:
    text = '{"pruneFilters": ["label!=keep", "label=a=1", "until=24h"]}'
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    engine.on("POST", "/containers/prune", {"ContainersDeleted": None, "SpaceReclaimed": 0})
    cli("container", "prune", "-f", "--filter", "label=keep", "--filter", "until=1h")
    (asked,) = engine.asked
    assert asked[2]["filters"] == {
        "label": {"keep": True, "a=1": True},
        "until": {"1h": True},
    }


def test_system_prune_names_all_that_it_will_take(cli: Cli, engine: Any) -> None:
    outcome = cli(
        "system", "prune", "-a", "--volumes", "--filter", "label=b", "--filter", "label=a"
    )
    assert outcome.out == (
        "WARNING! This will remove:\n"
        "  - all stopped containers\n"
        "  - all networks not used by at least one container\n"
        "  - all anonymous volumes not used by at least one container\n"
        "  - all images without at least one container associated to them\n"
        "  - all build cache\n\n"
        "  Items to be pruned will be filtered with:\n"
        "  - label=a\n"
        "  - label=b\n\n"
        "Are you sure you want to continue? [y/N] "
    )
    assert engine.asked == []


def test_volumes_have_no_age(cli: Cli, engine: Any) -> None:
    outcome = cli("system", "prune", "-f", "--volumes", "--filter", "until=1h")
    assert outcome.code == 1
    assert 'The "until" filter is not supported with "--volumes"' in outcome.err
    assert engine.asked == []
