"""An exec_root far longer than a socket's address may be, on the engine's own event loop."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop

from naru.api.exec import ExecConfig
from naru.clock import SystemClock
from naru.ids import new_id
from naru.linux import probe
from naru.runtime import bundle as bundles
from naru.runtime import exec_process
from naru.runtime.attach import resize
from naru.runtime.exec_process import ExecOptions
from naru.runtime.exits import ExitWatcher
from naru.runtime.oci_runtime import OciRuntime
from naru.specgen.process import exec_process as exec_spec

from .conftest import Workshop, read_all


def _in_deep_root(
    busybox_root: Path, runtime_name: str, work: Callable[[Workshop], Coroutine[Any, Any, None]]
) -> None:
    top = Path(tempfile.mkdtemp(prefix="naru-deep-"))
    exec_root = top / ("d" * 100) / ("e" * 100) / ("f" * 60)
    exec_root.mkdir(parents=True)

    async def main() -> None:
        runtime = OciRuntime(runtime_name, probe.find_program(runtime_name), exec_root / "runtime")
        shop = Workshop(exec_root, busybox_root, runtime, ExitWatcher(exec_root, SystemClock()))
        shop.exits.start(shop.on_exit)
        try:
            await work(shop)
        finally:
            await shop.tidy()

    try:
        uvloop.run(main())
    finally:
        for stand_in in Path("/run").glob("naru-terminals-*"):
            stand_in.rmdir()
        shutil.rmtree(top)


def test_streams_codes_and_rotation_work(busybox_root: Path, runtime_name: str) -> None:
    async def work(shop: Workshop) -> None:
        assert await shop.run("sh", "-c", "echo out; echo err >&2; exit 5") == (
            5,
            b"out\n",
            b"err\n",
        )
        results = await asyncio.gather(*(shop.run("cat", "/proc/self/comm") for _ in range(8)))
        assert {out for _, out, _ in results} == {b"cat\n"}

    _in_deep_root(busybox_root, runtime_name, work)


def test_terminals_work(busybox_root: Path, runtime_name: str) -> None:
    async def work(shop: Workshop) -> None:
        script = "until stty size | grep '12 34'; do sleep 0.02; done"
        bundle = await shop.create("sh", "-c", script, tty=True, open_stdin=True)
        connection = await shop.attach(bundle)
        await shop.start(bundle)
        resize(bundle.path, 12, 34)
        out, _ = await read_all(connection)
        connection.close()
        assert out.endswith(b"12 34\r\n")

    _in_deep_root(busybox_root, runtime_name, work)


@pytest.mark.parametrize("tty", [False, True])
def test_execs_work(busybox_root: Path, runtime_name: str, tty: bool) -> None:
    async def work(shop: Workshop) -> None:
        bundle = await shop.create("sleep", "100")
        await shop.start(bundle)
        exec_id = new_id()
        process = exec_spec(
            bundles.read_spec(bundle)["process"],
            ExecConfig(cmd=["sh", "-c", "echo hello; exit 3"], tty=tty),
            "",
            "",
        )
        started = await exec_process.start(
            shop.runtime,
            bundle,
            shop.exec_root / "x" / exec_id,
            exec_id,
            process,
            ExecOptions(terminal=tty, attach=True),
        )
        shop.exits.watch_exec(exec_id)
        assert started.connection
        out, _ = await read_all(started.connection)
        started.connection.close()
        assert out.split() == [b"hello"]
        assert (await asyncio.wait_for(shop.future(exec_id), 5)).exit_code == 3

    _in_deep_root(busybox_root, runtime_name, work)
