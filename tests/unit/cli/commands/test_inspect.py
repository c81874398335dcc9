"""`inspect` shows the engine's words, untouched but for line breaks."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naru.cli.commands.inspect import indent_json
from naru.errors import NotFoundError

Cli = Callable[..., Any]
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(_JSON)
def test_layout_is_that_of_four_blanks(value: Any) -> None:
    compact = json.dumps(value, separators=(",", ":"))
    assert indent_json(compact) == json.dumps(value, indent=4)


def test_numbers_and_escapes_stay_as_they_came() -> None:
    assert indent_json('{"a":1.50,"b":"\\u003c\\\\\\"x"}') == (
        '{\n    "a": 1.50,\n    "b": "\\u003c\\\\\\"x"\n}'
    )


def _missing() -> NotFoundError:
    error = NotFoundError("No such thing")
    error.reported = True
    return error


@pytest.fixture
def bare(engine: Any) -> Any:
    for path in ("/containers/x/json", "/images/x/json", "/networks/x", "/volumes/x"):
        engine.on("GET", path, _missing())
    engine.on("GET", "/plugins/x/json", _missing())
    return engine


def test_a_name_of_nothing_is_sought_everywhere_and_told(cli: Cli, bare: Any) -> None:
    outcome = cli("inspect", "x")
    assert (outcome.code, outcome.out) == (1, "[]\n")
    assert outcome.err == "Error: No such object: x\n"
    assert len(bare.asked) == 5


def test_what_the_engine_knows_of_a_name_is_told_below(cli: Cli, bare: Any) -> None:
    unclear = NotFoundError("No such image: x", hint="the ids of several images begin with x")
    bare.on("GET", "/images/x/json", unclear)
    outcome = cli("inspect", "x")
    assert outcome.err == ("Error: No such object: x\nthe ids of several images begin with x\n")


def test_image_is_found_behind_containers(cli: Cli, bare: Any) -> None:
    bare.on("GET", "/images/x/json", {"Id": "sha256:0"})
    assert cli("inspect", "-f", "{{.ID}}", "x").out == "sha256:0\n"


def test_one_kind_is_asked_alone(cli: Cli, bare: Any) -> None:
    outcome = cli("inspect", "--type", "volume", "x")
    assert outcome.err == "Error response from daemon: No such thing\n"
    assert len(bare.asked) == 1


def test_unknown_kind_is_refused(cli: Cli) -> None:
    assert cli("inspect", "--type", "foo", "x").err.startswith(
        'unknown type: "foo": must be one of'
    )


def test_size_is_asked_of_containers_only(cli: Cli, bare: Any) -> None:
    bare.on("GET", "/images/x/json", {})
    cli("inspect", "-s", "x")
    assert [query for _, _, query, _ in bare.asked] == [{"size": True}, {}]


def test_those_found_are_shown_before_the_failures(cli: Cli, bare: Any) -> None:
    bare.on("GET", "/containers/y/json", {"Name": "/y"})
    outcome = cli("container", "inspect", "-f", "{{.Name}}", "x", "y")
    assert (outcome.code, outcome.out) == (1, "/y\n")
    assert outcome.err == "Error response from daemon: No such thing\n"
