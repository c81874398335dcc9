"""Log files: speed, rotation seen from the reader's side, and files that are not there."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from pathlib import Path

import pytest
import uvloop

from naru.runtime import log_file
from naru.runtime.log_file import LogQuery
from naru.runtime.log_lines import Framing, LogFilter

_LINES = 200_000


def _line(number: int, stream: str = "stdout", tag: str = "F", text: str | None = None) -> bytes:
    words = f"line {number} of the log" if text is None else text
    return f"2026-01-02T03:04:05.{number:09d}+00:00 {stream} {tag} {words}\n".encode()


@pytest.mark.parametrize(
    ("framing", "wanted"),
    [
        (Framing(), LogFilter()),
        (Framing(timestamps=True), LogFilter()),
        (Framing(raw=True), LogFilter()),
        (Framing(), LogFilter(outputs=frozenset({1}))),
        (Framing(), LogFilter(since_ns=1)),
    ],
)
def test_long_logs_are_read_whole(tmp_path: Path, framing: Framing, wanted: LogFilter) -> None:
    path = tmp_path / "container.log"
    streams = ["stderr" if number % 7 == 0 else "stdout" for number in range(_LINES)]
    path.write_bytes(b"".join(_line(number, stream) for number, stream in enumerate(streams)))

    async def read() -> int:
        blocks = log_file.framed(path, LogQuery(wanted=wanted), framing)
        return sum([block.count(b" of the log\n") async for block in blocks])

    is_whole = wanted != LogFilter(outputs=frozenset({1}))
    assert uvloop.run(read()) == (_LINES if is_whole else streams.count("stdout"))


async def _texts(path: Path, query: LogQuery | None = None) -> list[bytes]:
    return [record.data async for record in log_file.records(path, query)]


async def test_files_are_read_oldest_first(tmp_path: Path) -> None:
    path = tmp_path / "container.log"
    for number, name in enumerate(["container.log.10", "container.log.2", "container.log.1"]):
        (tmp_path / name).write_bytes(_line(number, text=name))
    path.write_bytes(_line(9, text="now"))
    (tmp_path / "container.log.old").write_bytes(_line(1, text="stranger"))
    (tmp_path / "container.log.tmp").write_bytes(_line(1, text="stranger"))
    assert await _texts(path) == [
        b"container.log.10\n",
        b"container.log.2\n",
        b"container.log.1\n",
        b"now\n",
    ]


async def test_a_line_may_go_on_in_the_next_file(tmp_path: Path) -> None:
    path = tmp_path / "container.log"
    (tmp_path / "container.log.1").write_bytes(_line(1, tag="P", text="be"))
    path.write_bytes(_line(2, text="fore"))
    assert await _texts(path) == [b"before\n"]
    assert await _texts(path, LogQuery(tail=1)) == [b"before\n"]


async def test_no_log_is_an_empty_log(tmp_path: Path) -> None:
    assert await _texts(tmp_path / "container.log") == []
    assert await _texts(tmp_path / "nowhere" / "container.log") == []
    assert await _texts(tmp_path / "container.log", LogQuery(tail=5)) == []


async def test_a_link_in_the_place_of_a_log_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(_line(1))
    (tmp_path / "container.log").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="symbolic"):
        await _texts(tmp_path / "container.log")


async def test_following_ends_when_its_time_is_over(tmp_path: Path) -> None:
    path = tmp_path / "container.log"
    path.write_bytes(_line(1))
    query = LogQuery(follow=True, wanted=LogFilter(until_ns=time.time_ns() + 200_000_000))
    found = [record async for record in log_file.records(path, query, stopped=lambda: False)]
    assert len(found) == 1


async def test_a_follower_passes_from_file_to_file(tmp_path: Path) -> None:
    path = tmp_path / "container.log"
    path.write_bytes(_line(0, text="0"))
    is_over = False
    found: list[bytes] = []

    async def follow() -> None:
        query = LogQuery(follow=True)
        async for record in log_file.records(path, query, stopped=lambda: is_over):
            found.append(record.data)  # noqa: PERF401  # seen while it grows

    task = asyncio.ensure_future(follow())
    for number in range(1, 6):
        await asyncio.sleep(0.03)
        with path.open("ab") as file:
            file.write(_line(number, text=f"old {number}"))
        # None is deleted, however late the follower comes.
        for older in range(number, 0, -1):
            source = tmp_path / f"container.log.{older}"
            if source.exists():
                source.rename(tmp_path / f"container.log.{older + 1}")
        path.rename(tmp_path / "container.log.1")
        # What conmon writes before it has opened the new file goes to the old one.
        with (tmp_path / "container.log.1").open("ab") as file:
            file.write(_line(number, text=f"late {number}"))
        path.write_bytes(_line(number, text=f"new {number}"))
    await asyncio.sleep(0.03)
    is_over = True
    await asyncio.wait_for(task, 5)
    wanted = [b"0\n"]
    for n in range(1, 6):
        wanted += [b"old %d\n" % n, b"late %d\n" % n, b"new %d\n" % n]
    assert found == wanted


async def test_a_reader_that_is_cancelled_leaves_no_file_open(tmp_path: Path) -> None:
    path = tmp_path / "container.log"
    path.write_bytes(b"2024-01-01T00:00:00.000000000+00:00 stdout F line\n")

    async def read() -> None:
        async for _ in log_file.records(path):
            pass

    for _ in range(100):
        reader = asyncio.ensure_future(read())
        # One turn of the loop: the thread that opens the file is on its way.
        await asyncio.sleep(0)
        reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reader
    await asyncio.sleep(0.1)
    links = (os.readlink(entry) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink())
    assert str(path) not in set(links)
