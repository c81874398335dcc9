"""Our command and docker's, given the same words, ask the engine for the same container."""

from __future__ import annotations

import io
import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from fakes.create_words import WORDS
from fakes.recording_engine import Asked, RecordingEngine
from harness.requirements import requires
from naru.cli import main

pytestmark = [requires("docker"), pytest.mark.docker_release("28.2")]
_FILES = {
    "a.env": b'# comment\nA=1\n  B=2  \nHOSTVAR\nNOSUCH\n\nC="x y"\nD=\n',
    "bom.env": b"\xef\xbb\xbfBOM=1\n",
    "bad.env": b"BAD NAME=1\n",
    "bad2.env": b"=x\n",
    "bad3.env": b"A=\xff\xfe\n",
    "tab.env": b"\tX=1\n",
    "crlf.env": b"A=1\r\nB=2\r\n",
    "lab": b"l1=v1\nl2\n#c\n l3=v3\n",
    "badlab": b"a b=1\n",
    "sec.json": b'{"a": 1,  "b":[], "c": "x \\" y"}',
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, data in _FILES.items():
        (tmp_path / name).write_bytes(data)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[RecordingEngine]:
    engine = RecordingEngine(tmp_path / "engine.sock")
    yield engine
    engine.close()


@pytest.mark.parametrize("family", WORDS)
def test_the_same_words_ask_for_the_same_container(
    family: str, folder: Path, recorder: RecordingEngine
) -> None:
    environ = {
        "HOSTVAR": "hv",
        "HOME": str(folder),
        "PATH": os.environ["PATH"],
        "DOCKER_HOST": f"unix://{recorder.socket_path}",
    }
    differing: list[str] = []
    for line in WORDS[family].strip("\n").splitlines():
        words = ["create", *shlex.split(line), "img", "cmd", "-x"]
        theirs = _by_docker(words, environ, recorder)
        ours = _by_naru(words, environ, recorder)
        if ours != theirs:
            differing.append(f"{line}\n  docker: {theirs}\n  naru:   {ours}")
    assert not differing, "\n".join(differing)


def _by_docker(words: list[str], environ: dict[str, str], recorder: RecordingEngine) -> Any:
    done = subprocess.run(
        ["docker", *words],
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr, _plain(recorder.take_create())


def _by_naru(words: list[str], environ: dict[str, str], recorder: RecordingEngine) -> Any:
    stderr = io.StringIO()
    code = main.run(words, environ, io.StringIO(), io.StringIO(), stderr)
    text = stderr.getvalue().replace("naru", "docker")
    return code, text, _plain(recorder.take_create())


def _plain(asked: Asked | None) -> Any:
    """Return what counts of a request: maps and sets have no order."""
    if asked is None:
        return None
    for owner, field in ((asked.body, "Env"), (asked.body["HostConfig"], "Binds")):
        if owner[field]:
            owner[field].sort()
    return sorted(parse_qsl(asked.query)), asked.body
