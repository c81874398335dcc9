"""Logs looked after: shipped as they grow, at rest when they are quiet."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from naru.runtime.bundle import Monitored
from naru.runtime.json_log import JsonFormat, JsonLog
from naru.runtime.log_keeping import KeptLog, LogKeeper
from naru.runtime.log_lines import Record
from naru.runtime.log_shipment import FileShipment, RemoteShipment

_ID = "a" * 64


def _line(text: str, tag: str = "F") -> bytes:
    return f"2026-01-02T03:04:05.678901234+00:00 stdout {tag} {text}\n".encode()


@pytest.fixture
async def keeper() -> AsyncIterator[LogKeeper]:
    found = LogKeeper()
    found.start()
    yield found
    await found.close()


def _log(folder: Path) -> KeptLog:
    spool = folder / "container.log"
    spool.touch()
    target = JsonLog(folder / "x-json.log", 0, 1, compress=False)
    shipment = FileShipment(spool, target, JsonFormat({}))
    return KeptLog(Monitored(folder), spool, 0, 1, shipment)


def _shipped(folder: Path) -> list[str]:
    try:
        lines = (folder / "x-json.log").read_bytes().splitlines()
    except FileNotFoundError:
        return []
    return [json.loads(line)["log"] for line in lines]


async def _until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not reached():
            await asyncio.sleep(0.01)


def _open_files(folder: Path) -> list[str]:
    found = []
    for entry in os.listdir("/proc/self/fd"):
        try:
            path = os.readlink(f"/proc/self/fd/{entry}")
        except FileNotFoundError:
            continue
        if path.startswith(str(folder)):
            found.append(path)
    return found


async def test_a_quiet_log_holds_nothing_open_and_goes_on_in_a_line(
    keeper: LogKeeper, tmp_path: Path
) -> None:
    log = _log(tmp_path)
    await keeper.keep(_ID, log)
    with log.spool.open("ab", buffering=0) as spool:
        spool.write(_line("one") + _line("half ", "P"))
        await _until(lambda: _shipped(tmp_path) == ["one\n"])
        await _until(lambda: _open_files(tmp_path) == [str(log.spool)])
        spool.write(_line("whole"))
        await _until(lambda: _shipped(tmp_path) == ["one\n", "half whole\n"])


async def test_an_ended_log_is_complete_at_once(keeper: LogKeeper, tmp_path: Path) -> None:
    log = _log(tmp_path)
    await keeper.keep(_ID, log)
    log.spool.write_bytes(b"".join(_line(str(number)) for number in range(5000)) + _line("x", "P"))
    await keeper.ended(_ID, log)
    assert _shipped(tmp_path) == [*(f"{number}\n" for number in range(5000)), "x"]
    await keeper.ended(_ID, _log(tmp_path))
    assert len(_shipped(tmp_path)) == 5001
    assert _open_files(tmp_path) == []


async def test_a_log_nobody_kept_is_shipped_at_its_end(keeper: LogKeeper, tmp_path: Path) -> None:
    # The engine that kept it was killed.
    log = _log(tmp_path)
    log.spool.write_bytes(_line("left"))
    await keeper.ended(_ID, log)
    assert _shipped(tmp_path) == ["left\n"]


async def test_a_file_that_cannot_be_written_is_caught_up_later(
    keeper: LogKeeper, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = _log(tmp_path)
    target = tmp_path / "x-json.log"
    target.mkdir()
    await keeper.keep(_ID, log)
    log.spool.write_bytes(_line("one"))
    await _until(lambda: "Is a directory" in caplog.text)
    target.rmdir()
    await _until(lambda: _shipped(tmp_path) == ["one\n"])
    assert caplog.text.count("Is a directory") == 1


class _Sink:
    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.is_up = False

    def send(self, records: Sequence[Record]) -> int:
        if not self.is_up:
            return 0
        self.taken += [record.data for record in records]
        return len(records)

    def close(self) -> None:
        pass


async def test_a_service_gets_the_rest_of_an_ended_log_and_is_left_then(
    keeper: LogKeeper, tmp_path: Path
) -> None:
    sink = _Sink()
    spool = tmp_path / "container.log"
    spool.write_bytes(_line("one"))
    log = KeptLog(Monitored(tmp_path), spool, 0, 1, RemoteShipment(spool, sink))
    await keeper.keep(_ID, log)
    with spool.open("ab") as file:
        file.write(_line("two") + _line("rest", "P"))
    await keeper.ended(_ID, log)
    assert sink.taken == []
    sink.is_up = True
    await _until(lambda: sink.taken == [b"one\n", b"two\n", b"rest"])
    await _until(lambda: _open_files(tmp_path) == [])
    await keeper.forget(_ID)


async def test_a_service_that_is_down_is_not_waited_for_when_a_container_goes(
    keeper: LogKeeper, tmp_path: Path
) -> None:
    spool = tmp_path / "container.log"
    spool.write_bytes(_line("one"))
    log = KeptLog(Monitored(tmp_path), spool, 0, 1, RemoteShipment(spool, _Sink()))
    await keeper.keep(_ID, log)
    await keeper.ended(_ID, log)
    async with asyncio.timeout(20):
        await keeper.forget(_ID)
    await _until(lambda: _open_files(tmp_path) == [])


async def test_a_checkpoint_that_cannot_be_written_does_not_end_a_delivery(
    keeper: LogKeeper, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sink = _Sink()
    sink.is_up = True
    spool = tmp_path / "container.log"
    spool.write_bytes(_line("one"))
    (tmp_path / "container.log.shipped").symlink_to(tmp_path)
    await keeper.keep(_ID, KeptLog(Monitored(tmp_path), spool, 0, 1, RemoteShipment(spool, sink)))
    await _until(lambda: "log of container aaaaaaaaaaaa" in caplog.text)
    (tmp_path / "container.log.shipped").unlink()
    with spool.open("ab") as file:
        file.write(_line("two"))
    await _until(lambda: b"two\n" in sink.taken)
