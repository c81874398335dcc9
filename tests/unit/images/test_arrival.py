"""Reading a blob while it is being fetched."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from naru.errors import CorruptDataError, FaultError
from naru.images.layers.arrival import Arrival


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "blob"
    made.write_bytes(b"")
    return made


@pytest.fixture
def arrival() -> Iterator[Arrival]:
    made = Arrival()
    yield made
    made.close()


def grow(arrival: Arrival, path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)
    arrival.grow(path.stat().st_size)


def read_all(arrival: Arrival, count: int = 4) -> bytes:
    reader = arrival.reader()
    return b"".join(iter(lambda: reader.read(count), b""))


def test_reader_gets_what_was_there_and_what_comes(arrival: Arrival, path: Path) -> None:
    path.write_bytes(b"early")
    seen: list[bytes] = []
    thread = threading.Thread(target=lambda: seen.append(read_all(arrival)))
    thread.start()
    arrival.begin(path.open("rb", buffering=0), 5)
    grow(arrival, path, b" and")
    grow(arrival, path, b" late")
    arrival.end()
    thread.join()
    assert seen == [b"early and late"]
    assert read_all(arrival) == seen[0]


def test_bytes_that_nobody_vouched_for_are_not_read(arrival: Arrival, path: Path) -> None:
    path.write_bytes(b"vouched and not")
    arrival.begin(path.open("rb", buffering=0), 7)
    arrival.end()
    assert read_all(arrival) == b"vouched"


def test_failure_of_the_fetch_reaches_who_waits(arrival: Arrival, path: Path) -> None:
    arrival.begin(path.open("rb", buffering=0), 0)
    threading.Timer(0.01, arrival.end, [CorruptDataError("other bytes")]).start()
    with pytest.raises(CorruptDataError, match="other bytes"):
        arrival.reader().read(1)
    assert arrival.has_failed


def test_cancelled_fetch_ends_its_readers(arrival: Arrival) -> None:
    arrival.end(KeyboardInterrupt())
    with pytest.raises(FaultError, match="given up"):
        arrival.reader().read(1)


def test_first_end_counts(arrival: Arrival, path: Path) -> None:
    arrival.begin(path.open("rb", buffering=0), 0)
    arrival.end()
    arrival.end(FaultError("too late"))
    assert read_all(arrival) == b""
    assert not arrival.has_failed


def test_file_stays_readable_when_it_is_gone(arrival: Arrival, path: Path) -> None:
    path.write_bytes(b"data")
    arrival.begin(path.open("rb", buffering=0), 4)
    path.unlink()
    arrival.end()
    assert read_all(arrival) == b"data"
