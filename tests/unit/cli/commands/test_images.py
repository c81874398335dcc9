"""`images`, `rmi`, `tag` and `history`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from naru.cli.commands.images import image_names
from naru.errors import ConflictError, NotFoundError

Cli = Callable[..., Any]


@pytest.mark.parametrize(
    ("tags", "digests", "plain", "with_digests"),
    [
        ([], [], [("<none>", "<none>", "<none>")], [("<none>", "<none>", "<none>")]),
        (["<none>:<none>"], ["<none>@<none>"], [("<none>",) * 3], [("<none>",) * 3]),
        (["a:1", "h:5000/b:2"], [], [("a", "1", "<none>"), ("h:5000/b", "2", "<none>")], None),
        (["a:1"], ["a@sha256:0"], [("a", "1", "<none>")], [("a", "1", "sha256:0")]),
        ([], ["a@sha256:0"], [("a", "<none>", "")], [("a", "<none>", "sha256:0")]),
    ],
)
def test_every_name_has_its_row(
    tags: list[str], digests: list[str], plain: list[Any], with_digests: list[Any] | None
) -> None:
    item = {"RepoTags": tags, "RepoDigests": digests}
    assert list(image_names(item, with_digests=False)) == plain
    assert list(image_names(item, with_digests=True)) == (with_digests or plain)


def _missing() -> NotFoundError:
    error = NotFoundError("No such image: x:latest")
    error.reported = True
    return error


def test_removal_reports_names_and_layers(cli: Cli, engine: Any) -> None:
    engine.on("DELETE", "/images/a:1", [{"Untagged": "a:1"}, {"Deleted": "sha256:0"}])
    assert cli("rmi", "a:1").out == "Untagged: a:1\nDeleted: sha256:0\n"


def test_missing_image_is_no_failure_when_forced(cli: Cli, engine: Any) -> None:
    engine.on("DELETE", "/images/x", _missing())
    assert cli("rmi", "x").code == 1
    assert cli("rmi", "-f", "x").code == 0
    engine.on("DELETE", "/images/y", ConflictError("in use"))
    assert cli("rmi", "-f", "x", "y").code == 1


def test_tag_refuses_what_is_no_name(cli: Cli, engine: Any) -> None:
    outcome = cli("tag", "a", "X")
    assert outcome.err == (
        'Error parsing reference: "X" is not a valid repository/tag: invalid reference format: '
        "repository name (library/X) must be lowercase\n"
    )
    outcome = cli("tag", "", "x")
    assert outcome.err == (
        'Error parsing reference: "" is not a valid repository/tag: invalid reference format\n'
    )
    assert engine.asked == []


def test_tag_takes_ids_for_the_image(cli: Cli, engine: Any) -> None:
    for source in ("f" * 64, f"sha256:{'f' * 64}", "f00d"):
        engine.on("POST", f"/images/{source}/tag", None)
        assert cli("tag", source, "x:1").code == 0
        assert engine.asked[-1][2] == {"repo": "x", "tag": "1"}


def test_tag_is_sent_in_its_familiar_form(cli: Cli, engine: Any) -> None:
    engine.on("POST", "/images/a/tag", None)
    assert cli("tag", "a", "docker.io/library/b").code == 0
    assert engine.asked[0][2] == {"repo": "b", "tag": "latest"}


def test_platform_needs_a_new_engine(cli: Cli, engine: Any) -> None:
    engine.api_version = "1.41"
    assert cli("history", "--platform", "linux/amd64", "x").err == (
        '"--platform" requires API version 1.48, but the Docker daemon API version is 1.41\n'
    )


def test_history_of_an_imported_image(cli: Cli, engine: Any) -> None:
    item = {
        "Id": "sha256:" + "ab" * 32,
        "Created": 0,
        "CreatedBy": "a\tb",
        "Size": 5,
        "Comment": "c",
    }
    engine.on("GET", "/images/x/history", [item])
    assert cli("history", "x").out == (
        "IMAGE          CREATED   CREATED BY   SIZE      COMMENT\n"
        "abababababab   N/A       a b          5B        c\n"
    )
