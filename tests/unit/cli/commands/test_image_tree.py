"""`images --tree` prints docker's bytes, which were read off docker 28.2.2, and refuses its way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from naru.cli.commands.image_tree import tree_lines

Cli = Callable[..., Any]
_GOLDEN = Path(__file__).parents[3] / "golden" / "cli" / "image_tree.json"
_RECORDED: dict[str, Any] = msgspec.json.decode(_GOLDEN.read_bytes())


@pytest.mark.parametrize(
    "printed", _RECORDED["printed"], ids=lambda printed: f"{printed['case']}, {printed['screen']}"
)
def test_a_terminal_and_a_pipe_get_dockers_bytes(printed: dict[str, Any]) -> None:
    items = _RECORDED["cases"][printed["case"]]
    shown = [item for item in items if item["RepoTags"] or item["RepoDigests"]]
    shown.sort(key=lambda item: item["Created"], reverse=True)
    screen = printed["screen"]
    assert list(tree_lines(shown, screen, is_coloured=screen > 0)) == printed["lines"]


def _ask(cli: Cli, engine: Any, *words: str) -> list[str]:
    engine.on("GET", "/images/json", _RECORDED["cases"]["platforms"])
    lines: list[str] = cli("images", "--tree", *words).out.splitlines()
    return [line.split()[0] for line in lines if line.startswith(("x", "y", "z", "<"))]


def test_youngest_come_first_and_the_nameless_only_with_all(cli: Cli, engine: Any) -> None:
    names = ["y" * 31 + ":1", "z:1", "x" * 20 + ":1", "<untagged>"]
    assert _ask(cli, engine) == names
    assert _ask(cli, engine, "-a") == [*names, "<untagged>"]
    assert engine.asked[-1][1] == "/images/json"


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["-q", "--no-trunc", "--digests", "--format", "x"], "quiet"),
        (["--no-trunc", "--digests", "--format", "x"], "no-trunc"),
        (["--digests", "--format", "x"], "show-digest"),
        (["--format", "x"], "format"),
    ],
)
def test_options_that_make_no_tree_are_refused_as_by_docker(
    cli: Cli, engine: Any, words: list[str], name: str
) -> None:
    outcome = cli("images", "--tree", *words)
    assert outcome.code == 1
    assert outcome.err == f"--{name} is not yet supported with --tree\n"
    assert engine.asked == []


def test_an_engine_that_is_too_old_is_told(cli: Cli, engine: Any) -> None:
    engine.api_version = "1.46"
    assert cli("images", "--tree", "-q").err == (
        '"--tree" requires API version 1.47, but the Docker daemon API version is 1.46\n'
    )
