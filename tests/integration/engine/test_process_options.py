"""The process as the user wants it: who, where, with what environment and which rights."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from harness.archives import Tree, busybox_layer, docker_archive
from harness.engine import Engine


def test_the_environment_has_dockers_defaults(engine: Engine) -> None:
    container = engine.create("env", Env=["A=1", "EMPTY=", "SPACES=a b"])
    engine.start(container)
    engine.wait(container)
    lines = set(engine.logs(container)["stdout"].decode().splitlines())
    assert lines == {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        f"HOSTNAME={container[:12]}",
        "HOME=/root",
        "A=1",
        "EMPTY=",
        "SPACES=a b",
    }


def test_a_terminal_sets_term(engine: Engine) -> None:
    assert "TERM=xterm\r\n" in engine.run("env", Tty=True).out


def test_the_request_overrides_the_images_environment(engine: Engine) -> None:
    name = "naru-test/env:latest"
    config = {"Env": ["PATH=/bin", "A=image", "B=image"], "WorkingDir": "/made/up"}
    engine.load(docker_archive([name], [busybox_layer()], config))
    done = engine.sh("echo $A $B $PATH; pwd", image=name, Env=["A=request"])
    engine.remove_all()
    engine.api("DELETE", f"/images/{name}").ok(200)
    assert done.out == "request image /bin\n/made/up\n"


def test_an_entrypoint_takes_the_command_as_words(engine: Engine) -> None:
    done = engine.run("a", "b c", Entrypoint=["printf", "%s|"])
    assert done.out == "a|b c|"


def test_an_entrypoint_of_the_request_drops_the_images_command(engine: Engine) -> None:
    done = engine.run(Entrypoint=["echo", "alone"])
    assert done.out == "alone\n"


def test_nothing_to_run_is_refused(engine: Engine) -> None:
    name = "naru-test/nothing:latest"
    engine.load(docker_archive([name], [busybox_layer()], {"Labels": {"a": "b"}}))
    answer = engine.ask_to_create(image=name)
    engine.api("DELETE", f"/images/{name}").ok(200)
    assert (answer.status, answer.message.lower()) == (400, "no command specified")


def test_the_working_directory_is_made(engine: Engine) -> None:
    assert engine.sh("pwd; stat -c %u .", WorkingDir="/a/b/c").out == "/a/b/c\n0\n"


@pytest.mark.parametrize(
    ("user", "out"),
    [
        ("app", "1000 1000 1000 50 2000\n/home/app\n"),
        ("1000", "1000 1000 1000 50 2000\n/home/app\n"),
        ("app:extra", "1000 2000 2000\n/home/app\n"),
        ("4321", "4321 0 0\n/\n"),
        ("4321:1234", "4321 1234 1234\n/\n"),
        (":1234", "0 1234 1234\n/root\n"),
    ],
)
def test_users_are_found_by_name_and_number(engine: Engine, user: str, out: str) -> None:
    script = "echo $(id -u) $(id -g) $(id -G); echo $HOME"
    done = engine.sh(script, User=user, image=engine.ensure_test_image())
    first, home = done.out.splitlines()
    wanted, wanted_home = out.splitlines()
    assert first.split()[:2] == wanted.split()[:2]
    assert set(first.split()[2:]) == set(wanted.split()[2:])
    assert home == wanted_home


def test_groups_are_added(engine: Engine) -> None:
    done = engine.sh(
        "id -G",
        User="1000:1000",
        host={"GroupAdd": ["staff", "777"]},
        image=engine.ensure_test_image(),
    )
    assert set(done.out.split()) == {"1000", "50", "777"}


def test_the_host_name_is_the_short_id_or_chosen(engine: Engine) -> None:
    container = engine.up("hostname")
    engine.wait(container)
    assert engine.logs(container)["stdout"].decode().strip() == container[:12]
    done = engine.sh(
        "hostname; hostname -f; cat /etc/hostname", Hostname="web", Domainname="x.test"
    )
    assert done.out.splitlines()[0] == "web"
    assert "web.x.test" in done.out


def _capabilities(engine: Engine, **host: Any) -> int:
    out = engine.sh("grep CapEff /proc/self/status", host=host).out
    return int(out.split()[1], 16)


def test_dockers_fourteen_capabilities_are_the_default(engine: Engine) -> None:
    assert _capabilities(engine) == 0xA80425FB


def test_capabilities_are_added_and_dropped(engine: Engine) -> None:
    net_admin, mknod, chown = 1 << 12, 1 << 27, 1 << 0
    assert _capabilities(engine, CapAdd=["NET_ADMIN"]) == 0xA80425FB | net_admin
    assert _capabilities(engine, CapDrop=["CAP_MKNOD"]) == 0xA80425FB & ~mknod
    assert _capabilities(engine, CapDrop=["ALL"]) == 0
    assert _capabilities(engine, CapDrop=["ALL"], CapAdd=["CHOWN"]) == chown


def test_an_unknown_capability_is_refused(engine: Engine) -> None:
    answer = engine.ask_to_create(host={"CapAdd": ["FLY"]})
    assert answer.status == 400
    assert answer.message.startswith('invalid CapAdd: unknown capability: "CAP_FLY"')


def test_no_new_privileges_is_set_when_asked(engine: Engine) -> None:
    script = "grep NoNewPrivs /proc/self/status"
    assert engine.sh(script).out.split()[1] == "0"
    host = {"SecurityOpt": ["no-new-privileges"]}
    assert engine.sh(script, host=host).out.split()[1] == "1"


def test_a_seccomp_filter_is_on_unless_refused(engine: Engine) -> None:
    script = "grep Seccomp: /proc/self/status"
    assert engine.sh(script).out.split()[1] == "2"
    host = {"SecurityOpt": ["seccomp=unconfined"]}
    assert engine.sh(script, host=host).out.split()[1] == "0"


def test_the_seccomp_filter_stops_what_docker_stops(engine: Engine) -> None:
    assert engine.sh("unshare -U true").code != 0
    assert engine.sh("mount -t tmpfs none /tmp").code != 0


def test_the_kernels_knobs_are_hidden(engine: Engine) -> None:
    done = engine.sh(
        "cat /proc/kcore | head -c 1 | wc -c; ls /sys/firmware | wc -l;"
        "echo 1 > /proc/sys/kernel/domainname; echo b > /proc/sysrq-trigger"
    )
    assert done.out.split() == ["0", "0"]
    assert "can't create /proc/sys/kernel/domainname: Read-only file system" in done.err
    assert "can't create /proc/sysrq-trigger" in done.err


@pytest.mark.naru_only
def test_privileged_lifts_what_protects_the_host(engine: Engine) -> None:
    done = engine.sh(
        "grep -E 'Seccomp:|CapEff' /proc/self/status; ls /dev | wc -l;"
        "grep -c ' /proc/sys ' /proc/mounts",
        host={"Privileged": True},
    )
    words = done.out.split()
    assert int(words[1], 16) > 0xA80425FB
    assert words[3] == "0"
    assert int(words[4]) > 20
    assert words[5] == "0"


def test_a_read_only_root_can_only_be_read(engine: Engine) -> None:
    done = engine.sh("touch /x; touch /dev/shm/y && echo shm", host={"ReadonlyRootfs": True})
    assert "Read-only file system" in done.err
    assert done.out == "shm\n"


def test_dev_has_the_standard_devices(engine: Engine) -> None:
    done = engine.sh("cd /dev; ls -d null zero full random urandom tty ptmx pts shm fd stdin")
    assert done.code == 0, done.err
    assert engine.sh("head -c 3 /dev/zero | wc -c; echo x > /dev/null").out == "3\n"


def test_devices_are_given_with_their_rights(engine: Engine) -> None:
    device = {"PathOnHost": "/dev/kmsg", "PathInContainer": "/dev/log0", "CgroupPermissions": "r"}
    script = "stat -c '%t:%T' /dev/log0; echo x > /dev/log0"
    done = engine.sh(script, host={"Devices": [device]})
    assert done.out == "1:b\n"
    assert "Operation not permitted" in done.err


def test_an_absent_device_is_refused(engine: Engine) -> None:
    device = {
        "PathOnHost": "/dev/naru-none",
        "PathInContainer": "/dev/x",
        "CgroupPermissions": "rwm",
    }
    container = engine.create("true", host={"Devices": [device]})
    answer = engine.api("POST", f"/containers/{container}/start")
    assert answer.status in (400, 404, 500)
    assert 'error gathering device information while adding custom device "/dev/naru-none": ' in (
        answer.message
    )
    assert "no such file or directory" in answer.message


def test_sysctls_of_its_namespaces_are_set(engine: Engine) -> None:
    host = {"Sysctls": {"net.ipv4.ip_local_port_range": "5000 6000", "kernel.msgmax": "4096"}}
    done = engine.sh(
        "cat /proc/sys/net/ipv4/ip_local_port_range /proc/sys/kernel/msgmax", host=host
    )
    assert done.out.split() == ["5000", "6000", "4096"]


def test_a_sysctl_of_the_host_is_refused(engine: Engine) -> None:
    answer = engine.refusal("true", host={"Sysctls": {"vm.swappiness": "1"}})
    assert answer.status in (400, 500)
    assert 'sysctl "vm.swappiness" is not in a separate kernel namespace' in answer.message


def test_ulimits_are_set(engine: Engine) -> None:
    limits = [
        {"Name": "nofile", "Soft": 50, "Hard": 60},
        {"Name": "core", "Soft": 0, "Hard": 0},
    ]
    done = engine.sh("ulimit -n; ulimit -Hn; ulimit -c", host={"Ulimits": limits})
    assert done.out.split() == ["50", "60", "0"]


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ({"Name": "wings", "Soft": 1, "Hard": 1}, "wings"),
        ({"Name": "nofile", "Soft": 20, "Hard": 10}, "20"),
    ],
)
@pytest.mark.naru_only
def test_a_ulimit_that_makes_no_sense_is_refused(
    engine: Engine, limit: dict[str, Any], words: str
) -> None:
    answer = engine.ask_to_create(host={"Ulimits": [limit]})
    assert answer.status == 400
    assert words in answer.message


def test_shared_memory_has_its_size(engine: Engine) -> None:
    script = "df -k /dev/shm | tail -1 | awk '{print $2}'"
    assert engine.sh(script).out.strip() == "65536"
    assert engine.sh(script, host={"ShmSize": 8 << 20}).out.strip() == "8192"


def test_processes_see_only_themselves_unless_told(engine: Engine) -> None:
    assert engine.sh("echo $$").out == "1\n"
    done = engine.sh("ls /proc | grep -c '^[0-9]'", host={"PidMode": "host"})
    assert int(done.out) > 10
    other = engine.up("sleep", "7654")
    done = engine.sh("cat /proc/1/cmdline", host={"PidMode": f"container:{other}"})
    assert "7654" in done.out


def test_shared_memory_can_be_shared(engine: Engine) -> None:
    other = engine.up(host={"IpcMode": "shareable"})
    engine.exec(other, "sh", "-c", "echo here > /dev/shm/note")
    done = engine.sh("cat /dev/shm/note", host={"IpcMode": f"container:{other}"})
    assert done.out == "here\n"


def test_the_hosts_name_can_be_shared(engine: Engine) -> None:
    assert engine.sh("hostname", host={"UTSMode": "host"}).out.strip() == os.uname().nodename


def test_labels_come_from_image_and_request(engine: Engine) -> None:
    name = "naru-test/labels:latest"
    engine.load(
        docker_archive([name], [busybox_layer()], {"Cmd": ["sh"], "Labels": {"a": "1", "b": "1"}})
    )
    container = engine.create("true", image=name, Labels={"b": "2", "c": "3"})
    labels = engine.inspect(container)["Config"]["Labels"]
    engine.remove_all()
    engine.api("DELETE", f"/images/{name}").ok(200)
    assert labels.items() >= {"a": "1", "b": "2", "c": "3"}.items()


def test_setuid_programs_of_an_image_keep_their_bit(engine: Engine) -> None:
    name = "naru-test/setuid:latest"
    layer = Tree().file("bin/special", "#!/bin/sh\n", mode=0o4755).tar()
    engine.load(docker_archive([name], [busybox_layer(), layer]))
    done = engine.sh("stat -c %a /bin/special", image=name)
    engine.remove_all()
    engine.api("DELETE", f"/images/{name}").ok(200)
    assert done.out == "4755\n"


def test_the_hosts_own_devices_are_not_reachable(engine: Engine) -> None:
    device = next(
        path for path in sorted(Path("/dev").iterdir()) if stat.S_ISBLK(path.stat().st_mode)
    )
    number = device.stat().st_rdev
    script = f"mknod /disk b {os.major(number)} {os.minor(number)} && head -c 1 /disk"
    done = engine.sh(script)
    assert done.code != 0
    assert "Operation not permitted" in done.err
