"""Our engine as a process of its own: started, killed, restarted, and looked at from outside."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness import leaks, subordinates
from harness.engine import Engine
from harness.subnets import Subnet, bridge_name
from harness.waiting import eventually

# What starting and ending may take on a busy machine.
_PATIENCE_S = 60


class EngineUnderTest(Engine):
    """A `narud` with roots, socket, bridge, subnet, nft table and cgroup of its own."""

    is_naru = True

    def __init__(self, *flags: str, env: Mapping[str, str] | None = None) -> None:
        # Short, because sockets live below it and their paths end at 107 bytes.
        self.root = Path(tempfile.mkdtemp(prefix="nt-", dir="/tmp"))
        # Who is mapped to nobody in particular must get through, as in /var/lib and /run.
        self.root.chmod(0o711)
        super().__init__(str(self.root / "s.sock"))
        self.data_root = self.root / "data"
        self.exec_root = self.root / "run"
        self.log_path = self.root / "narud.log"
        self.bridge = bridge_name()
        self.table = self.bridge
        self.cgroup_parent = f"/{self.bridge}"
        self.subnet = Subnet()
        # The machine's own file is none of our business.
        (self.root / "daemon.json").write_text("{}", encoding="utf-8")
        self.flags = list(flags)
        self.env = dict(env or {})
        self.process: subprocess.Popen[bytes] | None = None

    # -- life ------------------------------------------------------------------------------------

    @property
    def argv(self) -> list[str]:
        """Return the command line."""
        return [
            str(Path(sys.executable).parent / "narud"),
            f"--config-file={self.root / 'daemon.json'}",
            f"--data-root={self.data_root}",
            f"--exec-root={self.exec_root}",
            f"--host=unix://{self.socket}",
            f"--pidfile={self.root / 'pid'}",
            f"--bridge={self.bridge}",
            f"--bip={self.subnet.bip}",
            f"--default-address-pool={self.subnet.pool}",
            f"--nft-table={self.table}",
            f"--cgroup-parent={self.cgroup_parent}",
            # Those of the machine would show in every list.
            f"--plugin-dir={self.root / 'plugins'}",
            *self.flags,
        ]

    def start_engine(self, *, env: Mapping[str, str] | None = None) -> EngineUnderTest:
        """Start `narud` and wait for its first answer.

        `env` is for this start only; a fault is armed with it.
        """
        self.spawn(env=env)
        self.await_ping()
        return self

    def spawn(self, *, env: Mapping[str, str] | None = None) -> None:
        """Start `narud` without waiting for it."""
        assert self.process is None, "the engine runs already"
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environ | self.env | dict(env or {}),
            )

    def await_ping(self) -> None:
        """Wait until the engine answers.

        Raises:
            AssertionError: it ended instead, or the time is up; carries its log.
        """

        def probe() -> bool:
            # One that has ended will not answer: what it said is told below.
            if not self.is_alive:
                return True
            try:
                return self.api("GET", "/_ping", version="", timeout_s=20).status == 200
            except OSError:
                return False

        eventually(probe, f"the engine answers\n{self.log_tail()}", timeout_s=_PATIENCE_S)
        assert self.is_alive, f"the engine ended at once\n{self.log_tail()}"

    @property
    def content_root(self) -> Path:
        """Return where the engine keeps its data: below its data root if it maps ids."""
        is_mapped = any(flag.startswith("--userns-remap") for flag in self.flags)
        return self.data_root / subordinates.FOLDER if is_mapped else self.data_root

    @property
    def is_alive(self) -> bool:
        """Say whether the process is there."""
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        """Return the pid of `narud`."""
        assert self.process is not None
        return self.process.pid

    def kill9(self) -> None:
        """End the engine without a chance to tidy up."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(_PATIENCE_S)
        self.process = None

    def terminate(self) -> int:
        """End the engine politely; return its exit status."""
        assert self.process is not None
        self.process.terminate()
        status = self.process.wait(_PATIENCE_S)
        self.process = None
        return status

    def await_death(self) -> int:
        """Wait for an engine that dies by itself, as one with an armed fault does."""
        assert self.process is not None
        status = self.process.wait(_PATIENCE_S)
        self.process = None
        return status

    def restart(self, *, how: str = "terminate") -> None:
        """End the engine, by `terminate` or `kill9`, and start it again."""
        self.terminate() if how == "terminate" else self.kill9()
        self.start_engine()

    def log_tail(self, lines: int = 60) -> str:
        """Return the end of the engine's log."""
        if not self.log_path.exists():
            return "(no log)"
        text = self.log_path.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    # -- the outside view ------------------------------------------------------------------------

    def footprint(self) -> leaks.Footprint:
        """Return everything that this engine has on the machine now."""
        return leaks.footprint(
            data_root=self.content_root,
            exec_root=self.exec_root,
            bridge=self.bridge,
            table=self.table,
            cgroup_parent=self.cgroup_parent,
            engine_pid=self.pid if self.is_alive else None,
        )

    def comes_back_to(
        self, before: leaks.Footprint, what: str, *, within: Sequence[str] = ()
    ) -> None:
        """Wait until nothing is on the machine that was not there `before` a kill of the engine.

        `within` looks at what has one of these words in it, and passes over the rest.
        """

        def probe() -> bool:
            # Open files of another process than before mean nothing.
            left = [line for line in self.footprint().beyond(before) if "open file" not in line]
            if within:
                left = [line for line in left if any(word in line for word in within)]
            assert not left, "\n".join(left)
            return True

        eventually(probe, f"{what}: nothing is left behind", every_s=0.1)

    def monitors(self) -> list[int]:
        """Return the pids of this engine's conmon processes."""
        return [pid for pid, words in leaks.processes(self.exec_root) if "conmon" in words[0]]

    def remove_volumes(self) -> None:
        """Remove all volumes, which nothing uses any more."""
        for volume in self.api("GET", "/volumes").ok(200).json()["Volumes"]:
            self.api("DELETE", f"/volumes/{volume['Name']}").ok(204)

    # -- the end ---------------------------------------------------------------------------------

    def lose_power(self) -> None:
        """Take away what a reboot takes: processes, mounts, namespaces, links, cgroups, exec root."""
        if self.process is not None:
            self.kill9()
        self.wipe_kernel_state()
        shutil.rmtree(self.exec_root, ignore_errors=True)

    def wipe_kernel_state(self) -> None:
        """Remove all that the engine has in the kernel, by force."""
        for cgroup in leaks.cgroups(self.cgroup_parent):
            for pid in leaks.cgroup_pids(cgroup):
                _kill(pid)
        for pid, _ in leaks.processes(self.root):
            if pid != os.getpid():
                _kill(pid)
        for target in reversed(leaks.mounts([self.root])):
            subprocess.run(["umount", "-l", target], check=False, capture_output=True)
        links = leaks.links(self.bridge, self.table)
        for argv in (
            *(["ip", "link", "delete", link] for link in links),
            *(["nft", "delete", "table", family, self.table] for family in leaks.NFT_FAMILIES),
        ):
            subprocess.run(argv, check=False, capture_output=True)
        with contextlib.suppress(AssertionError):
            eventually(self._remove_cgroups, "the groups are empty", timeout_s=5)

    def _remove_cgroups(self) -> bool:
        """Remove its groups, as far as nobody is in them any more; say whether all are gone."""
        groups = [
            *leaks.cgroups(self.cgroup_parent),
            *(str(path) for path in Path("/sys/fs/cgroup").glob(f"*{self.cgroup_parent}")),
            f"/sys/fs/cgroup{self.cgroup_parent}",
        ]
        for group in groups:
            with contextlib.suppress(OSError):
                os.rmdir(group)
        return not any(map(os.path.exists, groups))

    def destroy(self) -> None:
        """End the engine and take away all it left, so that tests cannot disturb each other."""
        if self.is_alive:
            with contextlib.suppress(OSError, AssertionError):
                self.remove_all()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.terminate()
        if self.process is not None:
            self.kill9()
        self.wipe_kernel_state()
        shutil.rmtree(self.root, ignore_errors=True)
        self.subnet.close()


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def started(flags: Sequence[str] = (), env: Mapping[str, str] | None = None) -> EngineUnderTest:
    """Return a running engine with `busybox:latest` and the test image in it."""
    engine = EngineUnderTest(*flags, env=env)
    try:
        engine.start_engine()
        engine.ensure_busybox()
        engine.ensure_test_image()
    except BaseException:
        log = engine.log_tail()
        engine.destroy()
        sys.stderr.write(f"{log}\n")
        raise
    return engine
