"""What the documents point at is there, and decisions are numbered without a gap."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_PACKAGE = _ROOT / "src" / "naru"
_DECISIONS = sorted((_ROOT / "docs" / "adr").glob("*.md"))
_DOCUMENTS = sorted([*_ROOT.glob("*.md"), *(_ROOT / "docs").rglob("*.md")])
_LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
_MODULE = re.compile(r"`([a-z_]+(?:/[a-z_]+)+)`")


def test_decisions_are_numbered_in_turn() -> None:
    numbers = [int(path.name.partition("-")[0]) for path in _DECISIONS]
    assert numbers == list(range(1, len(numbers) + 1))
    for number, path in zip(numbers, _DECISIONS, strict=True):
        title = path.read_text(encoding="utf-8").splitlines()[0]
        assert title.startswith(f"# {number}. "), path.name


@pytest.mark.parametrize("path", _DOCUMENTS, ids=lambda path: str(path.relative_to(_ROOT)))
def test_what_documents_name_is_there(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    links = [link for link in _LINK.findall(text) if not (path.parent / link).exists()]
    assert not links, "links that lead nowhere"
    ours = {entry.name for entry in _PACKAGE.iterdir() if entry.is_dir()}
    modules = [name for name in _MODULE.findall(text) if name.partition("/")[0] in ours]
    gone = [
        name
        for name in modules
        if not (_PACKAGE / name).is_dir() and not (_PACKAGE / f"{name}.py").is_file()
    ]
    assert not gone, "modules that are not there"
