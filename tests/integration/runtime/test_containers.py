"""Containers from creation to removal, on each runtime."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from harness.waiting import eventually_async
from naru.api.host_config import DeviceMapping, HostConfig, Ulimit
from naru.errors import ConflictError, InvalidInputError, NotFoundError, StartFailedError
from naru.linux import cgroup, process
from naru.runtime import bundle as bundles
from naru.runtime import container_cgroup, log_file
from naru.runtime.exits import UNKNOWN_EXIT_CODE
from naru.specgen.security import MASKED_PATHS

from .conftest import CGROUP_PARENT, Workshop


async def test_exit_code_and_both_streams_come_through(workshop: Workshop) -> None:
    code, out, err = await workshop.run("sh", "-c", "echo out; echo err >&2; exit 42")
    assert (code, out, err) == (42, b"out\n", b"err\n")


async def test_a_signal_becomes_128_and_its_number(workshop: Workshop) -> None:
    bundle = await workshop.create("sleep", "100")
    await workshop.start(bundle)
    await workshop.runtime.kill(bundle.path.name, signal.SIGKILL)
    assert (await workshop.wait(bundle)).exit_code == 137


async def test_states_follow_the_life_of_a_container(workshop: Workshop) -> None:
    bundle = await workshop.create("sleep", "100")
    name = bundle.path.name
    state = await workshop.runtime.state(name)
    assert state
    assert state.status == "created"
    await workshop.start(bundle)
    state = await workshop.runtime.state(name)
    processes = bundle.processes()
    assert state
    assert state.status == "running"
    assert processes
    assert processes.pid == state.pid
    assert processes.is_monitored
    await workshop.runtime.pause(name)
    state = await workshop.runtime.state(name)
    assert state
    assert state.status == "paused"
    await workshop.runtime.resume(name)
    with pytest.raises(ConflictError):
        await workshop.runtime.delete(name)
    await workshop.runtime.kill(name, signal.SIGKILL)
    await workshop.wait(bundle)
    with pytest.raises((ConflictError, NotFoundError)):
        await workshop.runtime.kill(name, signal.SIGKILL)
    await workshop.runtime.delete(name)
    await workshop.runtime.delete(name)
    assert await workshop.runtime.state(name) is None
    assert not cgroup.exists(f"{CGROUP_PARENT}/{name}")


@pytest.mark.parametrize(
    ("argv", "code", "text"),
    [
        (["nosuch"], 127, 'exec: "nosuch": executable file not found in $PATH'),
        (["/nosuch"], 127, 'exec: "/nosuch": stat /nosuch: no such file or directory'),
        (["/etc/plain"], 126, 'exec: "/etc/plain": permission denied'),
    ],
)
async def test_a_missing_program_is_told_in_dockers_words(
    workshop: Workshop, argv: list[str], code: int, text: str
) -> None:
    with pytest.raises(StartFailedError) as caught:
        await workshop.create(*argv)
    assert caught.value.exit_code == code
    assert caught.value.message.startswith(
        "failed to create task for container: failed to create shim task: OCI runtime create failed: "
    )
    assert text in caught.value.message


async def test_a_directory_is_no_program(workshop: Workshop) -> None:
    with pytest.raises(StartFailedError) as caught:
        await workshop.create("/etc")
    assert caught.value.exit_code == 126


async def test_a_failed_start_leaves_nothing(workshop: Workshop) -> None:
    with pytest.raises(StartFailedError):
        await workshop.create("nosuch")
    name = workshop.made[-1]
    await workshop.runtime.delete(name, force=True)
    bundles.remove(workshop.exec_root, name)
    assert await workshop.runtime.state(name) is None
    assert not cgroup.exists(f"{CGROUP_PARENT}/{name}")
    assert bundles.walk(workshop.exec_root) == []


async def test_user_by_name_gets_home_and_groups(workshop: Workshop) -> None:
    _, out, _ = await workshop.run("sh", "-c", "id -u; id -g; id -G; echo $HOME", user="bob")
    assert out.split() == [b"1001", b"1002", b"1002", b"1003", b"/data"]


async def test_default_capabilities_are_dockers_fourteen(workshop: Workshop) -> None:
    _, out, _ = await workshop.run("grep", "Cap", "/proc/self/status")
    values = dict(line.split(b":\t") for line in out.splitlines())
    assert values[b"CapEff"] == values[b"CapBnd"] == b"00000000a80425fb"
    assert values[b"CapInh"] == values[b"CapAmb"] == b"0000000000000000"


async def test_seccomp_filters_by_default_and_not_when_unconfined(workshop: Workshop) -> None:
    _, out, _ = await workshop.run("grep", "Seccomp:", "/proc/self/status")
    assert out.split() == [b"Seccomp:", b"2"]
    host = HostConfig(network_mode="host", security_opt=["seccomp=unconfined"])
    _, out, _ = await workshop.run("grep", "Seccomp:", "/proc/self/status", host=host)
    assert out.split() == [b"Seccomp:", b"0"]


async def test_masked_and_readonly_paths_hold(workshop: Workshop) -> None:
    file = next(
        path for path in MASKED_PATHS if os.path.isfile(path) and os.stat(path).st_mode & 0o400
    )
    script = f"wc -c < {file}; ls /sys/firmware | wc -l; touch /sys/x; echo 1 > /proc/sys/kernel/core_pattern; true"
    _, out, err = await workshop.run("sh", "-c", script)
    assert out.split() == [b"0", b"0"], err
    assert err.count(b"Read-only file system") == 2


async def test_limits_stand_in_the_cgroup(workshop: Workshop) -> None:
    host = HostConfig(
        network_mode="host",
        memory=64 << 20,
        memory_swap=128 << 20,
        nano_cpus=5 * 10**8,
        pids_limit=77,
    )
    bundle = await workshop.create("sleep", "100", host=host)
    path = container_cgroup.cgroups_path(bundle)
    if cgroup.version() == 1:
        wanted = {
            "memory/memory.limit_in_bytes": str(64 << 20),
            "memory/memory.memsw.limit_in_bytes": str(128 << 20),
            "cpu/cpu.cfs_quota_us": "50000",
            "pids/pids.max": "77",
        }
        for name, value in wanted.items():
            tree, _, file = name.partition("/")
            assert (cgroup.ROOT / tree / path.strip("/") / file).read_text().strip() == value
    else:
        group = cgroup.ROOT / path.strip("/")
        assert (group / "memory.max").read_text().strip() == str(64 << 20)
        assert (group / "memory.swap.max").read_text().strip() == str(64 << 20)
        assert (group / "cpu.max").read_text().split() == ["50000", "100000"]
        assert (group / "pids.max").read_text().strip() == "77"


async def test_running_out_of_memory_is_told(workshop: Workshop) -> None:
    host = HostConfig(network_mode="host", memory=16 << 20, memory_swap=16 << 20)
    bundle = await workshop.create("sh", "-c", "a=x; while :; do a=$a$a; done", host=host)
    await workshop.start(bundle)
    end = await workshop.wait(bundle)
    assert end.exit_code == 137
    assert end.oom_killed


async def test_an_ordinary_end_is_no_oom(workshop: Workshop) -> None:
    bundle = await workshop.create("true", host=HostConfig(network_mode="host", memory=16 << 20))
    await workshop.start(bundle)
    assert not (await workshop.wait(bundle)).oom_killed


async def test_pids_lists_the_processes_of_the_group(workshop: Workshop) -> None:
    bundle = await workshop.create("sh", "-c", "sleep 100 & sleep 100 & wait")
    await workshop.start(bundle)
    path = container_cgroup.cgroups_path(bundle)
    await eventually_async(lambda: len(cgroup.pids(path)) == 3, "all three run")
    processes = bundle.processes()
    assert processes
    assert processes.pid in cgroup.pids(path)


async def test_devices_are_there_and_others_are_not(workshop: Workshop) -> None:
    host = HostConfig(
        network_mode="host",
        devices=[DeviceMapping(path_on_host="/dev/full", path_in_container="/dev/brim")],
    )
    _, out, _ = await workshop.run(
        "sh", "-c", "echo x > /dev/brim || echo full; ls /dev/mem /dev/null", host=host
    )
    assert out == b"full\n/dev/null\n"
    missing = HostConfig(network_mode="host", devices=[DeviceMapping(path_on_host="/dev/nosuch")])
    with pytest.raises(InvalidInputError) as caught:
        await workshop.create("true", host=missing)
    assert caught.value.message == (
        'error gathering device information while adding custom device "/dev/nosuch": no such file or directory'
    )


async def test_privileged_sees_devices_and_may_mount(workshop: Workshop) -> None:
    host = HostConfig(network_mode="host", privileged=True)
    code, out, err = await workshop.run(
        "sh", "-c", "mount -t tmpfs x /tmp && ls -d /dev/kmsg /dev/loop-control", host=host
    )
    assert (code, err) == (0, b""), (out, err)


async def test_a_read_only_root_refuses_writes_but_not_a_tmpfs(workshop: Workshop) -> None:
    host = HostConfig(network_mode="host", readonly_rootfs=True)
    code, out, _ = await workshop.run(
        "sh", "-c", "touch /x || echo refused; touch /dev/shm/x && echo fine", host=host
    )
    assert (code, out) == (0, b"refused\nfine\n")


async def test_init_is_the_first_process(workshop: Workshop) -> None:
    host = HostConfig(network_mode="host", init=True)
    code, out, err = await workshop.run("sh", "-c", "echo $$; cat /proc/1/comm", host=host)
    assert code == 0, err
    first, name = out.split()
    assert first != b"1"
    assert name != b"sh"


async def test_sysctls_ulimits_and_hostname_are_set(workshop: Workshop) -> None:
    host = HostConfig(
        network_mode="host",
        sysctls={"kernel.msgmax": "4096"},
        ulimits=[Ulimit(name="nofile", soft=100, hard=200)],
        oom_score_adj=100,
    )
    script = "cat /proc/sys/kernel/msgmax; ulimit -Sn; ulimit -Hn; hostname; cat /proc/self/oom_score_adj"
    code, out, err = await workshop.run("sh", "-c", script, host=host)
    assert code == 0, err
    assert out.split() == [b"4096", b"100", b"200", workshop.made[-1][:12].encode(), b"100"]


async def test_the_log_holds_what_was_written(workshop: Workshop) -> None:
    bundle = await workshop.create("sh", "-c", "echo one; echo two >&2; printf three")
    await workshop.start(bundle)
    await workshop.wait(bundle)
    found = [(r.stream, r.data) async for r in log_file.records(workshop.log_path(bundle))]
    assert sorted(found) == [(1, b"one\n"), (1, b"three"), (2, b"two\n")]


async def test_twenty_start_at_once(workshop: Workshop) -> None:
    results = await asyncio.gather(*(workshop.run("echo", str(n)) for n in range(20)))
    assert [(code, out) for code, out, _ in results] == [(0, f"{n}\n".encode()) for n in range(20)]


async def test_the_end_is_noticed_when_conmon_was_killed(workshop: Workshop) -> None:
    bundle = await workshop.create("sleep", "100")
    await workshop.start(bundle)
    processes = bundle.processes()
    assert processes
    os.kill(processes.conmon_pid, signal.SIGKILL)
    await asyncio.sleep(0.1)
    assert processes.is_alive
    os.kill(processes.pid, signal.SIGKILL)
    assert (await workshop.wait(bundle)).exit_code == UNKNOWN_EXIT_CODE


async def test_conmon_leads_its_own_session_and_holds_nothing_of_ours(workshop: Workshop) -> None:
    mine = os.open("/etc/hostname", os.O_RDONLY)
    os.set_inheritable(mine, True)
    try:
        bundle = await workshop.create("sleep", "100")
    finally:
        os.close(mine)
    await workshop.start(bundle)
    processes = bundle.processes()
    assert processes
    assert os.getsid(processes.conmon_pid) == processes.conmon_pid
    held = [
        os.readlink(f"/proc/{processes.conmon_pid}/fd/{n}")
        for n in os.listdir(f"/proc/{processes.conmon_pid}/fd")
    ]
    assert "/etc/hostname" not in held
    assert [os.readlink(f"/proc/{processes.conmon_pid}/fd/{n}") for n in (0, 1, 2)] == [
        "/dev/null"
    ] * 3


async def test_processes_are_found_without_our_own_note(workshop: Workshop) -> None:
    bundle = await workshop.create("sleep", "100")
    await workshop.start(bundle)
    noted = bundle.processes()
    bundle.processes_file.unlink()
    assert bundle.processes() == noted
    assert noted
    assert process.name_of(noted.conmon_pid) == "conmon"
