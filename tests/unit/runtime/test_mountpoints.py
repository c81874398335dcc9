"""Destinations of mounts in images that have links."""

from __future__ import annotations

from pathlib import Path

import pytest

from naru.errors import InvalidInputError
from naru.runtime.mountpoints import resolve


@pytest.mark.parametrize(
    ("destination", "resolved"),
    [
        ("/data", "/data"),
        ("/not/there/yet", "/not/there/yet"),
        ("/inner/x", "/data/x"),
        ("/outer/x", "/etc/x"),
        ("/dangling", "/no/such/place"),
        ("/climbing/x", "/x"),
        ("/twice", "/data"),
        ("/data/../inner", "/data"),
    ],
)
def test_links_are_followed_inside_the_root(
    tmp_path: Path, destination: str, resolved: str
) -> None:
    (tmp_path / "data").mkdir()
    for name, target in {
        "inner": "data",
        "outer": "/etc",
        "dangling": "/no/such/place",
        "climbing": "../../..",
        "twice": "/inner",
    }.items():
        (tmp_path / name).symlink_to(target)
    assert resolve(tmp_path, destination) == resolved


def test_a_circle_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(InvalidInputError, match="too many levels"):
        resolve(tmp_path, "/a/x")
