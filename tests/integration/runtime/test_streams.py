"""Attach, terminals, stdin, execs, and what slow or careless clients can do."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from harness.waiting import eventually_async
from naru.api.exec import ExecConfig
from naru.errors import ConflictError, StartFailedError
from naru.ids import new_id
from naru.runtime import bundle as bundles
from naru.runtime import exec_process
from naru.runtime.attach import AttachConnection, resize
from naru.runtime.bundle import Bundle
from naru.runtime.exec_process import ExecOptions, ExecStarted
from naru.specgen.process import exec_process as exec_spec

from .conftest import Workshop, monitored, read_all


async def test_stdin_is_copied_byte_for_byte_and_closed(workshop: Workshop) -> None:
    data = os.urandom(300_000)
    bundle = await workshop.create("cat", open_stdin=True, stdin_once=True)
    connection = await workshop.attach(bundle)
    await workshop.start(bundle)

    async def send() -> None:
        await connection.write(data)
        await connection.close_stdin()

    (out, _), _ = await asyncio.gather(read_all(connection), send())
    assert out == data
    assert (await workshop.wait(bundle)).exit_code == 0


async def test_stdin_that_stays_open_outlives_a_client(workshop: Workshop) -> None:
    bundle = await workshop.create("sh", "-c", "read a; read b; echo $a $b", open_stdin=True)
    await workshop.start(bundle)
    first = await workshop.attach(bundle)
    await first.write(b"one\n")
    first.close()
    await asyncio.sleep(0.1)
    second = await workshop.attach(bundle)
    await second.write(b"two\n")
    out, _ = await read_all(second)
    second.close()
    assert out == b"one two\n"


async def test_a_reader_that_leaves_does_not_close_stdin(workshop: Workshop) -> None:
    bundle = await workshop.create("cat", open_stdin=True, stdin_once=True)
    writer = await workshop.attach(bundle)
    await workshop.start(bundle)
    reader = await workshop.attach(bundle, guards_stdin=True)
    reader.close()
    await asyncio.sleep(0.1)
    await writer.write(b"still here")
    await writer.close_stdin()
    assert (await read_all(writer))[0] == b"still here"
    writer.close()


async def test_every_client_gets_all_output(workshop: Workshop) -> None:
    bundle = await workshop.create("sh", "-c", "read x; seq 20000", open_stdin=True)
    clients = [await workshop.attach(bundle) for _ in range(15)]
    await workshop.start(bundle)
    # conmon lets clients in one at a time, as they came, and reads output in between.
    await clients[-1].write(b"\n")
    wanted = "".join(f"{n}\n" for n in range(1, 20001)).encode()
    for out, _ in await asyncio.gather(*(read_all(client) for client in clients)):
        assert out == wanted
    for client in clients:
        client.close()


async def test_a_slow_reader_loses_nothing_and_delays_no_exit(workshop: Workshop) -> None:
    bundle = await workshop.create("sh", "-c", "head -c 680000 /dev/zero; echo done >&2")
    slow = await workshop.attach(bundle)
    await workshop.start(bundle)
    size = 0
    while size < 600_000:
        piece = await slow.read()
        assert piece is not None
        size += len(piece[1])
    # Nobody reads any more; the process can still end, and its end is still seen.
    await workshop.wait(bundle)
    out, err = await read_all(slow)
    slow.close()
    assert size + len(out) == 680_000
    assert err == b"done\n"


async def test_a_client_that_never_reads_does_not_hide_a_kill(workshop: Workshop) -> None:
    bundle = await workshop.create("yes")
    stuck = await workshop.attach(bundle)
    await workshop.start(bundle)
    await asyncio.sleep(0.3)
    processes = bundle.processes()
    assert processes
    os.kill(processes.pid, signal.SIGKILL)
    assert (await workshop.wait(bundle)).exit_code == 137
    stuck.close()


async def test_close_wakes_a_waiting_reader_and_writer(workshop: Workshop) -> None:
    bundle = await workshop.create("sleep", "100", open_stdin=True)
    connection = await workshop.attach(bundle)
    await workshop.start(bundle)
    reader = asyncio.ensure_future(connection.read())
    writer = asyncio.ensure_future(connection.write(bytes(8_000_000)))
    await asyncio.sleep(0.2)
    assert not reader.done()
    assert not writer.done()
    connection.close()
    assert await asyncio.wait_for(reader, 30) is None
    await asyncio.wait_for(writer, 30)


async def test_nobody_attaches_to_what_does_not_run(workshop: Workshop) -> None:
    bundle = await workshop.create("true")
    await workshop.start(bundle)
    await workshop.wait(bundle)
    await eventually_async(lambda: not monitored(bundle), "its conmon has ended")
    with pytest.raises(ConflictError):
        await workshop.attach(bundle)


async def test_a_terminal_has_one_stream_and_a_size(workshop: Workshop) -> None:
    bundle = await workshop.create(
        "sh",
        "-c",
        "until stty size | grep '50 132'; do sleep 0.02; done; tty; echo err >&2",
        tty=True,
        open_stdin=True,
    )
    connection = await workshop.attach(bundle)
    resize(bundle.path, 40, 120)
    await workshop.start(bundle)
    # conmon must apply the last of many sizes, whatever it makes of those before.
    for columns in range(100, 133):
        await asyncio.to_thread(resize, bundle.path, 50, columns)
    out, err = await read_all(connection)
    connection.close()
    assert err == b""
    assert b"50 132\r\n" in out
    assert b"/dev/pts/0\r\n" in out
    assert b"err\r\n" in out


async def test_the_console_size_holds_from_the_first_moment(workshop: Workshop) -> None:
    def sized(spec: dict[str, dict[str, object]]) -> None:
        spec["process"]["consoleSize"] = {"height": 33, "width": 77}

    bundle = await workshop.create("stty", "size", tty=True, change=sized)
    connection = await workshop.attach(bundle)
    await workshop.start(bundle)
    out, _ = await read_all(connection)
    connection.close()
    assert out == b"33 77\r\n"


async def _exec(
    workshop: Workshop, bundle: Bundle, config: ExecConfig, *, attach: bool = True
) -> tuple[str, ExecStarted]:
    exec_id = new_id()
    process = exec_spec(
        bundles.read_spec(bundle)["process"],
        config,
        bundles.read_rootfs_text(bundle, "etc/passwd"),
        bundles.read_rootfs_text(bundle, "etc/group"),
    )
    started = await exec_process.start(
        workshop.runtime,
        bundle,
        workshop.exec_root / "x" / exec_id,
        exec_id,
        process,
        ExecOptions(terminal=config.tty, open_stdin=config.attach_stdin, attach=attach),
    )
    workshop.exits.watch_exec(exec_id)
    return exec_id, started


async def _running(workshop: Workshop) -> Bundle:
    bundle = await workshop.create("sleep", "100")
    await workshop.start(bundle)
    return bundle


async def test_exec_has_streams_and_a_code_of_its_own(workshop: Workshop) -> None:
    bundle = await _running(workshop)
    config = ExecConfig(cmd=["sh", "-c", "echo out; echo err >&2; exit 9"])
    exec_id, started = await _exec(workshop, bundle, config)
    assert started.connection
    assert await read_all(started.connection) == (b"out\n", b"err\n")
    started.connection.close()
    assert (await asyncio.wait_for(workshop.future(exec_id), 30)).exit_code == 9
    workshop.exits.forget(exec_id)
    exec_process.remove(workshop.exec_root, exec_id)
    assert exec_process.walk(workshop.exec_root) == []
    processes = bundle.processes()
    assert processes
    assert processes.is_alive


async def test_detached_exec_ends_unseen_with_its_code(workshop: Workshop) -> None:
    bundle = await _running(workshop)
    exec_id, started = await _exec(workshop, bundle, ExecConfig(cmd=["false"]), attach=False)
    assert started.connection is None
    assert (await asyncio.wait_for(workshop.future(exec_id), 30)).exit_code == 1


async def test_exec_takes_stdin_user_directory_and_environment(workshop: Workshop) -> None:
    bundle = await _running(workshop)
    config = ExecConfig(
        cmd=["sh", "-c", "cat; id -un; pwd; echo $A $HOME"],
        attach_stdin=True,
        user="bob",
        working_dir="/tmp",
        env=["A=b"],
    )
    _, started = await _exec(workshop, bundle, config)
    assert started.connection
    await started.connection.write(b"input\n")
    await started.connection.close_stdin()
    out, err = await read_all(started.connection)
    started.connection.close()
    assert (out, err) == (b"input\nbob\n/tmp\nb /data\n", b"")


async def test_exec_on_a_terminal(workshop: Workshop) -> None:
    bundle = await _running(workshop)
    exec_id, started = await _exec(
        workshop, bundle, ExecConfig(cmd=["sh", "-c", "tty; read x; stty size"], tty=True)
    )
    assert started.connection
    await asyncio.to_thread(resize, workshop.exec_root / "x" / exec_id, 11, 22)
    await asyncio.sleep(0.05)
    await started.connection.write(b"\n")
    out, _ = await read_all(started.connection)
    started.connection.close()
    assert out.startswith(b"/dev/pts/")
    assert out.endswith(b"11 22\r\n")
    assert (await asyncio.wait_for(workshop.future(exec_id), 30)).exit_code == 0


@pytest.mark.parametrize("tty", [False, True])
async def test_exec_of_a_missing_program_is_told_in_dockers_words(
    workshop: Workshop, tty: bool
) -> None:
    bundle = await _running(workshop)
    for attach in (True, False):
        with pytest.raises(StartFailedError) as caught:
            await _exec(workshop, bundle, ExecConfig(cmd=["nosuch"], tty=tty), attach=attach)
        assert caught.value.exit_code == 127
        assert caught.value.message.startswith(
            "OCI runtime exec failed: exec failed: unable to start container process: "
        )
        assert caught.value.message.endswith(
            'exec: "nosuch": executable file not found in $PATH: unknown'
        )
    assert exec_process.walk(workshop.exec_root) == []


async def test_a_missing_program_on_a_terminal_is_told_too(workshop: Workshop) -> None:
    with pytest.raises(StartFailedError) as caught:
        await workshop.create("nosuch", tty=True)
    assert caught.value.exit_code == 127
    assert 'exec: "nosuch": executable file not found in $PATH' in caught.value.message


async def test_exec_in_an_ended_container_is_a_conflict(workshop: Workshop) -> None:
    bundle = await workshop.create("true")
    await workshop.start(bundle)
    await workshop.wait(bundle)
    with pytest.raises((ConflictError, StartFailedError)):
        await _exec(workshop, bundle, ExecConfig(cmd=["true"]))


async def test_many_execs_at_once(workshop: Workshop) -> None:
    bundle = await _running(workshop)

    async def one(number: int) -> bytes:
        _, started = await _exec(workshop, bundle, ExecConfig(cmd=["echo", str(number)]))
        assert started.connection
        out, _ = await read_all(started.connection)
        started.connection.close()
        return out

    assert await asyncio.gather(*(one(n) for n in range(12))) == [
        f"{n}\n".encode() for n in range(12)
    ]


async def test_an_exec_survives_its_client_and_reports_later(workshop: Workshop) -> None:
    bundle = await _running(workshop)
    exec_id, started = await _exec(
        workshop, bundle, ExecConfig(cmd=["sh", "-c", "sleep 0.3; exit 4"])
    )
    assert started.connection
    started.connection.close()
    assert (await asyncio.wait_for(workshop.future(exec_id), 30)).exit_code == 4


async def test_attaching_to_a_path_of_any_length(workshop: Workshop) -> None:
    bundle = await workshop.create("cat", open_stdin=True, stdin_once=True)
    connection = await AttachConnection.connect(bundle.attach_socket)
    await workshop.start(bundle)
    await connection.close_stdin()
    assert await read_all(connection) == (b"", b"")
    connection.close()
