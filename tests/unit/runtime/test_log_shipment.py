"""A spool on its way to a sink: nothing lost, nothing twice, whatever happens between."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naru.errors import FaultError
from naru.faults import arm
from naru.runtime import json_log
from naru.runtime.json_log import JsonFormat, JsonLog
from naru.runtime.log_lines import Record
from naru.runtime.log_shipment import FileShipment, Progress, RemoteShipment

_POINTS = ("runtime.log_shipment.after_append", "runtime.json_log.after_rename")


def _line(number: int, tag: str = "F", text: str | None = None) -> bytes:
    body = f"line {number}" if text is None else text
    stamp = f"2026-01-02T03:04:{number // 1000 % 60:02}.{number % 1000:03}000000+00:00"
    return f"{stamp} stdout {tag} {body}\n".encode()


class _Spool:
    """What conmon does."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "container.log"
        self.written: list[str] = []
        self._count = 0
        self.path.touch()

    def write(self, count: int) -> None:
        with self.path.open("ab") as file:
            for _ in range(count):
                file.write(_line(self._count))
                self.written.append(f"line {self._count}\n")
                self._count += 1

    def write_in_pieces(self) -> None:
        with self.path.open("ab") as file:
            file.write(_line(self._count, "P", "one "))
            file.write(_line(self._count, "F", "line"))
        self.written.append("one line\n")
        self._count += 1

    def rotate(self) -> None:
        for number in (2, 1):
            source = self.path if number == 1 else self.path.with_name("container.log.1")
            if source.exists():
                source.replace(self.path.with_name(f"container.log.{number}"))
        self.path.touch()


def _shipment(folder: Path, max_bytes: int = 0) -> FileShipment:
    target = JsonLog(folder / "x-json.log", max_bytes, 50, compress=False)
    return FileShipment(folder / "container.log", target, JsonFormat({}))


def _shipped(folder: Path) -> list[str]:
    def number(path: Path) -> int:
        return int(path.name.partition("log.")[2] or 0)

    files = sorted(folder.glob("x-json.log*"), key=number, reverse=True)
    return [json.loads(line)["log"] for file in files for line in file.read_bytes().splitlines()]


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 30)),
        st.tuples(st.just("pieces"), st.just(0)),
        st.tuples(st.just("ship"), st.just(0)),
        st.tuples(st.just("rotate"), st.just(0)),
        st.tuples(st.sampled_from(_POINTS), st.integers(1, 3)),
        st.tuples(st.just("tear"), st.integers(1, 40)),
    ),
    max_size=20,
)


