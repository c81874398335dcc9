"""The journal of events: kept, bounded, and readable whatever an engine died of."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from naru.engine.events.journal import EventJournal


def _event(second: int, **more: Any) -> dict[str, Any]:
    return {"Action": f"number {second}", "timeNano": second * 10**9, **more}


def _all(journal: EventJournal) -> list[dict[str, Any]]:
    return journal.read(0, None, journal.last_number)


def _filled(folder: Path, count: int, **bounds: int) -> EventJournal:
    journal = EventJournal(folder, **bounds)
    for second in range(1, count + 1):
        journal.append(_event(second))
    return journal


def test_events_come_back_in_their_order_and_from_another_engine(tmp_path: Path) -> None:
    first = _filled(tmp_path, 3)
    expected = [_event(1), _event(2), _event(3)]
    assert _all(first) == expected
    first.close()
    second = EventJournal(tmp_path)
    second.append(_event(4, note="line\nbreak"))
    assert _all(second) == [*expected, _event(4, note="line\nbreak")]
    second.close()


def test_a_stretch_of_time_is_read_with_both_its_ends(tmp_path: Path) -> None:
    journal = _filled(tmp_path, 5)
    found = journal.read(2 * 10**9, 4 * 10**9, journal.last_number)
    assert found == [_event(2), _event(3), _event(4)]
    journal.close()


def test_what_comes_after_the_asking_is_not_read(tmp_path: Path) -> None:
    journal = _filled(tmp_path, 2)
    asked_at = journal.last_number
    journal.append(_event(3))
    assert journal.read(0, None, asked_at) == [_event(1), _event(2)]
    journal.close()


@pytest.mark.parametrize("bounds", [{"segment_events": 10}, {"segment_bytes": 500}])
def test_old_events_make_room(tmp_path: Path, bounds: dict[str, int]) -> None:
    journal = _filled(tmp_path, 100, **bounds)
    found = _all(journal)
    assert 5 < len(found) <= 25
    assert found == [_event(second) for second in range(101 - len(found), 101)]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 3000
    journal.close()


def test_a_bound_holds_over_restarts(tmp_path: Path) -> None:
    for start in range(1, 50):
        journal = EventJournal(tmp_path, segment_events=10)
        journal.append(_event(start))
        journal.close()
    journal = EventJournal(tmp_path, segment_events=10)
    assert 10 <= len(_all(journal)) <= 20
    journal.close()


def test_an_engine_that_died_between_two_segments_loses_nothing(tmp_path: Path) -> None:
    _filled(tmp_path, 4).close()
    (tmp_path / "current").rename(tmp_path / "previous")
    journal = EventJournal(tmp_path)
    journal.append(_event(5))
    assert _all(journal) == [_event(n) for n in range(1, 6)]
    journal.close()


@pytest.mark.parametrize("cut", [1, 2, 10, 30])
def test_a_line_cut_short_costs_that_event_only(tmp_path: Path, cut: int) -> None:
    _filled(tmp_path, 3).close()
    path = tmp_path / "current"
    os.truncate(path, path.stat().st_size - cut)
    journal = EventJournal(tmp_path)
    journal.append(_event(4))
    kept = [_event(1), _event(2)]
    # Without its line break alone a line is whole.
    assert _all(journal) == [*kept, *([_event(3)] if cut == 1 else []), _event(4)]
    journal.close()


def test_bytes_of_any_kind_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "current").write_bytes(b'\x00\xff\n1 x {}\n2 2 {"a" }\n\n3 3 [1]\n')
    journal = EventJournal(tmp_path)
    journal.append(_event(1))
    assert _all(journal) == [_event(1)]
    journal.close()


def test_a_full_disk_is_survived(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    journal = _filled(tmp_path, 1)
    full = os.open("/dev/full", os.O_WRONLY)
    good, journal._fd = journal._fd, full
    journal.append(_event(2))
    journal.append(_event(3))
    assert caplog.text.count("events are not kept") == 1
    journal._fd = good
    os.close(full)
    journal.append(_event(4))
    assert _all(journal) == [_event(1), _event(4)]
    journal.close()
