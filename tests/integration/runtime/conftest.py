"""Real containers through the runtime package alone: a busybox root, a scratch exec_root."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from harness.waiting import eventually_async
from naru.api.container_config import ContainerConfig
from naru.api.host_config import HostConfig
from naru.clock import SystemClock
from naru.ids import new_id
from naru.linux import cgroup, mount, mountinfo, probe, process
from naru.linux.fs import remove_tree
from naru.linux.mount import MS_BIND, Mount
from naru.runtime import bundle as bundles
from naru.runtime import conmon
from naru.runtime.attach import AttachConnection
from naru.runtime.bundle import Bundle
from naru.runtime.conmon import MonitorOptions
from naru.runtime.exits import ContainerExit, ExitWatcher
from naru.runtime.oci_runtime import OciRuntime
from naru.specgen.generate import SpecRequest, generate

_APPLETS = (
    "sh cat echo sleep true false env id ls ps dd yes seq head tail wc stty tty kill mkdir touch "
    "ulimit hostname mount grep test printf date nproc stat df sync rm awk sed readlink od sysctl"
)
CGROUP_PARENT = "/runtime-tests"


@pytest.fixture(scope="session")
def busybox_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a root filesystem with nothing but busybox."""
    root = tmp_path_factory.mktemp("rootfs")
    for name in ("bin", "proc", "sys", "dev", "etc", "tmp", "root", "sbin", "data"):
        (root / name).mkdir()
    shutil.copy("/bin/busybox", root / "bin/busybox")
    for applet in _APPLETS.split():
        (root / "bin" / applet).symlink_to("busybox")
    (root / "etc/passwd").write_text(
        "root:x:0:0:root:/root:/bin/sh\nbob:x:1001:1002:Bob:/data:/bin/sh\n"
    )
    (root / "etc/group").write_text("root:x:0:\nbobs:x:1002:\nextra:x:1003:bob\n")
    root.chmod(0o755)
    (root / "etc/plain").write_text("not a program\n")
    return root


@dataclass
class Workshop:
    """Makes containers, runs them, and takes them away again."""

    exec_root: Path
    rootfs: Path
    runtime: OciRuntime
    exits: ExitWatcher
    ended: dict[str, asyncio.Future[ContainerExit]] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)

    def on_exit(self, end: ContainerExit) -> None:
        self.future(end.id).set_result(end)

    def future(self, container_id: str) -> asyncio.Future[ContainerExit]:
        if container_id not in self.ended:
            self.ended[container_id] = asyncio.get_running_loop().create_future()
        return self.ended[container_id]

    async def create(
        self,
        *argv: str,
        options: MonitorOptions | None = None,
        host: HostConfig | None = None,
        change: Callable[[dict[str, Any]], None] | None = None,
        **config: Any,
    ) -> Bundle:
        container_id = new_id()
        self.made.append(container_id)
        bundle = bundles.create(
            self.exec_root, container_id, [Mount("bind", str(self.rootfs), flags=MS_BIND)]
        )
        settings = ContainerConfig(cmd=list(argv), **config)
        request = SpecRequest(
            container_id=container_id,
            config=settings,
            host_config=host or HostConfig(network_mode="host"),
            rootfs=bundle.rootfs,
            hostname=container_id[:12],
            cgroups_path=f"{CGROUP_PARENT}/{container_id}",
            passwd=bundles.read_rootfs_text(bundle, "etc/passwd"),
            group=bundles.read_rootfs_text(bundle, "etc/group"),
        )
        spec = generate(request, probe.host_facts(self.rootfs))
        if change:
            change(spec)
        bundles.write_spec(bundle, spec)
        if options is None:
            options = MonitorOptions(
                terminal=settings.tty,
                open_stdin=settings.open_stdin,
                stdin_once=settings.stdin_once,
                log_path=self.log_path(bundle),
                exit_dir=self.exec_root / "exits",
            )
        await conmon.create(self.runtime, bundle, container_id, options)
        self.exits.watch(container_id)
        return bundle

    def log_path(self, bundle: Bundle) -> Path:
        return self.exec_root / f"{bundle.path.name}.log"

    async def attach(self, bundle: Bundle, **options: Any) -> AttachConnection:
        return await AttachConnection.connect(bundle.attach_socket, **options)

    async def start(self, bundle: Bundle) -> None:
        await self.runtime.start(bundle.path.name)

    async def wait(self, bundle: Bundle, seconds: float = 30) -> ContainerExit:
        return await asyncio.wait_for(asyncio.shield(self.future(bundle.path.name)), seconds)

    async def run(self, *argv: str, **options: Any) -> tuple[int, bytes, bytes]:
        """Run to the end; return the exit code and both streams."""
        bundle = await self.create(*argv, **options)
        connection = await self.attach(bundle)
        await self.start(bundle)
        out, err = await read_all(connection)
        connection.close()
        return (await self.wait(bundle)).exit_code, out, err

    async def tidy(self) -> None:
        for container_id in self.made:
            await self.runtime.delete(container_id, force=True)
            found = bundles.existing(self.exec_root, container_id).processes()
            if found and found.is_monitored:
                os.kill(found.conmon_pid, signal.SIGKILL)
            bundles.remove(self.exec_root, container_id)
            self.exits.forget(container_id)
            cgroup.remove(f"{CGROUP_PARENT}/{container_id}")
        self.exits.close()
        cgroup.remove(CGROUP_PARENT)


def monitored(bundle: Bundle) -> bool:
    """Say whether a conmon looks after a container; it may do so for a moment after the end."""
    found = bundle.processes()
    return found is not None and found.is_monitored


async def read_all(connection: AttachConnection) -> tuple[bytes, bytes]:
    streams = {1: b"", 2: b""}
    while (piece := await connection.read()) is not None:
        streams[piece[0]] += piece[1]
    return streams[1], streams[2]


@pytest.fixture(params=["crun", "runc"])
def runtime_name(request: pytest.FixtureRequest) -> str:
    """Give each runtime in turn."""
    name: str = request.param
    if not probe.find_program(name):
        pytest.skip(f"{name} is not installed")
    return name


@pytest.fixture
def exec_root(tmp_path: Path) -> Iterator[Path]:
    """Give a scratch exec_root; nothing may be mounted in it at the end."""
    root = tmp_path / "run"
    root.mkdir()
    yield root
    assert not mountinfo.mounts_under(root)
    for stand_in in Path("/run").glob("naru-terminals-*"):
        stand_in.rmdir()
    remove_tree(root)


@pytest_asyncio.fixture
async def workshop(
    exec_root: Path, busybox_root: Path, runtime_name: str
) -> AsyncIterator[Workshop]:
    """Give a maker of containers for one runtime."""
    assert os.geteuid() == 0, "these tests need root"
    runtime = OciRuntime(runtime_name, probe.find_program(runtime_name), exec_root / "runtime")
    exits = ExitWatcher(exec_root, SystemClock())
    before = _children()
    shop = Workshop(exec_root, busybox_root, runtime, exits)
    exits.start(shop.on_exit)
    yield shop
    await shop.tidy()
    mount.unmount(exec_root / "rootfs", lazy=True)
    await eventually_async(lambda: not _children() - before, "every child is reaped")


def _children() -> set[tuple[int, str]]:
    """Return the monitors and runtimes that are children of this process: pid and name."""
    mine = os.getpid()
    return {
        (int(pid), name)
        for pid in os.listdir("/proc")
        if pid.isdigit()
        and process.parent_of(int(pid)) == mine
        and (name := process.name_of(int(pid))) in ("conmon", "crun", "runc")
    }