@settings(max_examples=150)
@given(_STEPS, st.sampled_from([0, 300]))
def test_every_line_arrives_once_whatever_kills_the_engine(
    steps: list[tuple[str, int]], max_bytes: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spool, shipment = _Spool(folder), _shipment(folder, max_bytes)
        for step, count in steps:
            match step:
                case "write":
                    spool.write(count)
                case "pieces":
                    spool.write_in_pieces()
                case "ship":
                    shipment.ship()
                case "rotate":
                    # As the keeper does: a file gets everything first.
                    while shipment.ship() is Progress.MORE:
                        pass
                    spool.rotate()
                case "tear":
                    shipment = _die_in_a_write(folder, shipment, count, max_bytes)
                case _:
                    arm(step, f"raise:{count}")
                    try:
                        shipment.ship()
                    except FaultError:
                        shipment.close()
                        shipment = _shipment(folder, max_bytes)
                    arm(step, "")
        shipment.finish()
        shipment.close()
        assert _shipped(folder) == spool.written


def _die_in_a_write(
    folder: Path, shipment: FileShipment, count: int, max_bytes: int
) -> FileShipment:
    """Let the engine be killed when some bytes of a write are on disk."""

    def write_some(descriptor: int, data: memoryview) -> None:
        os.write(descriptor, data[:count])
        raise FaultError("killed")

    with mock.patch.object(json_log, "write_all", write_some):
        try:
            shipment.ship()
        except FaultError:
            shipment.close()
            return _shipment(folder, max_bytes)
    return shipment


def test_an_unfinished_line_arrives_when_the_container_has_ended(tmp_path: Path) -> None:
    (tmp_path / "container.log").write_bytes(_line(0, "P", "prompt> "))
    shipment = _shipment(tmp_path)
    assert shipment.ship() is Progress.DONE
    assert _shipped(tmp_path) == []
    shipment.finish()
    shipment.close()
    assert _shipped(tmp_path) == ["prompt> "]
    again = _shipment(tmp_path)
    again.finish()
    again.close()
    assert _shipped(tmp_path) == ["prompt> "]


def test_a_spool_that_was_cut_is_gone_on_from_by_time(tmp_path: Path) -> None:
    spool = _Spool(tmp_path)
    spool.write(10)
    shipment = _shipment(tmp_path)
    shipment.finish()
    shipment.close()
    # Another file, with lines of before and new ones.
    spool.path.unlink()
    kept = b"".join(_line(number) for number in range(5, 10))
    spool.path.write_bytes(kept + _line(10) + _line(11))
    shipment = _shipment(tmp_path)
    shipment.finish()
    shipment.close()
    assert _shipped(tmp_path) == [f"line {number}\n" for number in range(12)]


def test_after_respool_only_new_lines_are_shipped(tmp_path: Path) -> None:
    spool = _Spool(tmp_path)
    spool.write(5)
    shipment = _shipment(tmp_path)
    shipment.finish()
    spool.path.unlink()
    spool.path.write_bytes(_line(4))
    shipment.respool()
    with spool.path.open("ab") as file:
        # The clock was set back meanwhile.
        file.write(_line(2, text="later"))
    shipment.finish()
    shipment.close()
    assert _shipped(tmp_path) == [*(f"line {number}\n" for number in range(5)), "later\n"]


class _Sink:
    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.room = 0

    def send(self, records: Sequence[Record]) -> int:
        sent = min(len(records), self.room)
        self.taken += [record.data for record in records[:sent]]
        self.room -= sent
        return sent

    def close(self) -> None:
        pass


def test_a_service_that_was_down_gets_all_lines_in_order(tmp_path: Path) -> None:
    spool, sink = _Spool(tmp_path), _Sink()
    spool.write(10)
    spool.write_in_pieces()
    shipment = RemoteShipment(spool.path, sink)
    assert shipment.ship() is Progress.STUCK
    sink.room = 4
    assert shipment.ship() is Progress.STUCK
    sink.room = 100
    assert shipment.ship() is Progress.MORE
    assert shipment.ship() is Progress.DONE
    assert [data.decode() for data in sink.taken] == spool.written
    shipment.close()
    # The next engine goes on from there.
    spool.write(1)
    shipment = RemoteShipment(spool.path, sink)
    assert shipment.ship() is Progress.MORE
    shipment.close()
    assert [data.decode() for data in sink.taken] == spool.written


def test_a_service_gets_the_unfinished_line_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "container.log").write_bytes(_line(0) + _line(1, "P", "rest"))
    sink = _Sink()
    sink.room = 100
    shipment = RemoteShipment(tmp_path / "container.log", sink)
    while shipment.ship() is not Progress.DONE:
        pass
    assert shipment.finish() is Progress.MORE
    assert shipment.finish() is Progress.DONE
    shipment.close()
    assert sink.taken == [b"line 0\n", b"rest"]


@pytest.mark.parametrize("size", [64, 0])
def test_memory_on_the_way_is_bounded_and_loses_nothing(tmp_path: Path, size: int) -> None:
    spool, sink = _Spool(tmp_path), _Sink()
    spool.write(50)
    sink.room = 1000
    shipment = RemoteShipment(spool.path, sink, size)
    while shipment.ship() is not Progress.DONE:
        pass
    shipment.close()
    assert [data.decode() for data in sink.taken] == spool.written
