"""Where logins come from."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from naru.client import credentials
from naru.errors import FaultError

_HUB = "https://index.docker.io/v1/"


def auth(text: str) -> dict[str, str]:
    return {"auth": base64.b64encode(text.encode()).decode()}


def test_the_file_holds_logins() -> None:
    config = {"auths": {"r.example": auth("me:se:cret"), _HUB: auth("hub:word")}}
    assert credentials.find(config, "r.example") == {
        "username": "me",
        "password": "se:cret",
        "serveraddress": "r.example",
    }
    assert credentials.find(config, "docker.io") == {
        "username": "hub",
        "password": "word",
        "serveraddress": _HUB,
    }
    assert credentials.find(config, "other.example") is None


@pytest.mark.parametrize("entry", [{}, {"auth": "???"}, {"auth": "bm9jb2xvbg=="}, auth(":x"), 5])
def test_entries_that_say_nothing_are_nobody(entry: object) -> None:
    assert credentials.find({"auths": {"r": entry}}, "r") is None


def test_a_token_is_carried_as_such() -> None:
    found = credentials.find({"auths": {"https://r": {"identitytoken": "t"}}}, "r")
    assert found == {"identitytoken": "t", "serveraddress": "r"}
    entry = {"auth": base64.b64encode(b"me:").decode(), "identitytoken": "t"}
    assert credentials.find({"auths": {"r": entry}}, "r") == {
        "username": "me",
        "identitytoken": "t",
        "serveraddress": "r",
    }


def test_the_header_is_base64_for_urls() -> None:
    text = credentials.header({"username": "ÿ>?", "password": "~~~"})
    assert json.loads(base64.urlsafe_b64decode(text)) == {"username": "ÿ>?", "password": "~~~"}


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a helper `test` that does what its script says."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path / "docker-credential-test"


def write(helper: Path, script: str) -> None:
    helper.write_text(f"#!/bin/sh\n{script}\n")
    helper.chmod(0o755)


def test_a_helper_is_asked(helper: Path) -> None:
    write(helper, 'read name; echo "{\\"Username\\":\\"$1\\",\\"Secret\\":\\"$name\\"}"')
    found = credentials.find({"credsStore": "test"}, "r.example")
    assert found == {"username": "get", "password": "r.example", "serveraddress": "r.example"}


def test_the_helper_of_one_registry_comes_first(helper: Path) -> None:
    write(helper, """echo '{"Username":"<token>","Secret":"t"}'""")
    config = {"credsStore": "missing", "credHelpers": {"r": "test"}, "auths": {"r": auth("a:b")}}
    assert credentials.find(config, "r") == {"identitytoken": "t", "serveraddress": "r"}
    assert credentials.find_all({"credHelpers": {"r": "test"}}) == {
        "r": {"identitytoken": "t", "serveraddress": "r"}
    }


def test_a_helper_that_knows_nothing_is_nobody(helper: Path) -> None:
    write(helper, "echo 'credentials not found in native keychain'; exit 1")
    assert credentials.find({"credsStore": "test"}, "r") is None


@pytest.mark.parametrize("script", ["echo no; exit 3", "echo '{}'", "echo hello"])
def test_a_helper_that_fails_is_an_error(helper: Path, script: str) -> None:
    write(helper, script)
    with pytest.raises(FaultError, match="error getting credentials"):
        credentials.find({"credsStore": "test"}, "r")


def test_a_helper_that_is_not_there_is_an_error() -> None:
    with pytest.raises(FaultError, match="docker-credential-not-there"):
        credentials.find({"credsStore": "not-there"}, "r")
