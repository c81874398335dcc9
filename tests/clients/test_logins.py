"""`login` and `logout`: both commands do, say and keep the same."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes.fake_registry import FakeRegistry
from harness.engine import Engine
from harness.registry import in_thread
from harness.requirements import requires

pytestmark = [requires("docker"), pytest.mark.naru_only]
USERS = {"me": "secret"}
HELPER = """#!/bin/sh
cd "$(dirname "$0")"
test "$1" = get && read key && exec cat "kept-$(echo "$key" | tr -c 'a-z0-9\\n' _)"
{ echo "$1"; cat; echo; } >> asked
"""


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with in_thread(FakeRegistry(auth="bearer", users=USERS)) as found:
        yield found


class User:
    """Somebody with a configuration of his own, who uses one of the commands."""

    def __init__(self, engine: Engine, program: str, folder: Path) -> None:
        self._run = engine.naru if program == "naru" else engine.docker
        self._program = program
        self.folder = folder
        folder.mkdir()
        self._env = {
            "DOCKER_CONFIG": str(folder / "config"),
            "PATH": f"{folder}:{os.environ['PATH']}",
        }

    def __call__(self, *words: str, stdin: str = "") -> tuple[int, str, str]:
        """Run a command; return what it left, in docker's name."""
        done = self._run(*words, stdin=stdin, env=self._env)
        err = done.err.replace(str(self.folder), "FOLDER").replace("naru log", "docker log")
        return done.code, done.out, err

    @property
    def config(self) -> Any:
        path = self.folder / "config" / "config.json"
        return json.loads(path.read_text()) if path.exists() else None

    def configure(self, config: dict[str, Any]) -> None:
        (self.folder / "config").mkdir(exist_ok=True)
        (self.folder / "config" / "config.json").write_text(json.dumps(config))

    def install_helper(self) -> None:
        path = self.folder / "docker-credential-naru-test"
        path.write_text(HELPER)
        path.chmod(0o755)

    @property
    def asked(self) -> str:
        return (self.folder / "asked").read_text()


@pytest.fixture
def users(engine: Engine, tmp_path: Path) -> tuple[User, User]:
    return User(engine, "docker", tmp_path / "docker"), User(engine, "naru", tmp_path / "naru")


def test_a_login_is_kept_used_again_and_forgotten(
    users: tuple[User, User], registry: FakeRegistry
) -> None:
    host = registry.host
    steps: list[tuple[list[str], str]] = [
        (["login", "-u", "me", "--password-stdin", host], "wrong\n"),
        (["login", "-u", "me", "--password-stdin", f"http://{host}/v2/"], "secret\n"),
        (["login", host], ""),
        (["login", "-u", "me", "-p", "secret", host], ""),
        (["login", "-u", "other", host], ""),
        (["logout", host], ""),
        (["logout", host], ""),
        (["login", host], ""),
        (["logout"], ""),
    ]
    for words, stdin in steps:
        theirs, ours = (user(*words, stdin=stdin) for user in users)
        assert ours == theirs, words
        assert users[1].config == users[0].config, words
    assert users[1].config == {"auths": {}}


@pytest.mark.parametrize(
    "words",
    [
        ["--password-stdin"],
        ["-u", "me", "-p", "x", "--password-stdin"],
        ["-u", ""],
        ["-p", "x"],
        [],
    ],
)
def test_a_login_without_all_that_it_takes_is_refused(
    users: tuple[User, User], words: list[str]
) -> None:
    theirs, ours = (user("login", *words, "127.0.0.1:1") for user in users)
    assert ours == theirs
    assert ours[0] == 1


def test_a_kept_login_that_is_not_taken_any_more_is_asked_for_anew(
    users: tuple[User, User], registry: FakeRegistry
) -> None:
    for host in (registry.host, "127.0.0.1:1"):
        for user in users:
            user.configure({"auths": {host: {"auth": "bWU6YmFk"}}, "psFormat": "x"})
        theirs, ours = (user("login", host) for user in users)
        assert ours == theirs
        assert users[1].config["psFormat"] == "x"


def test_a_token_is_kept_in_place_of_the_password(users: tuple[User, User]) -> None:
    with in_thread(FakeRegistry(auth="bearer", users=USERS, identity_token="t")) as registry:
        words = ["login", "-u", "me", "--password-stdin", registry.host]
        theirs, ours = (user(*words, stdin="secret") for user in users)
    assert ours == theirs
    assert users[1].config == users[0].config
    assert users[1].config["auths"][registry.host] == {"auth": "bWU6", "identitytoken": "t"}


def test_a_helper_keeps_what_it_is_named_for(
    users: tuple[User, User], registry: FakeRegistry
) -> None:
    log_in = ["login", "-u", "me", "--password-stdin", registry.host]
    for config, steps in (
        ({"credsStore": "naru-test"}, (log_in, ["logout", registry.host])),
        ({"credHelpers": {registry.host: "naru-test"}}, (log_in, ["logout", registry.host])),
        ({"credsStore": "naru-test-missing"}, (log_in,)),
    ):
        for user in users:
            user.install_helper()
            user.configure(config)
        for words in steps:
            theirs, ours = (user(*words, stdin="secret") for user in users)
            assert ours == theirs, (config, words)
            assert users[1].config == users[0].config, (config, words)
    assert '"Secret":"secret"' in users[1].asked
    of_docker, of_naru = (user.asked.split("erase")[0].split() for user in users)
    assert of_naru == of_docker


def test_a_password_is_asked_for_at_a_terminal(engine: Engine, registry: FakeRegistry) -> None:
    path = Path(engine.config_dir) / "config.json"
    for program in ("docker", "naru"):
        child = engine.terminal(program, "login", registry.host)
        child.expect_exact("Username: ")
        child.sendline("me")
        child.expect_exact("Password: ")
        child.sendline("secret")
        child.expect_exact("Login Succeeded")
        child.close()
        kept = json.loads(path.read_text())["auths"]
        path.unlink()
        assert kept == {registry.host: {"auth": "bWU6c2VjcmV0"}}
