"""The table of container fields is whole: no field is missing, and each test is there and names it.

The names of the schema stand in `tests/golden/container_fields.json`.
"""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path

import msgspec
import pytest

from naru.api import container_config, host_config
from naru.api.wire import Wire

_ROOT = Path(__file__).parents[2]
_TABLE = _ROOT / "docs" / "container-fields.md"
_SCHEMA: dict[str, list[str]] = json.loads(
    (_ROOT / "tests" / "golden" / "container_fields.json").read_text(encoding="utf-8")
)
_WHAT = {"honoured", "kept", "in answers", "of Windows", "discarded", "refused"}


@cache
def _rows() -> dict[str, dict[str, tuple[str, str]]]:
    """Return what the table says: by struct and field, what becomes of it, and the test."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    kind = ""
    for line in _TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            kind = line.removeprefix("## ")
            found[kind] = {}
        elif match := re.fullmatch(r"\| (\w+) \| ([\w ]+) \| .*\| `([^`]+)` \|", line):
            name, what, test = match.groups()
            assert name not in found[kind], f"{kind}.{name} stands there twice"
            found[kind][name] = (what, test)
        else:
            assert not line.startswith("| ") or line.startswith("| field"), line
    return found


def _struct(kind: str) -> type[Wire]:
    found: type[Wire] = getattr(host_config, kind, None) or getattr(container_config, kind)
    return found


def test_the_table_has_the_structs_of_the_schema() -> None:
    assert set(_rows()) == set(_SCHEMA)


@pytest.mark.parametrize("kind", sorted(_SCHEMA))
def test_the_table_has_every_field_of_schema_and_struct(kind: str) -> None:
    fields = {field.encode_name for field in msgspec.structs.fields(_struct(kind))}
    assert set(_SCHEMA[kind]) <= fields, "a field of the schema would be skipped in silence"
    assert set(_rows()[kind]) == fields


@pytest.mark.parametrize("kind", sorted(_SCHEMA))
def test_the_tests_in_the_table_are_there_and_name_the_field(kind: str) -> None:
    attributes = {field.encode_name: field.name for field in msgspec.structs.fields(_struct(kind))}
    for name, (what, test) in _rows()[kind].items():
        assert what in _WHAT, f"{kind}.{name}: {what}"
        path, _, function = test.partition("::")
        source = _functions(path).get(function)
        assert source, f"{kind}.{name}: there is no test {test}"
        words = set(re.findall(r"\w+", source))
        assert words & {name, attributes[name]}, f"{kind}.{name} is not in {test}"


@cache
def _functions(path: str) -> dict[str, str]:
    """Return the tests of a file by name, with their parameters and the values they share."""
    text = (_ROOT / path).read_text(encoding="utf-8")
    lines = text.splitlines()
    tree = ast.parse(text)
    shared = "\n".join(
        ast.get_source_segment(text, node) or ""
        for node in tree.body
        if not (isinstance(node, ast.FunctionDef) and node.name.startswith("test_"))
    )
    found = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            found[node.name] = "\n".join([*lines[first - 1 : node.end_lineno], shared])
    return found
