"""Patterns for names of images."""

from __future__ import annotations

import pytest

from naru.errors import InvalidInputError
from naru.oci.reference import Reference
from naru.oci.reference_pattern import check_pattern, fits

_NAMES = (
    "busybox:latest",
    "docker.io/library/made:1",
    "team/made:2",
    "localhost:5000/team/made:1",
    f"made@sha256:{'a' * 64}",
)


def _fitting(pattern: str) -> list[str]:
    references = map(Reference.parse, _NAMES)
    return [reference.familiar for reference in references if fits(reference, pattern)]


_DIGEST = f"made@sha256:{'a' * 64}"


# What Docker 20.10 lists for these patterns.
@pytest.mark.parametrize(
    ("pattern", "fitting"),
    [
        ("made", ["made:1", _DIGEST]),
        ("made:1", ["made:1"]),
        ("made:2", []),
        ("busy*", ["busybox:latest"]),
        ("*", ["busybox:latest", "made:1", _DIGEST]),
        ("*:*", ["busybox:latest", "made:1", _DIGEST]),
        ("*/made", ["team/made:2"]),
        ("*/*:2", ["team/made:2"]),
        ("*/*/made:*", ["localhost:5000/team/made:1"]),
        ("localhost:5000/*/*", ["localhost:5000/team/made:1"]),
        ("ma?e:?", ["made:1"]),
        ("[a-c]*", ["busybox:latest"]),
        ("[^a-c]*", ["made:1", _DIGEST]),
        ("team[^a]made", ["team/made:2"]),
        ("team?made", []),
        (r"ma\de", ["made:1", _DIGEST]),
        (r"[\m]ade:1", ["made:1"]),
        ("[z-a]ade", []),
        ("[^z-a]ade:1", ["made:1"]),
        ("*a*e:*", ["made:1"]),
        ("docker.io/library/made", []),
        ("made@*", [_DIGEST]),
        ("", []),
    ],
)
def test_names_fit_as_in_docker(pattern: str, fitting: list[str]) -> None:
    assert _fitting(pattern) == fitting


@pytest.mark.parametrize("pattern", ["[", "[a", "[]", "[]a]", "[a-]", "[-a]", "a\\", "x[^", "[^]"])
def test_a_pattern_without_an_end_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidInputError, match=r"^syntax error in pattern$"):
        check_pattern(pattern)
    with pytest.raises(InvalidInputError):
        fits(Reference.parse("made"), pattern)


def test_many_stars_cost_no_more_than_few() -> None:
    # Who tried all ways to share the name among the stars would not come back.
    assert not fits(Reference.parse("a" * 200), "*a" * 60 + "b")
