"""What outlives the process that started it, and how the next one finds everything again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import textwrap
from pathlib import Path

import pytest

from harness.waiting import eventually_async
from naru.faults import registered
from naru.linux import cgroup, process
from naru.runtime import bundle as bundles
from naru.runtime import log_file

from .conftest import CGROUP_PARENT, Workshop, monitored

_ENGINE = textwrap.dedent(
    """
    import asyncio, sys
    from pathlib import Path
    from naru.runtime import bundle as bundles, conmon
    from naru.runtime.conmon import MonitorOptions
    from naru.runtime.oci_runtime import OciRuntime
    from naru.linux.mount import Mount, MS_BIND
    import msgspec

    async def main(exec_root, rootfs, runtime, program, container_id, spec):
        root = Path(exec_root)
        bundle = bundles.create(root, container_id, [Mount("bind", rootfs, flags=MS_BIND)])
        bundles.write_spec(bundle, msgspec.json.decode(spec))
        oci = OciRuntime(runtime, program, root / "runtime")
        options = MonitorOptions(
            log_path=root / f"{container_id}.log", exit_dir=root / "exits",
            open_stdin=True, stdin_once=False,
        )
        await conmon.create(oci, bundle, container_id, options)
        await oci.start(container_id)
        print("started", flush=True)
        await asyncio.sleep(60)

    asyncio.run(main(*sys.argv[1:]))
    """
)


async def _engine(
    workshop: Workshop, *argv: str, fault: str = "", group: bool = True
) -> tuple[str, asyncio.subprocess.Process]:
    """Let another process start a container; it may be told to die on the way."""
    import msgspec

    bundle = await workshop.create("true")
    container_id, spec = bundle.path.name, bundles.read_spec(bundle)
    await workshop.runtime.delete(container_id, force=True)
    await eventually_async(lambda: not monitored(bundle), "its conmon has ended")
    workshop.exits.forget(container_id)
    workshop.ended.pop(container_id, None)
    spec["process"]["args"] = list(argv)
    engine = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _ENGINE, str(workshop.exec_root), str(workshop.rootfs),
        workshop.runtime.name, workshop.runtime.program, container_id,
        msgspec.json.encode(spec).decode(),
        stdout=asyncio.subprocess.PIPE, process_group=0 if group else None,
        env={**os.environ, "NARU_FAULT": f"{fault}=kill" if fault else ""},
    )  # fmt: skip
    return container_id, engine


@pytest.mark.parametrize("how", ["kill", "term_group"])
async def test_a_container_outlives_the_engine_and_reports_its_code(
    workshop: Workshop, how: str
) -> None:
    container_id, engine = await _engine(workshop, "sh", "-c", "echo one; read x; echo two; exit 6")
    assert engine.stdout
    assert await engine.stdout.readline() == b"started\n"
    if how == "kill":
        engine.kill()
    else:
        os.killpg(engine.pid, signal.SIGTERM)
    await engine.wait()
    bundle = bundles.existing(workshop.exec_root, container_id)
    found = bundle.processes()
    assert found
    assert found.is_alive
    assert found.is_monitored
    assert workshop.exits.watch(container_id)
    log = workshop.log_path(bundle)
    await eventually_async(lambda: b"one" in log.read_bytes(), "it has spoken before we listen")
    connection = await workshop.attach(bundle)
    await connection.write(b"\n")
    assert await connection.read() == (1, b"two\n")
    connection.close()
    assert (await workshop.wait(bundle)).exit_code == 6
    assert [record.data async for record in log_file.records(log)] == [b"one\n", b"two\n"]


async def test_an_exit_that_nobody_saw_is_found_by_the_next_engine(workshop: Workshop) -> None:
    workshop.exits.close()
    container_id, engine = await _engine(workshop, "sh", "-c", "exit 8")
    assert engine.stdout
    await engine.stdout.readline()
    engine.kill()
    await engine.wait()
    exit_file = workshop.exec_root / "exits" / container_id
    await eventually_async(exit_file.exists, "conmon has written its code")
    workshop.exits.start(workshop.on_exit)
    end = await workshop.wait(bundles.existing(workshop.exec_root, container_id))
    assert end.exit_code == 8


_POINTS = [
    name
    for name in registered()
    if name.startswith(("runtime.bundle.", "runtime.conmon.", "runtime.oci_runtime.after_start"))
]


@pytest.mark.parametrize("point", _POINTS)
async def test_a_kill_at_any_step_can_be_cleaned_up(workshop: Workshop, point: str) -> None:
    container_id, engine = await _engine(workshop, "sleep", "60", fault=point)
    status = await asyncio.wait_for(engine.wait(), 20)
    assert status in (-signal.SIGKILL, None)
    # Whatever conmon was doing when the engine died, it may go on with for a moment.
    while True:
        await workshop.runtime.delete(container_id, force=True)
        found = bundles.existing(workshop.exec_root, container_id).processes()
        if found and found.is_alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(found.pid, signal.SIGKILL)
        elif not _strays(container_id):
            break
        await asyncio.sleep(0.05)
    bundles.remove(workshop.exec_root, container_id)
    bundles.remove(workshop.exec_root, container_id)
    cgroup.remove(f"{CGROUP_PARENT}/{container_id}")
    assert bundles.walk(workshop.exec_root) == []
    assert await workshop.runtime.state(container_id) is None
    assert not cgroup.exists(f"{CGROUP_PARENT}/{container_id}")
    assert _strays(container_id) == []


@pytest.mark.parametrize("runtime_name", ["crun"], indirect=True)
@pytest.mark.parametrize("left", [None, b"", b'{"ociVer'])
async def test_what_a_runtime_left_half_made_is_deleted(
    workshop: Workshop, left: bytes | None
) -> None:
    container_id = (await workshop.create("sleep", "60")).path.name
    copy = workshop.runtime.root / container_id / "config.json"
    copy.unlink()
    if left is not None:
        copy.write_bytes(left)
    await workshop.runtime.delete(container_id, force=True)
    assert await workshop.runtime.state(container_id) is None
    assert not cgroup.exists(f"{CGROUP_PARENT}/{container_id}")
    assert not copy.parent.exists()


def _strays(container_id: str) -> list[str]:
    found = []
    for pid in os.listdir("/proc"):
        if not pid.isdigit():
            continue
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if (
            container_id.encode() in words
            and process.start_time(int(pid))
            and int(pid) != os.getpid()
        ):
            found.append(words.replace(b"\0", b" ").decode(errors="replace"))
    return found
