"""What both commands print of one and the same stream of progress records, to the byte."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

from fakes.recording_engine import RecordingEngine
from harness.requirements import requires

pytestmark = [requires("docker"), pytest.mark.docker_release("28")]
_PROGRAMS = ("docker", str(Path(sys.executable).parent / "naru"))
_DIGEST = f"sha256:{'6d' * 32}"


def _step(layer: str, status: str, **detail: object) -> dict[str, Any]:
    return {"status": status, "progressDetail": detail, "id": layer}


def _ordinary() -> list[dict[str, Any]]:
    layers = ("69692152171a", "30afc0b18f67")
    records: list[dict[str, Any]] = [{"status": "Pulling from library/nginx", "id": "latest"}]
    records += [_step(layer, "Pulling fs layer") for layer in layers]
    for layer in layers:
        records += [
            _step(layer, "Downloading", current=500_000, total=1_000_000),
            _step(layer, "Verifying Checksum"),
            _step(layer, "Extracting", current=1_000_000, total=1_000_000),
            _step(layer, "Pull complete"),
        ]
    return [*records, {"status": f"Digest: {_DIGEST}"}, {"status": "Status: Downloaded"}]


def _odd() -> list[dict[str, Any]]:
    return [
        _step("a", "Downloading", current=5, total=0),
        _step("a", "Downloading", current=7, total=5),
        _step("a", "Downloading", current=0, total=5),
        _step("b", "Counting", current=3, total=9, units="files"),
        _step("b", "Counting", current=3, units="files"),
        _step("b", "Hiding", current=3, total=9, hidecounts=True),
        {"status": "without an id", "progressDetail": {"current": 1, "total": 2}},
        {"status": "a line between"},
        _step("a", "again", current=2**40, total=2**41),
        {"status": "old", "id": "c", "progress": "[=>  ] 1B/2B"},
        {"stream": "text as it is\n"},
        {"status": "", "id": "d"},
        {"id": "e", "aux": {"ID": "x"}},
        {"status": "the end", "id": "f"},
    ]


def _drawn(seed: int) -> list[dict[str, Any]]:
    chosen = random.Random(seed)
    records: list[dict[str, Any]] = []
    for _ in range(60):
        layer = chosen.choice("abcde") * 12
        match chosen.randrange(6):
            case 0:
                records.append({"status": chosen.choice(["one", "two"])})
            case 1:
                records.append(_step(layer, "Waiting"))
            case 2:
                records.append({"status": "plain", "id": layer})
            case _:
                total = chosen.choice([0, 1, 999, 10**6, 7 * 10**9])
                current = chosen.randrange(total + 2)
                records.append(_step(layer, "Downloading", current=current, total=total))
    return records


_STREAMS = {
    "ordinary": _ordinary(),
    "odd": _odd(),
    "nothing": [],
    "failure": [*_ordinary()[:5], {"errorDetail": {"message": "boom"}, "error": "boom"}, *_odd()],
    "code": [{"errorDetail": {"code": 401, "message": "who?"}, "error": "who?"}],
    **{f"drawn {seed}": _drawn(seed) for seed in range(6)},
}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[RecordingEngine]:
    made = RecordingEngine(tmp_path / "engine.sock")
    yield made
    made.close()


@pytest.fixture
def environ(engine: RecordingEngine, tmp_path: Path) -> dict[str, str]:
    kept = {key: text for key, text in os.environ.items() if not key.startswith("DOCKER_")}
    own = {"DOCKER_HOST": f"unix://{engine.socket_path}", "DOCKER_CONFIG": str(tmp_path)}
    return kept | own | {"TERM": "xterm"}


@pytest.mark.parametrize("stream", _STREAMS)
def test_streams_look_alike_on_pipes_and_terminals(
    engine: RecordingEngine, environ: dict[str, str], stream: str
) -> None:
    body = "".join(f"{json.dumps(record)}\r\n" for record in _STREAMS[stream])
    engine.said["/images/create"] = body.encode() or b" "

    def on_pipe(program: str, *options: str) -> tuple[int, str, str]:
        argv = [program, "pull", *options, "nginx"]
        done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def on_terminal(program: str, columns: int) -> tuple[int | None, str]:
        screen = pexpect.spawn(
            program,
            ["pull", "nginx"],
            env=environ,
            dimensions=(24, columns),
            encoding="utf-8",
            echo=False,
        )
        screen.expect(pexpect.EOF)
        screen.close()
        return screen.exitstatus, screen.before or ""

    docker, naru = _PROGRAMS
    assert on_pipe(naru) == on_pipe(docker)
    assert on_pipe(naru, "-q") == on_pipe(docker, "--quiet")
    for columns in (80, 150):
        assert on_terminal(naru, columns) == on_terminal(docker, columns)
