"""Progress looks as it does in docker, on a terminal and on a pipe."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from naru.cli import progress
from naru.cli.failure import CommandFailedError

_GOLDEN = Path(__file__).parents[2] / "golden" / "cli"
_DIGEST = "sha256:6d75c99af15565a301e48297fa2d121e15d80ad526f8369c526324f0f7ccb750"
_LAYERS = ("69692152171a", "30afc0b18f67", "596b1d696923")


def _pull() -> list[dict[str, Any]]:
    def step(layer: str, status: str, detail: dict[str, int] | None = None) -> dict[str, Any]:
        return {"status": status, "progressDetail": detail or {}, "id": layer}

    records = [{"status": "Pulling from library/nginx", "id": "latest"}]
    records += [step(layer, "Pulling fs layer") for layer in _LAYERS]
    records.append(step(_LAYERS[2], "Waiting"))
    for layer in _LAYERS:
        records += [
            step(layer, "Downloading", {"current": 500_000, "total": 1_000_000}),
            step(layer, "Verifying Checksum"),
            step(layer, "Download complete"),
            step(layer, "Extracting", {"current": 1_000_000, "total": 1_000_000}),
            step(layer, "Pull complete"),
        ]
    records.append({"status": f"Digest: {_DIGEST}"})
    records.append({"status": "Status: Downloaded newer image for nginx:latest"})
    return records


def test_pull_on_a_pipe() -> None:
    out = io.StringIO()
    progress.show(_pull(), out, is_terminal=False)
    golden = (_GOLDEN / "pull_pipe.txt").read_text()
    assert out.getvalue() + "docker.io/library/nginx:latest\n" == golden


def test_pull_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress.Screen, "_width", lambda _self: 80)
    out = io.StringIO()
    progress.show(_pull(), out, is_terminal=True)
    golden = (_GOLDEN / "pull_terminal.txt").read_bytes().decode()
    shown = out.getvalue().replace("\n", "\r\n") + "docker.io/library/nginx:latest\r\n"
    assert shown == golden


def test_wide_terminal_has_a_bar() -> None:
    out = io.StringIO()
    detail = {"current": 500_000, "total": 1_000_000}
    record = {"status": "Downloading", "id": "a", "progressDetail": detail}
    progress.show([record], out, is_terminal=True)
    assert f"[{'=' * 25}>{' ' * 25}]    500kB/1MB" in out.getvalue()


def test_error_in_the_stream_ends_it() -> None:
    record = {"errorDetail": {"message": "boom"}, "error": "boom"}
    with pytest.raises(CommandFailedError) as caught:
        progress.show([record, {"status": "never"}], io.StringIO(), is_terminal=False)
    assert caught.value.message == "boom"


def test_streams_are_printed_as_they_are_and_aux_goes_elsewhere() -> None:
    out = io.StringIO()
    seen: list[dict[str, str]] = []
    records: list[dict[str, Any]] = [{"stream": "Loaded image: x\n"}, {"aux": {"ID": "y"}}]
    progress.show(records, out, is_terminal=True, on_aux=seen.append)
    assert out.getvalue() == "Loaded image: x\n"
    assert seen == [{"ID": "y"}]
