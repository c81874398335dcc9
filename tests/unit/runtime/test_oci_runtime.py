"""Signals by name and number, and runtimes that misbehave."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from naru.errors import ConflictError, FaultError, NotFoundError, StartFailedError, ToolFailedError
from naru.runtime.oci_runtime import OciRuntime, signal_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("9", 9),
        ("KILL", 9),
        ("SIGKILL", 9),
        ("sigterm", 15),
        ("Hup", 1),
        ("RTMIN+3", signal.SIGRTMIN + 3),
        ("SIGRTMAX-1", signal.SIGRTMAX - 1),
        ("RTMIN", signal.SIGRTMIN),
        ("", 0),
        ("0", 0),
        ("65", 0),
        ("-9", 0),
        ("NOSUCH", 0),
        ("RTMIN+99", 0),
        ("_DFL", 0),
    ],
)
def test_signals_by_name_and_number(text: str, number: int) -> None:
    assert signal_number(text) == number


def _fake(tmp_path: Path, script: str) -> OciRuntime:
    program = tmp_path / "fake"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return OciRuntime("fake", str(program), tmp_path / "root")


async def test_garbage_for_a_state_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(FaultError):
        await _fake(tmp_path, "echo garbage").state("x")


async def test_an_unknown_container_has_no_state_and_is_deleted_already(tmp_path: Path) -> None:
    runtime = _fake(tmp_path, 'echo "container does not exist" >&2; exit 1')
    assert await runtime.state("x") is None
    await runtime.delete("x")
    with pytest.raises(NotFoundError):
        await runtime.kill("x", 9)


async def test_refusals_keep_their_kind(tmp_path: Path) -> None:
    with pytest.raises(ConflictError):
        await _fake(tmp_path, 'echo "container not running" >&2; exit 1').pause("x")
    with pytest.raises(StartFailedError):
        await _fake(tmp_path, "exit 1").start("x")
    with pytest.raises(ToolFailedError):
        await _fake(tmp_path, "kill -9 $$").delete("x")
