"""The pipe between threads: order, backpressure, and both ends failing."""

from __future__ import annotations

import threading

import pytest

from naru.errors import CorruptDataError, FaultError
from naru.images.layers.pipe import Pipe, PipeClosedError, written_by


def test_bytes_arrive_in_order_whatever_the_counts() -> None:
    pipe = Pipe(capacity=2)
    sent = [bytes([n]) * (n * 37 % 100) for n in range(200)]

    def write() -> None:
        for piece in sent:
            pipe.put(piece)
        pipe.end()

    writer = threading.Thread(target=write)
    writer.start()
    got, count = b"", 1
    while piece := pipe.read(count):
        assert len(piece) <= count
        got += piece
        count = count % 90 + 13
    writer.join()
    assert got == b"".join(sent)


def test_full_pipe_refuses_without_waiting() -> None:
    pipe = Pipe(capacity=1)
    assert pipe.try_put(b"a")
    assert not pipe.try_put(b"b")
    assert pipe.read(9) == b"a"
    assert pipe.try_put(b"b")


def test_a_pipe_is_as_full_as_its_bytes() -> None:
    pipe = Pipe(capacity=10)
    assert pipe.try_put(b"a", b"", b"bc", memoryview(b"d"))
    assert pipe.try_put(bytes(20))
    assert not pipe.try_put(b"e")
    assert [bytes(pipe.read_piece()) for _ in range(3)] == [b"a", b"bc", b"d"]
    assert not pipe.try_put(b"e")
    assert len(pipe.read_piece()) == 20
    assert pipe.try_put(b"e")


def test_a_piece_is_handed_on_and_not_copied() -> None:
    pipe = Pipe()
    sent = bytes(1000)
    pipe.put(sent)
    assert pipe.read_piece().obj is sent
    pipe.put(sent)
    assert pipe.read(1000) is sent


def test_failure_comes_after_what_was_sent() -> None:
    pipe = Pipe()
    pipe.put(b"a")
    pipe.end(CorruptDataError("broken"))
    pipe.end()
    assert pipe.read(9) == b"a"
    with pytest.raises(CorruptDataError, match="broken"):
        pipe.read(9)


def test_foreign_failure_is_a_fault() -> None:
    pipe = Pipe()
    pipe.end(ConnectionResetError("reset"))
    with pytest.raises(FaultError, match="reset"):
        pipe.read(9)


def test_writer_that_waits_learns_that_nobody_reads() -> None:
    pipe = Pipe(capacity=1)
    pipe.put(b"a")
    failures: list[Exception] = []

    def write() -> None:
        try:
            pipe.put(b"b")
        except PipeClosedError as error:
            failures.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    pipe.abandon()
    writer.join(5)
    assert len(failures) == 1
    with pytest.raises(PipeClosedError):
        pipe.try_put(b"c")


def test_a_writer_in_a_thread_is_read_to_its_end() -> None:
    def produce(pipe: Pipe) -> None:
        for piece in (b"one", b"two"):
            pipe.put(piece)

    with written_by(produce, "writer") as pipe:
        assert b"".join(iter(lambda: pipe.read(9), b"")) == b"onetwo"


def test_a_writers_failure_is_raised_where_the_pipe_is_read() -> None:
    def produce(pipe: Pipe) -> None:
        pipe.put(b"one")
        raise CorruptDataError("no more")

    with written_by(produce, "writer") as pipe:
        assert pipe.read(9) == b"one"
        with pytest.raises(CorruptDataError, match="no more"):
            pipe.read(9)


def test_a_writer_ends_with_its_reader() -> None:
    ended = threading.Event()

    def produce(pipe: Pipe) -> None:
        try:
            while True:
                pipe.put(b"x")
        finally:
            ended.set()

    with pytest.raises(RuntimeError), written_by(produce, "writer"):
        raise RuntimeError
    assert ended.is_set()
