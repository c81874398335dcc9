"""Logins that come to stand in config.json, and go from there."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from naru.client import credential_store
from naru.errors import FaultError

LOGIN = {"username": "me", "password": "secret"}


def _pair(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_a_password_comes_into_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.json"
    config: dict[str, Any] = {}
    assert credential_store.keep(str(path), config, "r.example", LOGIN)
    assert json.loads(path.read_text()) == {"auths": {"r.example": {"auth": _pair("me:secret")}}}
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert json.loads(path.read_text()) == config


def test_what_else_stands_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    config = {"psFormat": "x", "HttpHeaders": {"A": "é"}, "auths": {"other": {"auth": "eA=="}}}
    credential_store.keep(str(path), config, "r", LOGIN)
    credential_store.forget(str(path), config, "other")
    found = json.loads(path.read_text())
    assert (found["psFormat"], found["HttpHeaders"]) == ("x", {"A": "é"})
    assert list(found["auths"]) == ["r"]


def test_a_token_stands_there_without_the_password(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    login = {**LOGIN, "identitytoken": "t"}
    assert not credential_store.keep(str(path), {}, "r", login)
    kept = json.loads(path.read_text())["auths"]["r"]
    assert kept == {"auth": _pair("me:"), "identitytoken": "t"}


def test_the_same_login_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    config: dict[str, Any] = {}
    credential_store.keep(str(path), config, "r", LOGIN)
    path.unlink()
    assert not credential_store.keep(str(path), config, "r", LOGIN)
    credential_store.forget(str(path), config, "unknown")
    assert not path.exists()


def test_a_link_to_the_file_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "config.json"
    real.write_text("{}")
    link.symlink_to(real)
    credential_store.keep(str(link), {}, "r", LOGIN)
    assert link.is_symlink()
    assert "r" in json.loads(real.read_text())["auths"]


def test_a_file_that_cannot_be_written_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.mkdir()
    with pytest.raises(FaultError, match=r"config\.json: "):
        credential_store.keep(str(path), {}, "r", LOGIN)
    assert [item.name for item in tmp_path.iterdir()] == ["config.json"]


def test_a_helper_that_fails_keeps_the_file_from_changing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = tmp_path / "docker-credential-test"
    helper.write_text("#!/bin/sh\necho no room; exit 3\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    path = tmp_path / "config.json"
    with pytest.raises(FaultError) as caught:
        credential_store.keep(str(path), {"credsStore": "test"}, "r", LOGIN)
    expected = "error storing credentials - err: exit status 3, out: `no room`"
    assert caught.value.message == expected
    assert not path.exists()
