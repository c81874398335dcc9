"""Logs of containers that wrote more than they may keep before anybody looked."""

from __future__ import annotations

from pathlib import Path

import pytest

from naru.runtime import log_file
from naru.runtime.log_file import LogQuery
from naru.runtime.log_rotation import bound_ended, trim


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


def _written(folder: Path, sizes: list[int]) -> Path:
    """Write a log in files of so many lines of a hundred bytes, the oldest first."""
    log, number = folder / "container.log", 0
    for index, size in enumerate(sizes):
        age = len(sizes) - 1 - index
        path = log.with_name(f"container.log.{age}") if age else log
        stamp = "2026-01-02T03:04:05.678901234+00:00 stdout F "
        lines = []
        for _ in range(size):
            lines.append(f"{stamp}{number:054}\n")
            number += 1
        path.write_text("".join(lines))
    return log


async def _read(log: Path, tail: int | None = None) -> list[int]:
    return [int(r.data) async for r in log_file.records(log, LogQuery(tail=tail))]


@pytest.mark.parametrize("sizes", [[500, 800, 200], [3000, 10], [10, 10, 5000], [4000]])
async def test_a_running_log_that_outgrew_its_bound_gives_the_oldest_back(
    tmp_path: Path, sizes: list[int]
) -> None:
    log = _written(tmp_path, sizes)
    trim(log, 30_000, 3)
    files = list(tmp_path.iterdir())
    assert sum(path.stat().st_blocks * 512 for path in files) <= 90_000 + 4096 * len(files)
    found = await _read(log)
    total = sum(sizes)
    assert found == list(range(total - len(found), total))
    assert len(found) >= 700
    assert await _read(log, tail=5) == found[-5:]
    assert await _read(log, tail=100_000) == found


async def test_a_reader_goes_on_in_a_log_that_is_trimmed(tmp_path: Path) -> None:
    log = _written(tmp_path, [3000])
    files = log_file.LogFiles(log)
    files.open()
    files.seek_end()
    position = files.position(0)
    trim(log, 10_000, 3)
    assert position is not None
    again = log_file.LogFiles(log)
    again.open()
    assert again.seek(position)
    assert again.position(0) is not None
    files.close()
    again.close()


def test_a_log_without_bound_is_not_trimmed(tmp_path: Path) -> None:
    log = _written(tmp_path, [1000])
    trim(log, 0, 3)
    trim(tmp_path / "absent", 10, 3)
    assert log.stat().st_blocks * 512 >= 100_000
