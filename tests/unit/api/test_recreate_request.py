"""The body of recreate: only what changes, and nothing that nobody knows."""

from __future__ import annotations

import pytest

from naru.api.recreate_request import read_changes
from naru.errors import InvalidInputError


def test_only_what_is_named_changes() -> None:
    changes = read_changes(
        b'{"env": ["A=1"], "Tty": false, "Cmd": null, "HostConfig": {"memory": 0}, '
        b'"Remove": {"Labels": ["x"]}, "Image": "web"}'
    )
    assert changes.given == {
        "Env": ["A=1"],
        "Tty": False,
        "HostConfig": {"Memory": 0},
        "Image": "web",
    }
    assert changes.host == {"Memory": 0}
    assert changes.image == "web"
    assert (changes.removes.labels, changes.removes.env) == (["x"], [])


def test_a_name_alone_is_a_list_of_one_as_in_create() -> None:
    assert read_changes(b'{"Cmd": "ls"}').given == {"Cmd": ["ls"]}


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'{"Envv": []}', "unknown field Envv"),
        (b'{"HostConfig": {"Bind": []}}', "unknown field HostConfig.Bind"),
        (b'{"Remove": {"Volumes": []}}', "unknown field Remove.Volumes"),
        (b'{"Env": 1}', "Expected `array | null`, got `int`"),
        (b"[1]", "Expected `object`, got `array`"),
        (b"", "got EOF while reading request body"),
        (b"{} {}", "unexpected content after JSON"),
    ],
)
def test_what_nobody_knows_is_an_error(body: bytes, problem: str) -> None:
    with pytest.raises(InvalidInputError, match=problem.replace("|", r"\|")):
        read_changes(body)
