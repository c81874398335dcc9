"""Every row of docs/acceptance.md is proved by a test, and no test names a row that is not there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_LEAST = 58
# The fixtures that give docker's command and then ours.
_BOTH = {"client", "client_28", "program", "run"}


def _listed() -> list[str]:
    text = (_ROOT / "docs" / "acceptance.md").read_text(encoding="utf-8")
    return re.findall(r"(?m)^\| (S\d{3}) \| \S", text)


def _proved() -> dict[str, list[bool]]:
    """Return, of the tests that carry each row's marker, whether they take both commands."""
    found: dict[str, list[bool]] = {}
    for path in sorted((_ROOT / "tests" / "clients").rglob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                takes_both = not _BOTH.isdisjoint(arg.arg for arg in node.args.args)
                for row in _rows(node):
                    found.setdefault(row, []).append(takes_both)
    return found


def _rows(function: ast.FunctionDef) -> list[str]:
    return [
        ast.literal_eval(argument)
        for decorator in function.decorator_list
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.seed"
        for argument in decorator.args
    ]


def test_rows_stand_in_order_and_once() -> None:
    listed = _listed()
    assert listed == sorted(set(listed))
    assert len(listed) >= _LEAST


def test_every_row_has_a_test_and_every_marker_a_row() -> None:
    proved, listed = _proved(), set(_listed())
    assert not listed - proved.keys(), "rows without a test"
    assert not proved.keys() - listed, "markers of rows that are not listed"


def test_every_row_is_proved_with_both_commands() -> None:
    assert not [row for row, takes_both in _proved().items() if not any(takes_both)]
