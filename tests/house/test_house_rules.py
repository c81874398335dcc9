"""The rules of the house that no linter knows.

There is no list of exceptions: a rule that needs one is a wrong rule.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_PACKAGE = _ROOT / "src" / "naru"
_MODULES = sorted(_PACKAGE.rglob("*.py"))
_TESTS = sorted((_ROOT / "tests").rglob("*.py"))
# Nothing breaks a rule in a folder that has moved away.
assert _MODULES
assert _TESTS

_LONGEST_MODULE = 400
_LONGEST_FUNCTION = 60
_BANNED_NAMES = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "misc",
    "base",
    "manager",
    "handler",
}

# Packages whose modules are plain functions and values: each has a test file of its own.
_PURE = ("api", "oci", "specgen")


def _name(path: Path) -> str:
    return str(path.relative_to(_ROOT))


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _complain(found: Iterator[str]) -> None:
    problems = sorted(found)
    assert not problems, "\n" + "\n".join(problems)


def test_every_module_says_what_it_owns() -> None:
    def found() -> Iterator[str]:
        for path in [*_MODULES, *_TESTS]:
            text = path.read_text(encoding="utf-8")
            if text.strip() and not ast.get_docstring(_tree(path)):
                yield f"{_name(path)}: has no docstring"

    _complain(found())


def test_modules_are_short() -> None:
    def found() -> Iterator[str]:
        for path in _MODULES:
            lines = len(path.read_text(encoding="utf-8").splitlines())
            if lines > _LONGEST_MODULE and not _is_data(path):
                yield f"{_name(path)}: {lines} lines, {_LONGEST_MODULE} are the limit"

    _complain(found())


def _is_data(path: Path) -> bool:
    """Say whether a module is a table: nothing but imports and assignments."""
    return not any(
        isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        for node in ast.walk(_tree(path))
    )


def test_functions_are_short() -> None:
    def found() -> Iterator[str]:
        for path in [*_MODULES, *_TESTS]:
            for node in ast.walk(_tree(path)):
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    lines = (node.end_lineno or 0) - node.lineno + 1
                    if lines > _LONGEST_FUNCTION:
                        yield f"{_name(path)}:{node.lineno}: {node.name} has {lines} lines"

    _complain(found())


def test_names_of_modules_say_something() -> None:
    _complain(_name(path) for path in _MODULES if path.stem in _BANNED_NAMES)


def test_tests_stand_where_their_module_stands() -> None:
    def found() -> Iterator[str]:
        unit = _ROOT / "tests" / "unit"
        for path in sorted(unit.rglob("test_*.py")):
            package = _PACKAGE / path.parent.relative_to(unit)
            if not package.is_dir():
                yield f"{_name(path)}: there is no package {_name(package)}"

    _complain(found())


@pytest.mark.parametrize("package", _PURE)
def test_pure_modules_have_tests_of_their_own(package: str) -> None:
    def found() -> Iterator[str]:
        for path in sorted((_PACKAGE / package).rglob("*.py")):
            if path.stem == "__init__" or not _has_code(path):
                continue
            folder = _ROOT / "tests" / "unit" / path.parent.relative_to(_PACKAGE)
            law = _ROOT / "tests" / "properties"
            names = [folder / f"test_{path.stem}.py", *law.rglob(f"test_{path.stem}*.py")]
            if not any(name.exists() for name in names):
                yield f"{_name(path)}: has no test file {_name(names[0])}"

    _complain(found())


def _has_code(path: Path) -> bool:
    """Say whether a module does anything: structs and constants do not."""
    return any(
        isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) for node in ast.walk(_tree(path))
    )


def test_calls_that_lose_track_are_not_made() -> None:
    banned = {
        "create_task": ("aio.py", "tasks have an owner: naru.aio.TaskSet"),
        "extractall": ("", "a tar may be hostile: naru.store.tar_apply"),
    }

    def found() -> Iterator[str]:
        for path in _MODULES:
            for node in ast.walk(_tree(path)):
                if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                    continue
                owner, reason = banned.get(node.func.attr, ("", ""))
                if reason and path.name != owner:
                    yield f"{_name(path)}:{node.lineno}: {node.func.attr}: {reason}"

    _complain(found())


def test_nothing_is_left_for_later() -> None:
    words = re.compile(r"#.*\b(TODO|FIXME|XXX|HACK)\b|raise NotImplementedError")

    def found() -> Iterator[str]:
        for path in _MODULES:
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                if words.search(line):
                    yield f"{_name(path)}:{number}: {line.strip()}"

    _complain(found())


def test_comments_do_not_name_people_or_days() -> None:
    words = re.compile(
        r"\(?\b20[0-9]{2}-[01][0-9]-[0-3][0-9]\b(?!T)|@author|\bAuthor:|\bwritten by\b"
    )

    def found() -> Iterator[str]:
        for path in _MODULES:
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                comment = line.partition("#")[2]
                if comment and words.search(comment):
                    yield f"{_name(path)}:{number}: {line.strip()}"

    _complain(found())


def test_every_fault_point_names_its_package_operation_and_step() -> None:
    def found() -> Iterator[str]:
        for path in _MODULES:
            package = path.relative_to(_PACKAGE).parts[0]
            shape = re.compile(rf"{package}\.[a-z_]+\.[a-z_]+")
            for node in ast.walk(_tree(path)):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Name)
                    and node.func.id == "fault_point"
                    and isinstance(node.args[0], ast.Constant)
                    and not shape.fullmatch(str(node.args[0].value))
                ):
                    yield f"{_name(path)}:{node.lineno}: {node.args[0].value!r} is misnamed"

    _complain(found())


def test_shell_scripts_stop_at_errors() -> None:
    def found() -> Iterator[str]:
        for path in sorted((_ROOT / "scripts").glob("*")):
            text = path.read_text(encoding="utf-8")
            if text.startswith("#!/bin/sh") and "set -eu" not in text:
                yield f"{_name(path)}: no `set -eu`"

    _complain(found())


def test_migrations_are_numbered_in_turn() -> None:
    # The version of a database is how many of them it has seen.
    names = sorted(path.name for path in (_PACKAGE / "db" / "migrations").glob("*.sql"))
    assert [name[:5] for name in names] == [f"{number:04}_" for number in range(1, len(names) + 1)]
