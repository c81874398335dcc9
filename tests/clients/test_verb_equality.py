"""Our command and docker's, told the same about a container, ask the engine for the same."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from fakes.recording_engine import RecordingEngine
from harness.requirements import requires
from naru.cli import command_table, main

pytestmark = [requires("docker"), pytest.mark.docker_release("28.2")]
_LINES = """
stop c d
stop -t 3 c
stop --timeout 0 c
stop --signal INT -t -1 c
restart c d
restart -t 3 c
restart --timeout=4 --signal HUP c
kill c
kill -s USR1 c d
kill --signal 9 c
pause c d
unpause c d
wait c d
rename c d
rm c d
rm -f c
rm --force --volumes c
rm -v c
rm -l c
rm --link c
update --restart on-failure:3 c
update -m 64m --memory-swap -1 --memory-reservation 32m c d
update --cpus 1.5 --cpuset-cpus 0 --cpuset-mems 0 --pids-limit 10 c
update -c 512 --cpu-shares 10 --cpu-period 1000 --cpu-quota 2000 c
update --cpu-rt-period 1000 --cpu-rt-runtime 500 --blkio-weight 100 c
exec -d c true
exec --detach -e A=1 --env B --env HOSTVAR c true
exec -d --env-file vars -e C=3 c sh -c 'x y'
exec -d -u 1:2 -w /tmp --privileged c id
exec -d --user root --workdir / c id
exec -d --detach-keys ctrl-a c id
exec -d -t c id
exec -d -i c id
start c d
"""
# Options that no request of a command in the background shows, and where they are looked at.
_ELSEWHERE = {
    "exec": {"interactive", "tty"},
    "start": {"attach", "detach-keys", "interactive"},
    "update": {"kernel-memory"},
}


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordingEngine]:
    (tmp_path / "vars").write_text("FROM_FILE=1\nHOSTVAR\n")
    monkeypatch.chdir(tmp_path)
    engine = RecordingEngine(tmp_path / "engine.sock")
    yield engine
    engine.close()


def test_the_same_words_ask_for_the_same(recorder: RecordingEngine, tmp_path: Path) -> None:
    environ = {
        "HOSTVAR": "hv",
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "DOCKER_HOST": f"unix://{recorder.socket_path}",
    }
    differing = []
    for line in _LINES.strip().splitlines():
        words = line.split()
        done = subprocess.run(
            ["docker", *words], env=environ, capture_output=True, text=True, check=False
        )
        theirs = (done.returncode, done.stdout, _plain(recorder))
        stdout = io.StringIO()
        code = main.run(words, environ, io.StringIO(), stdout, io.StringIO())
        ours = (code, stdout.getvalue(), _plain(recorder))
        if ours != theirs:
            differing.append(f"{line}\n  docker: {theirs}\n  naru:   {ours}")
    assert not differing, "\n".join(differing)


def _plain(recorder: RecordingEngine) -> list[Any]:
    """Return what counts of the requests; fields that are not said and zeros are the same.

    Some verbs ask for several containers at once, so requests about different ones have no order.
    """
    found = [
        (asked.method, asked.path, sorted(parse_qsl(asked.query)), _given(asked.body))
        for asked in recorder.take_changes()
    ]
    return sorted(found, key=lambda asked: str(asked[:2]))


def _given(body: Any) -> Any:
    if not isinstance(body, dict):
        return body
    fields = {key: _given(value) for key, value in body.items()}
    return {
        key: value for key, value in fields.items() if value not in (None, 0, "", [], {}, [0, 0])
    }


@pytest.mark.parametrize("verb", ["stop", "restart", "kill", "rm", "update", "exec", "start"])
def test_every_option_is_among_the_words(verb: str) -> None:
    said = {
        word.partition("=")[0]
        for line in _LINES.strip().splitlines()
        if line.startswith(f"{verb} ")
        for word in line.split()
    }
    for option in command_table.load_command(verb).options:
        if option.is_ours or option.hidden or option.name in {"help", *_ELSEWHERE.get(verb, ())}:
            continue
        assert said & {f"--{option.name}", f"-{option.short}"}, f"{verb} --{option.name}"
