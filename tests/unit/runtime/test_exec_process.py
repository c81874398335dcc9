"""What an ended exec leaves is deleted, also when its monitor is still at it."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from naru.runtime import exec_process


def test_a_monitor_that_leaves_files_late_does_not_stop_the_removal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [OSError(errno.ENOTEMPTY, "Directory not empty"), None]
    asked: list[Path] = []

    def remove_tree(path: Path) -> None:
        asked.append(path)
        answer = answers.pop(0)
        if answer is not None:
            raise answer

    monkeypatch.setattr(exec_process, "remove_tree", remove_tree)
    exec_process.remove(tmp_path, "a")
    assert asked == [tmp_path / "x" / "a"] * 2


def test_other_obstacles_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def remove_tree(_: Path) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(exec_process, "remove_tree", remove_tree)
    with pytest.raises(OSError, match="busy"):
        exec_process.remove(tmp_path, "a")
