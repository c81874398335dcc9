"""Attacks from inside a container, and requests made to open a way out. None may succeed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from harness.archives import Tree, busybox_layer, docker_archive
from harness.engine import Engine


def _start_refused(engine: Engine, **host: Any) -> str:
    """Create a container, expect its start to fail, and return why."""
    container = engine.create("true", host=host)
    answer = engine.api("POST", f"/containers/{container}/start")
    assert answer.status >= 400, f"it started with {host}"
    engine.remove(container)
    return answer.message


@pytest.mark.parametrize(
    "attack",
    [
        "echo c > /proc/sysrq-trigger",
        "echo x > /proc/sys/kernel/core_pattern",
        "echo 1 > /proc/sys/vm/drop_caches",
        "echo 0 > /proc/irq/default_smp_affinity",
        "echo x > /sys/kernel/uevent_helper",
        "echo mem > /sys/power/state",
        "cd /sys/fs/cgroup; [ ! -d memory ] || cd memory; mkdir x",
        "cd /sys/fs/cgroup; [ ! -d devices ] || cd devices; echo 1 > cgroup.procs",
        "cat /proc/kcore | head -c 1 | grep .",
        "cat /proc/timer_list | grep .",
        "cat /proc/keys | grep .",
        "cat /proc/scsi/scsi | grep .",
        "ls /sys/firmware | grep .",
        "mount -t tmpfs none /mnt",
        "mount -t proc proc /proc",
        "mount -o remount,rw /sys",
        "umount /proc/sys",
        "unshare -m true",
        "unshare -U true",
        "unshare -n true",
        "nsenter -t 1 -m true && chroot /proc/1/root true && mount -t tmpfs none /mnt",
        "hostname changed",
        "! date -s 2000-01-01 2>&1 | grep 'not permitted'",
        "ip link set eth0 down",
        "mknod /disk b 254 0 && head -c 1 /disk",
        "mknod /mem c 1 1 && head -c 1 /mem",
        "mknod /dev/kmsg c 1 11 && head -c 1 /dev/kmsg",
        "chroot /proc/1/root sh -c 'echo x > /proc/sysrq-trigger'",
        "dmesg",
        "swapoff -a && swapon /x",
        "renice -20 1",
        "rmmod ext4",
    ],
)
def test_root_of_a_container_is_not_root_of_the_host(engine: Engine, attack: str) -> None:
    done = engine.sh(f"mkdir -p /mnt; {attack}")
    assert done.code != 0, f"{attack}: {done.out}"


def test_containers_do_not_reach_each_other(engine: Engine, tmp_path: Path) -> None:
    secret = "the-secret-of-the-other"
    script = f"echo {secret} > /secret; echo {secret} > /dev/shm/secret; sleep 1000"
    victim = engine.up("sh", "-c", script, Env=[f"SECRET={secret}"])
    pid = engine.state(victim)["Pid"]
    attack = (
        f"kill -9 {pid} 2>&-; cat /proc/{pid}/environ /proc/{pid}/root/secret /secret"
        " /dev/shm/secret 2>&-; cat /proc/*/environ; ps | grep -v -e sh -e ps -e PID -e grep; true"
    )
    done = engine.sh(attack)
    assert secret not in done.out
    assert engine.state(victim)["Running"]
    assert "sleep" not in done.out
    # Nor is a file of one in the image of the next.
    assert engine.sh("ls /secret").code != 0


def test_file_systems_are_apart(engine: Engine) -> None:
    first = engine.up("sh", "-c", "rm -rf /bin/vi /usr; echo mine > /etc/passwd; sleep 1000")
    second = engine.sh("ls -d /bin/vi /usr; grep -c root /etc/passwd; ls /mine")
    assert second.out == "/bin/vi\n/usr\n1\n"
    assert engine.state(first)["Running"]


@pytest.mark.parametrize("target", ["/etc/../../..", "/etc/../..", "/.", "//", "/a/.."])
def test_a_mount_cannot_take_the_roots_place(engine: Engine, target: str) -> None:
    for host in (
        {"Binds": [f"/tmp:{target}"]},
        {"Mounts": [{"Type": "bind", "Source": "/tmp", "Target": target}]},
        {"Tmpfs": {target: ""}},
    ):
        answer = engine.ask_to_create(host=host)
        assert answer.status in (400, 500), host
        assert "destination can't be '/'" in answer.message


@pytest.mark.naru_only
@pytest.mark.parametrize("target", ["/proc/self/attr", "/proc/sys", "/proc/1", "/proc/x"])
def test_nothing_is_mounted_inside_proc(engine: Engine, target: str, tmp_path: Path) -> None:
    assert "/proc" in _start_refused(engine, Binds=[f"{tmp_path}:{target}"])
    assert "/proc" in _start_refused(engine, Tmpfs={target: ""})


def test_an_image_cannot_bend_mounts_to_places_of_its_choice(
    engine: Engine, tmp_path: Path
) -> None:
    name = "naru-test/bent:latest"
    layer = (
        Tree()
        .symlink("into-proc", "/proc/self/attr")
        .symlink("up", "../../../../../../..")
        .symlink("etc-link", str(tmp_path / "host"))
        .symlink("loop", "loop")
    )
    (tmp_path / "host").mkdir()
    engine.load(docker_archive([name], [busybox_layer(), layer.tar()], {"Cmd": ["true"]}))
    source = tmp_path / "source"
    source.mkdir()
    try:
        assert "/proc" in _refusal(engine, name, f"{source}:/into-proc")
        _refusal(engine, name, f"{source}:/loop")
        script = "echo x > /etc-link/file; echo y > /up/deep/file; ls -d /up/etc"
        binds = {"Binds": [f"{source}:/etc-link", f"{source}:/up/deep"]}
        done = engine.sh(script, image=name, host=binds)
        assert done.out == "/up/etc\n"
        assert sorted(os.listdir(source)) == ["file"]
        assert os.listdir(tmp_path / "host") == []
        assert not Path("/deep").exists()
    finally:
        engine.remove_all()
        engine.api("DELETE", f"/images/{name}").ok(200)


def _refusal(engine: Engine, image: str, bind: str) -> str:
    container = engine.create("true", image=image, host={"Binds": [bind]})
    answer = engine.api("POST", f"/containers/{container}/start")
    assert answer.status >= 400
    return answer.message


def test_an_image_cannot_declare_a_volume_in_proc(engine: Engine) -> None:
    name = "naru-test/procvolume:latest"
    config = {"Cmd": ["true"], "Volumes": {"/proc/self": {}}}
    engine.load(docker_archive([name], [busybox_layer()], config))
    try:
        container = engine.create(image=name)
        assert engine.api("POST", f"/containers/{container}/start").status >= 400
    finally:
        engine.remove_all()
        engine.api("DELETE", f"/images/{name}").ok(200)


@pytest.mark.parametrize(
    "sysctls",
    [
        {"kernel.core_pattern": "|/x"},
        {"kernel/core_pattern": "|/x"},
        {"vm.overcommit_memory": "1"},
        {"fs.suid_dumpable": "2"},
        {"net/../kernel/panic": "1"},
        {"kernel.shm_rmid_forced/../../panic": "1"},
    ],
)
def test_settings_of_the_host_cannot_be_reached(engine: Engine, sysctls: dict[str, str]) -> None:
    before = Path("/proc/sys/kernel/panic").read_text()
    assert _start_refused(engine, Sysctls=sysctls)
    assert Path("/proc/sys/kernel/panic").read_text() == before


def test_no_new_privileges_holds_for_setuid_programs(engine: Engine) -> None:
    # Busybox gives its rights back, but for the commands that are meant to be setuid: `su`
    # becomes root without asking where the password is empty.
    script = "chmod 4755 /bin/su; sed -i 's/^root:[^:]*:/root::/' /etc/passwd; sleep 1000"
    found = []
    for options in ([], ["no-new-privileges"]):
        container = engine.up("sh", "-c", script, host={"SecurityOpt": options})
        words = {
            "AttachStdout": True,
            "Cmd": ["sh", "-c", "while ! [ -u /bin/su ]; do :; done; exec /bin/su -c 'id -u' root"],
            "User": "1000",
        }
        made = engine.api("POST", f"/containers/{container}/exec", words).ok(201).json()["Id"]
        found.append(b"0\n" in engine.api("POST", f"/exec/{made}/start", {}).ok(200).body)
    assert found == [True, False]


def test_the_hosts_null_device_stays_its_own(engine: Engine) -> None:
    container = engine.up("sleep", "1000")
    for detach in (False, True):
        words = {"Cmd": ["true"], "User": "4321", "AttachStdout": not detach}
        made = engine.api("POST", f"/containers/{container}/exec", words).ok(201).json()["Id"]
        engine.api("POST", f"/exec/{made}/start", {"Detach": detach}).ok(200)
    assert engine.run("true", User="4321").code == 0
    assert os.stat("/dev/null").st_uid == 0
