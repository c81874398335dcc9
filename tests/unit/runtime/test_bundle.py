"""The notes in a bundle about its processes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from naru.errors import NotFoundError
from naru.runtime import bundle as bundles
from naru.runtime.bundle import Bundle, Processes


def _bundle(tmp_path: Path) -> Bundle:
    bundle = bundles.existing(tmp_path, "abc")
    bundle.path.mkdir(parents=True)
    return bundle


def test_processes_are_known_by_pid_and_start(tmp_path: Path) -> None:
    bundle = _bundle(tmp_path)
    bundle.write_processes(os.getpid(), os.getppid())
    found = bundle.processes()
    assert found is not None
    assert (found.pid, found.conmon_pid) == (os.getpid(), os.getppid())
    assert found.is_alive
    assert found.is_monitored


def test_a_pid_that_was_given_to_another_process_is_not_alive() -> None:
    assert not Processes(os.getpid(), 1, os.getpid(), 1).is_alive


def test_a_torn_note_falls_back_to_the_pid_file(tmp_path: Path) -> None:
    bundle = _bundle(tmp_path)
    bundle.processes_file.write_text("12 3")
    assert bundle.processes() is None
    bundle.pidfile.write_text(str(os.getpid()))
    found = bundle.processes()
    assert found is not None
    assert found.pid == os.getpid()


def test_no_bundle_has_no_processes_and_no_spec(tmp_path: Path) -> None:
    bundle = bundles.existing(tmp_path, "abc")
    assert bundle.processes() is None
    assert bundles.walk(tmp_path) == []
    with pytest.raises(NotFoundError):
        bundles.read_spec(bundle)
    bundles.remove(tmp_path, "abc")


def test_the_spec_is_compact_and_comes_back(tmp_path: Path) -> None:
    bundle = _bundle(tmp_path)
    bundles.write_spec(bundle, {"a": [1, 2], "b": {"c": True}})
    assert bundle.config.read_bytes() == b'{"a":[1,2],"b":{"c":true}}'
    assert bundles.read_spec(bundle) == {"a": [1, 2], "b": {"c": True}}
    assert bundles.walk(tmp_path) == ["abc"]
