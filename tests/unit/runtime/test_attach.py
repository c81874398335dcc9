"""The attach protocol, against a socket that behaves like conmon's, or worse."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from naru.errors import ConflictError, InvalidInputError
from naru.runtime.attach import AttachConnection, drain_connections, has_unread, resize, send_line


@pytest.fixture
def server(tmp_path: Path) -> Iterator[socket.socket]:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(tmp_path / "attach"))
    listener.listen(10)
    yield listener
    listener.close()


async def _pair(server: socket.socket, tmp_path: Path) -> tuple[AttachConnection, socket.socket]:
    connection = await AttachConnection.connect(tmp_path / "attach")
    peer, _ = server.accept()
    return connection, peer


async def test_packets_name_their_stream_and_come_in_batches(
    server: socket.socket, tmp_path: Path
) -> None:
    connection, peer = await _pair(server, tmp_path)
    for packet in (b"\x02a", b"\x02b", b"\x03c", b"\x02d", b"\x07odd"):
        peer.send(packet)
    peer.close()
    found = []
    while (piece := await connection.read()) is not None:
        found.append(piece)
    assert found == [(1, b"ab"), (2, b"c"), (1, b"d")]
    assert await connection.read() is None
    connection.close()
    connection.close()


async def test_input_is_cut_into_packets_that_conmon_can_take(
    server: socket.socket, tmp_path: Path
) -> None:
    connection, peer = await _pair(server, tmp_path)
    data = os.urandom(20_000)
    await connection.write(data)
    await connection.write(b"")
    await connection.close_stdin()
    await connection.write(b"too late")
    packets = []
    while packet := peer.recv(100_000):
        packets.append(packet)
    assert [len(packet) for packet in packets] == [8192, 8192, 3616]
    assert b"".join(packets) == data
    # Output goes on after the end of the input.
    peer.send(b"\x02still")
    assert await connection.read() == (1, b"still")
    connection.close()
    peer.close()


async def test_input_for_an_ended_container_is_dropped(
    server: socket.socket, tmp_path: Path
) -> None:
    connection, peer = await _pair(server, tmp_path)
    peer.close()
    await connection.write(bytes(1_000_000))
    assert await connection.read() is None
    connection.close()


async def test_draining_keeps_all_for_a_reader_that_comes_later(
    server: socket.socket, tmp_path: Path
) -> None:
    connection, peer = await _pair(server, tmp_path)
    drain_connections(tmp_path / "attach")

    def send() -> None:
        for _ in range(200):
            peer.send(b"\x02" + bytes(8000))
        peer.close()

    await asyncio.to_thread(send)
    await asyncio.sleep(0.05)
    total = 0
    while (piece := await connection.read()) is not None:
        total += len(piece[1])
    assert total == 200 * 8000
    connection.close()


async def test_draining_wakes_a_reader_that_waits(server: socket.socket, tmp_path: Path) -> None:
    connection, peer = await _pair(server, tmp_path)
    reader = asyncio.ensure_future(connection.read())
    await asyncio.sleep(0.02)
    connection.drain()
    connection.drain()
    await asyncio.sleep(0.02)
    assert not reader.done()
    peer.send(b"\x03x")
    assert await asyncio.wait_for(reader, 30) == (2, b"x")
    peer.close()
    assert await asyncio.wait_for(connection.read(), 30) is None
    connection.close()


async def test_a_cancelled_read_loses_nothing(server: socket.socket, tmp_path: Path) -> None:
    connection, peer = await _pair(server, tmp_path)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(connection.read(), 0.02)
    peer.send(b"\x02x")
    assert await asyncio.wait_for(connection.read(), 30) == (1, b"x")
    connection.close()
    peer.close()


async def test_nobody_there_is_a_conflict(tmp_path: Path) -> None:
    with pytest.raises(ConflictError):
        await AttachConnection.connect(tmp_path / "attach")
    with pytest.raises(ConflictError):
        await AttachConnection.connect(tmp_path / "nowhere" / "attach")


def test_lines_go_one_by_one(tmp_path: Path) -> None:
    fifo = tmp_path / "winsz"
    with pytest.raises(ConflictError):
        resize(tmp_path, 1, 2)
    os.mkfifo(fifo)
    with pytest.raises(ConflictError):
        resize(tmp_path, 1, 2)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    resize(tmp_path, 24, 80)
    assert has_unread(fifo)
    begun = time.monotonic()
    with pytest.raises(ConflictError, match="does not listen"):
        send_line(fifo, "x\n")
    assert time.monotonic() - begun < 5
    assert os.read(reader, 100) == b"24 80\n"
    assert not has_unread(fifo)
    os.close(reader)


@pytest.mark.parametrize(("rows", "columns"), [(-1, 5), (5, 65_536)])
def test_sizes_that_no_terminal_has_are_refused(tmp_path: Path, rows: int, columns: int) -> None:
    with pytest.raises(InvalidInputError):
        resize(tmp_path, rows, columns)
