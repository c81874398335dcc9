"""`pull`, `load` and `import` send what was asked for."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from naru.cli import registry_auth

Cli = Callable[..., Any]
_DONE = [{"status": "Pulling from library/nginx", "id": "latest"}, {"status": "Status: done"}]


def test_pull_of_a_short_name(cli: Cli, engine: Any) -> None:
    engine.on("POST", "/images/create", _DONE)
    assert cli("pull", "nginx").out == (
        "Using default tag: latest\nlatest: Pulling from library/nginx\nStatus: done\n"
        "docker.io/library/nginx:latest\n"
    )
    assert engine.asked[0][2] == {"fromImage": "nginx", "tag": "latest"}


def test_quiet_pull_prints_the_name_alone(cli: Cli, engine: Any) -> None:
    engine.on("POST", "/images/create", _DONE)
    assert cli("pull", "-q", "host:5000/a/b:1").out == "host:5000/a/b:1\n"


def test_error_while_pulling_is_an_error_even_when_quiet(cli: Cli, engine: Any) -> None:
    engine.on("POST", "/images/create", [{"errorDetail": {"message": "boom"}, "error": "boom"}])
    for words in (("pull", "a:1"), ("pull", "-q", "a:1")):
        outcome = cli(*words)
        assert (outcome.code, outcome.err) == (1, "boom\n")


def test_all_tags_take_no_tag(cli: Cli, engine: Any) -> None:
    assert cli("pull", "-a", "a:b").err == "tag can't be used with --all-tags/-a\n"
    engine.on("POST", "/images/create", _DONE)
    assert cli("pull", "-a", "centos").out.endswith("docker.io/library/centos\n")
    assert engine.asked[0][2] == {"fromImage": "centos"}


def test_signatures_are_not_pretended_to_be_checked(cli: Cli, engine: Any) -> None:
    assert cli("pull", "--disable-content-trust=false", "a").code == 1
    assert cli("pull", "a", environ={"DOCKER_CONTENT_TRUST": "1"}).code == 1
    assert engine.asked == []


def test_archive_is_sent_whole(cli: Cli, engine: Any, tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(b"x" * 1_000_000)
    engine.on("POST", "/images/load", [{"stream": "Loaded image: x\n"}])
    assert cli("load", "-i", str(tmp_path / "x.tar")).out == "Loaded image: x\n"
    assert cli("load", stdin=b"tar").out == "Loaded image: x\n"
    assert [body for *_, body in engine.asked] == [b"x" * 1_000_000, b"tar"]


def test_a_missing_archive_is_an_error_before_any_request(cli: Cli, engine: Any) -> None:
    for words in (("load", "-i", "/nope"), ("import", "/nope")):
        outcome = cli(*words)
        assert (outcome.code, outcome.err) == (1, "open /nope: no such file or directory\n")
    assert engine.asked == []


def test_import_from_stdin_and_url(cli: Cli, engine: Any) -> None:
    engine.on("POST", "/images/create", [{"status": "sha256:0"}])
    assert cli("import", "-m", "m", "-c", "CMD a", "-", "x:1", stdin=b"tar").out == "sha256:0\n"
    assert cli("import", "http://h/x.tar").code == 0
    (_, _, first, body), (_, _, second, nothing) = engine.asked
    assert first == {"fromSrc": "-", "repo": "x:1", "message": "m", "changes": ["CMD a"]}
    assert (second, body, nothing) == ({"fromSrc": "http://h/x.tar"}, b"tar", None)


@pytest.mark.parametrize(
    ("registry", "login"),
    [
        ("docker.io", {"username": "me", "password": "p:w"}),
        ("host:5000", {"identitytoken": "token"}),
        ("other", None),
        ("broken", None),
    ],
)
def test_login_of_the_configuration_goes_along(registry: str, login: dict[str, str] | None) -> None:
    auths = {
        "https://index.docker.io/v1/": {"auth": base64.b64encode(b"me:p:w").decode()},
        "host:5000": {"identitytoken": "token"},
        "broken": {"auth": "!"},
    }
    invocation: Any = SimpleNamespace(config={"auths": auths})
    headers = registry_auth.headers(invocation, registry)
    if login is None:
        assert headers == {}
    else:
        sent = json.loads(base64.urlsafe_b64decode(headers["X-Registry-Auth"]))
        sent.pop("serveraddress")
        assert sent == login
