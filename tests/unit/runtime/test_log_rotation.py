"""Logs of containers that wrote more than they may keep before anybody looked."""

from __future__ import annotations

from pathlib import Path

from naru.runtime.log_rotation import bound_ended


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_the_newest_whole_lines_stay(tmp_path: Path) -> None:
    log = tmp_path / "container.log"
    log.write_text("".join(f"line {number}\n" for number in range(1000)))
    bound_ended(log, 100, 3)
    assert log.stat().st_size <= 300
    lines = _lines(log)
    assert lines[-1] == "line 999"
    assert lines == [f"line {number}" for number in range(1000 - len(lines), 1000)]


def test_older_files_go_when_the_newest_fills_the_bound(tmp_path: Path) -> None:
    log, older = tmp_path / "container.log", tmp_path / "container.log.1"
    log.write_text("x\n" * 1000)
    older.write_text("old\n")
    bound_ended(log, 100, 3)
    assert not older.exists()


def test_a_log_within_its_bound_is_left_alone(tmp_path: Path) -> None:
    log, older = tmp_path / "container.log", tmp_path / "container.log.1"
    log.write_text("x\n" * 100)
    older.write_text("old\n")
    bound_ended(log, 100, 3)
    assert (log.stat().st_size, older.read_text()) == (200, "old\n")


def test_no_bound_and_no_log_are_no_trouble(tmp_path: Path) -> None:
    log = tmp_path / "container.log"
    bound_ended(log, 100, 3)
    assert not log.exists()
    log.write_text("x\n" * 1000)
    bound_ended(log, 0, 3)
    assert log.stat().st_size == 2000
