"""Answers of conmon, its command line, and conmons that misbehave."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from naru.errors import FaultError, InvalidInputError, NotSupportedError, StartFailedError
from naru.runtime import bundle as bundles
from naru.runtime import conmon
from naru.runtime.bundle import Bundle
from naru.runtime.conmon import Answer, MonitorOptions
from naru.runtime.oci_runtime import OciRuntime


def test_answers_are_read() -> None:
    assert Answer(b'{"data": 42}').data == 42
    answer = Answer(b'{"data": -1, "message": "a \\"b\\"\\nc\\u000bd \\\\ \xff"}')
    assert answer.data == -1
    assert answer.message == 'a "b"\nc\x0bd \\ \ufffd'


@pytest.mark.parametrize("line", [b"", b"{}", b"garbage", b'{"data": "x"}', b'{"pid": 1}'])
def test_other_answers_are_faults(line: bytes) -> None:
    with pytest.raises(FaultError):
        Answer(line)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (MonitorOptions(), []),
        (MonitorOptions(open_stdin=True), ["-i", "--leave-stdin-open"]),
        (MonitorOptions(open_stdin=True, stdin_once=True), ["-i"]),
        (MonitorOptions(open_stdin=True, terminal=True), []),
    ],
)
def test_stdin_has_its_options(options: MonitorOptions, words: list[str]) -> None:
    assert conmon.stdin_options(options) == words


def test_a_long_exec_root_gets_a_short_place_for_consoles(tmp_path: Path) -> None:
    short = conmon.console_directory(Bundle(tmp_path / "c" / "x"))
    assert short == tmp_path / "t"
    assert stat.S_IMODE(short.stat().st_mode) == 0o700
    deep = tmp_path / ("d" * 100)
    long = conmon.console_directory(Bundle(deep / "c" / "x"))
    try:
        assert len(os.fsencode(long)) < 88
        assert long == conmon.console_directory(Bundle(deep / "c" / "y"))
    finally:
        long.rmdir()


def _fake_conmon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Bundle:
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "conmon"
    program.write_text(f"#!/bin/bash\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    bundle = Bundle(tmp_path / "run" / "c" / "x")
    bundle.path.mkdir(parents=True)
    bundles.write_spec(bundle, {"process": {"args": ["true"], "cwd": "/"}})
    return bundle


async def _create(tmp_path: Path, bundle: Bundle, log_path: Path | None = None) -> None:
    runtime = OciRuntime("fake", "/bin/false", tmp_path / "root")
    await conmon.create(
        runtime, bundle, "x", MonitorOptions(log_path=log_path, exit_dir=tmp_path / "exits")
    )


async def test_a_conmon_that_dies_is_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = _fake_conmon(tmp_path, monkeypatch, "echo 'no such log' >&2; exit 1")
    with pytest.raises(StartFailedError, match="no such log"):
        await _create(tmp_path, bundle)


async def test_a_conmon_that_babbles_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = _fake_conmon(tmp_path, monkeypatch, 'eval "echo garbage >&$_OCI_SYNCPIPE"; sleep 9')
    with pytest.raises(FaultError, match="garbage"):
        await _create(tmp_path, bundle)


async def test_a_conmon_that_hangs_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = _fake_conmon(tmp_path, monkeypatch, "exec sleep 99")
    monkeypatch.setattr(conmon, "_TIMEOUT_S", 0.1)
    with pytest.raises(FaultError, match="hung"):
        await _create(tmp_path, bundle)


async def test_a_log_path_that_conmon_cannot_take_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = _fake_conmon(tmp_path, monkeypatch, "exit 0")
    with pytest.raises(InvalidInputError, match="colon"):
        await _create(tmp_path, bundle, log_path=Path("/a:b"))


async def test_a_missing_conmon_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = _fake_conmon(tmp_path, monkeypatch, "exit 0")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(NotSupportedError, match="conmon is not installed"):
        await _create(tmp_path, bundle)
