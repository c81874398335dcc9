"""What `cp` makes of its arguments."""

from __future__ import annotations

import pytest

from naru.cli import copy_rules
from naru.cli.copy_rules import Place, Placement
from naru.cli.failure import CommandFailedError


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("web:/etc", ("web", "/etc")),
        ("web:etc:x", ("web", "etc:x")),
        ("web:", ("web", "")),
        ("./a:b", ("", "./a:b")),
        ("../a:b", ("", "../a:b")),
        ("/a:b", ("", "/a:b")),
        ("plain", ("", "plain")),
        ("-", ("", "-")),
    ],
)
def test_a_colon_tells_containers_from_files(argument: str, expected: tuple[str, str]) -> None:
    assert copy_rules.split_argument(argument) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a/b", ("/a", "b")),
        ("/a/b/", ("/a", "b")),
        ("/a/b/.", ("/a/b", ".")),
        ("/a", ("/", "a")),
        ("/", ("/", "/")),
        ("a", (".", "a")),
        (".", (".", ".")),
        ("/a/../b//c", ("/b", "c")),
    ],
)
def test_paths_end_in_a_name(path: str, expected: tuple[str, str]) -> None:
    assert copy_rules.split_entry(path) == expected


_FILE, _DIR = Place("/s/f", exists=True), Place("/s/d", exists=True, is_dir=True)


@pytest.mark.parametrize(
    ("source", "destination", "expected"),
    [
        (_FILE, Place("/to", exists=True, is_dir=True), Placement("/to")),
        (_FILE, Place("/to/new"), Placement("/to", "f", "new")),
        (_FILE, Place("/to/have", exists=True), Placement("/to", "f", "have")),
        (_DIR, Place("/to/new"), Placement("/to", "d", "new")),
        (_DIR, Place("/to/new/"), Placement("/to", "d", "new")),
        (_DIR._replace(path="/s/d/."), Place("/to/new"), Placement("/to", ".", "new")),
        (_DIR._replace(rebase_name="l"), Place("/to/new"), Placement("/to", "l", "new")),
    ],
)
def test_the_table_of_the_documentation(
    source: Place, destination: Place, expected: Placement
) -> None:
    assert copy_rules.place(source, destination) == expected


@pytest.mark.parametrize(
    ("source", "destination", "message"),
    [
        (_FILE, Place("/to/new/"), "no such directory"),
        (_DIR, Place("/to/have", exists=True), "cannot copy directory"),
    ],
)
def test_what_cannot_be_is_refused(source: Place, destination: Place, message: str) -> None:
    with pytest.raises(CommandFailedError) as caught:
        copy_rules.place(source, destination)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("placement", "name", "expected"),
    [
        (Placement("/to", "d", "new"), "d/sub/d", "new/sub/d"),
        (Placement("/to", ".", "new"), "./f", "new/f"),
        (Placement("/to", "/", "new"), "/bin/sh", "new/bin/sh"),
        (Placement("/to"), "d/f", "d/f"),
    ],
)
def test_entries_take_the_destinations_name(placement: Placement, name: str, expected: str) -> None:
    assert placement.renamed(name) == expected
