"""A container's command line."""

from __future__ import annotations

import pytest

from naru.api.container_config import ContainerConfig


@pytest.mark.parametrize(
    ("entrypoint", "cmd", "argv"),
    [
        (None, ["a", "b"], ["a", "b"]),
        (["e"], ["a"], ["e", "a"]),
        ("one word", None, ["one word"]),
        (None, "shell line", ["shell line"]),
        (None, None, []),
    ],
)
def test_entrypoint_and_command_make_one_list(
    entrypoint: list[str] | str | None, cmd: list[str] | str | None, argv: list[str]
) -> None:
    assert ContainerConfig(entrypoint=entrypoint, cmd=cmd).argv() == argv
