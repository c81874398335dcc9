"""Each field of a request that says how a container is set apart: honoured, or refused in words."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.engine import Engine
from harness.narud import EngineUnderTest


def _status(engine: Engine, field: str, **options: Any) -> str:
    done = engine.sh(f"sed -n 's/^{field}:[[:space:]]*//p' /proc/self/status", **options)
    return done.out.strip()


def _refused(engine: Engine, **host: Any) -> str:
    return engine.refusal("true", host=host).message


# -- namespaces --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "host"),
    [
        ("pid", {"PidMode": "host"}),
        ("ipc", {"IpcMode": "host"}),
        ("uts", {"UTSMode": "host"}),
        ("net", {"NetworkMode": "host"}),
        ("cgroup", {"CgroupnsMode": "host"}),
        ("user", {"UsernsMode": "host"}),
    ],
)
def test_host_means_the_hosts_namespace(engine: Engine, kind: str, host: dict[str, Any]) -> None:
    done = engine.sh(f"readlink /proc/self/ns/{kind}", host=host)
    own = os.readlink(f"/proc/self/ns/{kind}")
    # An engine under test elsewhere may run in a namespace of its own.
    if engine.is_naru or kind != "net":
        assert done.out.strip() == own


def test_every_container_has_namespaces_of_its_own(engine: Engine) -> None:
    script = "for kind in pid ipc uts net mnt; do readlink /proc/self/ns/$kind; done"
    # The kernel gives the numbers of those that have ended to the next ones.
    living = engine.up("sleep", "1000")
    first = engine.exec(living, "sh", "-c", script).out.split()
    second = engine.sh(script).out.split()
    host = [os.readlink(f"/proc/self/ns/{kind}") for kind in ("pid", "ipc", "uts", "net", "mnt")]
    assert len(first) == 5
    assert set(first).isdisjoint(second)
    assert set(first).isdisjoint(host)


def test_a_cgroup_namespace_hides_the_way_to_the_root(engine: Engine) -> None:
    private = engine.sh("cat /proc/self/cgroup", host={"CgroupnsMode": "private"}).out
    shared = engine.up("sleep", "100", host={"CgroupnsMode": "host"})
    assert all(line.endswith(":/") for line in private.splitlines())
    assert shared in engine.exec(shared, "cat", "/proc/self/cgroup").out


@pytest.mark.parametrize("field", ["PidMode", "IpcMode", "NetworkMode"])
def test_nobody_can_be_joined_who_is_not_there(engine: Engine, field: str) -> None:
    assert _refused(engine, **{field: "container:nobody"}) == "No such container: nobody"


def test_a_joined_container_may_be_renamed_but_must_run(engine: Engine) -> None:
    donor = engine.up("sleep", "1000", name="naru-test-donor", host={"IpcMode": "shareable"})
    joined = engine.create(
        "cat",
        "/proc/1/cmdline",
        host={"PidMode": "container:naru-test-donor", "IpcMode": "container:naru-test-donor"},
    )
    engine.api("POST", f"/containers/{donor}/rename", query={"name": "naru-test-other"}).ok(204)
    engine.start(joined)
    assert engine.wait(joined) == 0
    assert b"1000" in engine.logs(joined)["stdout"]
    engine.api("POST", f"/containers/{donor}/kill").ok(204)
    engine.wait(donor)
    answer = engine.api("POST", f"/containers/{joined}/start")
    assert answer.status >= 400
    assert donor in answer.message
    assert "running" in answer.message


def test_shared_memory_is_had_from_those_who_share(engine: Engine) -> None:
    donor = engine.up("sleep", "1000", host={"IpcMode": "private"})
    assert "non-shareable IPC" in _refused(engine, IpcMode=f"container:{donor}")
    # `none` has no shared memory of its own, but what the image has at that place.
    assert engine.sh("grep -c ' /dev/shm ' /proc/mounts", host={"IpcMode": "none"}).out == "0\n"


@pytest.mark.naru_only
@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("PidMode", "private", "invalid PID mode: private"),
        ("IpcMode", "nonsense", "invalid IPC mode: nonsense"),
        ("UTSMode", "container:x", "invalid UTS mode: container:x"),
        ("CgroupnsMode", "nonsense", "invalid cgroup namespace mode: nonsense"),
        ("UsernsMode", "keep-id", "invalid USER mode: keep-id"),
        ("Cgroup", "container:x", "cgroup mode container:x is not supported"),
        ("Isolation", "hyperv", "Invalid isolation: \"hyperv\" - linux only supports 'default'"),
        ("Runtime", "nonsense", "unknown or invalid runtime name: nonsense"),
        (
            "StorageOpt",
            {"size": "1G"},
            "--storage-opt is supported only for overlay over xfs with 'pquota' mount option",
        ),
    ],
)
def test_what_means_nothing_here_is_refused(
    engine: Engine, field: str, value: object, words: str
) -> None:
    assert _refused(engine, **{field: value}) == words


# -- names -------------------------------------------------------------------------------------


def test_a_domain_belongs_to_the_name(engine: Engine) -> None:
    done = engine.sh(
        "hostname; cat /proc/sys/kernel/domainname; grep -c 'foo.bar.com foo' /etc/hosts",
        Hostname="foo",
        Domainname="bar.com",
    )
    assert done.out.split() == ["foo", "bar.com", "1"]


def test_the_hosts_name_cannot_be_changed(engine: Engine) -> None:
    answer = engine.ask_to_create(Hostname="x", host={"UTSMode": "host"})
    assert answer.message == "conflicting options: hostname and the UTS mode"
    container = engine.create(Domainname="x", host={"UTSMode": "host"})
    answer = engine.api("POST", f"/containers/{container}/start")
    engine.remove(container)
    assert 'sysctl "kernel.domainname" is not' in answer.message


# -- rights ------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [["seccomp=unconfined"], ["seccomp:unconfined"]])
def test_the_filter_of_system_calls_can_be_left_out(engine: Engine, options: list[str]) -> None:
    assert _status(engine, "Seccomp") == "2"
    assert _status(engine, "Seccomp", host={"SecurityOpt": options}) == "0"


def test_a_profile_of_ones_own_is_the_one_that_counts(engine: Engine) -> None:
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}
    host = {"SecurityOpt": [f"seccomp={json.dumps(profile)}"]}
    done = engine.sh("mkdir /x; unshare -U true && echo free", host=host)
    assert "Function not implemented" in done.err
    assert done.out == "free\n"
    container = engine.up("sleep", "100", host=host)
    assert engine.exec(container, "mkdir", "/x", Privileged=False).code != 0


@pytest.mark.parametrize("text", ["x", "[]", '{"defaultAction": 5}', '{"syscalls": ['])
def test_a_profile_that_is_none_is_refused(engine: Engine, text: str) -> None:
    words = _refused(engine, SecurityOpt=[f"seccomp={text}"])
    assert words.startswith("Decoding seccomp profile failed: ")


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("nonsense", 'invalid --security-opt 1: "nonsense"'),
        ("nonsense=x", 'invalid --security-opt 2: "nonsense=x"'),
        ("no-new-privileges:maybe", 'invalid --security-opt 2: "no-new-privileges:maybe"'),
    ],
)
def test_unknown_security_options_are_refused(engine: Engine, option: str, words: str) -> None:
    assert _refused(engine, SecurityOpt=[option]) == words


def test_labels_mean_nothing_without_selinux(engine: Engine) -> None:
    host = {"SecurityOpt": ["label=disable", "label=type:x", "apparmor=unconfined"]}
    assert engine.run("true", host=host).code == 0


@pytest.mark.naru_only
def test_an_apparmor_profile_is_not_forgotten_where_there_is_no_apparmor(engine: Engine) -> None:
    if Path("/sys/module/apparmor/parameters/enabled").exists():
        return
    words = _refused(engine, SecurityOpt=["apparmor=mine"])
    assert words == "apparmor profile mine cannot be used: AppArmor is not enabled on this host"


@pytest.mark.naru_only
def test_cgroups_can_be_made_writable(engine: Engine) -> None:
    script = "cd /sys/fs/cgroup; [ ! -d memory ] || cd memory; mkdir x && rmdir x && echo wrote"
    options = ["writable-cgroups=true"]
    assert engine.sh(script).out == ""
    assert engine.sh(script, host={"SecurityOpt": options}).out == "wrote\n"


def test_paths_are_hidden_as_asked(engine: Engine) -> None:
    host = {"MaskedPaths": ["/etc/passwd", "/home", "/not/there"], "ReadonlyPaths": ["/tmp"]}
    script = "cat /etc/passwd; ls /home; head -c1 /proc/timer_list | wc -c; touch /tmp/x"
    done = engine.sh(f"mkdir -p /home/x; {script}", host=host)
    assert done.out == "1\n"
    assert "Read-only file system" in done.err
    opened: dict[str, list[str]] = {"MaskedPaths": [], "ReadonlyPaths": []}
    assert engine.sh("head -c1 /proc/timer_list | wc -c", host=opened).out == "1\n"


@pytest.mark.naru_only
def test_heat_does_not_tell_what_others_compute(engine: Engine) -> None:
    # Docker hides these since 28.1.
    paths = "/proc/interrupts /sys/devices/system/cpu/cpu0/thermal_throttle"
    assert engine.sh(f"cat {paths} 2>&-; ls {paths.split()[1]} 2>&-").out == ""
    opened = {"SecurityOpt": ["systempaths=unconfined"]}
    done = engine.sh("cat /proc/interrupts", host=opened)
    assert done.out != ""
    assert engine.inspect(done.id)["HostConfig"]["MaskedPaths"] == []


def test_capabilities_reach_exec_and_other_users(engine: Engine) -> None:
    host = {"CapAdd": ["net_admin"], "CapDrop": ["ALL"]}
    show = "sed -n 's/^Cap\\(Eff\\|Bnd\\):.*0*\\(....\\)$/\\2/p' /proc/self/status"
    container = engine.up("sleep", "1000", host=host)
    assert engine.exec(container, "sh", "-c", show).out.split() == ["1000", "1000"]
    assert engine.exec(container, "sh", "-c", show, User="5").out.split() == ["0000", "1000"]


@pytest.mark.naru_only
def test_a_privileged_exec_has_all_but_what_confines_the_container(engine: Engine) -> None:
    container = engine.up("sleep", "1000", host={"SecurityOpt": ["no-new-privileges"]})
    show = "grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/self/status; head -c1 /proc/timer_list"
    lines = engine.exec(container, "sh", "-c", show, Privileged=True).out.split()
    own = Path("/proc/self/status").read_text().split("CapBnd:\t")[1].split()[0]
    assert lines == ["CapEff:", own, "NoNewPrivs:", "1", "Seccomp:", "2"]


def test_exec_takes_user_directory_and_environment(engine: Engine) -> None:
    container = engine.up("sleep", "1000", Env=["A=1", "B=1"], WorkingDir="/tmp", User="5:6")
    script = "id -u; id -g; pwd; echo $A $B $C $HOME"
    plain = engine.exec(container, "sh", "-c", script)
    assert plain.out.split() == ["5", "6", "/tmp", "1", "1", "/"]
    other = engine.exec(
        container, "sh", "-c", script, User="0", WorkingDir="/etc", Env=["B=2", "C=3"]
    )
    assert other.out.split()[:6] == ["0", "0", "/etc", "1", "2", "3"]


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ("nobody-here", "unable to find user nobody-here: no matching entries in passwd file"),
        ("0:no-group", "unable to find group no-group: no matching entries in group file"),
        ("4294967296", "uids and gids must be in range 0-2147483647"),
    ],
)
def test_a_user_who_is_not_there_is_named(engine: Engine, user: str, words: str) -> None:
    container = engine.create("true", User=user)
    answer = engine.api("POST", f"/containers/{container}/start")
    assert words in answer.message


# -- devices -----------------------------------------------------------------------------------


def test_directories_of_devices_and_links_to_them_are_given(engine: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "devices"
    (folder / "deep").mkdir(parents=True)
    os.mknod(folder / "a", 0o20666, os.makedev(1, 3))
    os.mknod(folder / "deep" / "b", 0o20600, os.makedev(1, 5))
    link = tmp_path / "link"
    link.symlink_to("/dev/zero")
    devices = [
        {"PathOnHost": str(folder), "PathInContainer": "/dev/many", "CgroupPermissions": "rwm"},
        {"PathOnHost": str(link), "PathInContainer": "/dev/linked", "CgroupPermissions": "r"},
    ]
    script = "cd /dev; stat -c '%n %t:%T' many/a many/deep/b linked; head -c2 many/deep/b | wc -c"
    done = engine.sh(script, host={"Devices": devices})
    assert done.out.splitlines() == ["many/a 1:3", "many/deep/b 1:5", "linked 1:5", "2"]


@pytest.mark.naru_only
def test_the_privileged_may_name_devices_and_be_filtered(engine: Engine) -> None:
    device = {"PathOnHost": "/dev/zero", "PathInContainer": "/dev/z", "CgroupPermissions": "rwm"}
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}
    profile = json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]})
    host = {"Privileged": True, "Devices": [device], "SecurityOpt": [f"seccomp={profile}"]}
    done = engine.sh("head -c1 /dev/z | wc -c; mkdir /x", host=host)
    assert done.out == "1\n"
    assert "Operation not permitted" in done.err


def test_rules_allow_devices_to_be_made(engine: Engine) -> None:
    make = "mknod /fuse c 10 229 && : < /fuse"
    forbidden = "Operation not permitted"
    assert forbidden in engine.sh(make).err
    assert forbidden not in engine.sh(make, host={"DeviceCgroupRules": ["c 10:229 r"]}).err
    assert _refused(engine, DeviceCgroupRules=["nonsense"])


def test_what_is_no_device_is_not_given(engine: Engine) -> None:
    device = {"PathOnHost": "/etc/passwd", "PathInContainer": "/d", "CgroupPermissions": "r"}
    assert _refused(engine, Devices=[device]) == (
        'error gathering device information while adding custom device "/etc/passwd": '
        "not a device node"
    )


# -- the rest ----------------------------------------------------------------------------------


def test_a_read_only_root_keeps_what_is_mounted_writable(engine: Engine, tmp_path: Path) -> None:
    host = {"ReadonlyRootfs": True, "Tmpfs": {"/t": ""}, "Binds": [f"{tmp_path}:/b"]}
    script = "touch /t/x /b/x /dev/shm/x && echo yes; touch /x; echo 1 >> /etc/hosts"
    done = engine.sh(f"mkdir -p /t; {script}", host=host)
    assert done.out == "yes\n"
    assert done.err.count("Read-only file system") == 2


def test_an_init_reaps_for_the_process(engine: Engine) -> None:
    done = engine.sh("cat /proc/1/comm; readlink /proc/$$/exe | wc -l", host={"Init": True})
    assert "init" in done.out
    assert engine.sh("echo $$", host={"Init": False}).out == "1\n"


def test_the_killer_of_processes_is_told(engine: Engine) -> None:
    assert engine.sh("cat /proc/self/oom_score_adj", host={"OomScoreAdj": 321}).out == "321\n"
    assert _refused(engine, OomScoreAdj=1001).startswith("Invalid value 1001")


def test_the_runtime_can_be_chosen(engine: Engine) -> None:
    known = engine.api("GET", "/info").ok(200).json()["Runtimes"]
    runtime = "runc" if "runc" in known else next(iter(known))
    done = engine.run("true", host={"Runtime": runtime})
    assert engine.inspect(done.id)["HostConfig"]["Runtime"] == runtime


@pytest.mark.naru_only
def test_annotations_reach_the_runtime(own_engine: EngineUnderTest) -> None:
    host = {"Annotations": {"org.example/a": "b"}}
    made = own_engine.up("sleep", "100", host=host, version="1.43")
    spec = json.loads((own_engine.exec_root / "c" / made / "config.json").read_text())
    assert spec["annotations"]["org.example/a"] == "b"
    assert own_engine.inspect(made)["HostConfig"]["Annotations"] == host["Annotations"]


@pytest.mark.naru_only
def test_the_engine_has_defaults_for_all_containers(
    make_engine: Callable[..., EngineUnderTest], tmp_path: Path
) -> None:
    profile = tmp_path / "profile.json"
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}
    text = json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]})
    profile.write_text(text)
    engine = make_engine(
        f"--seccomp-profile={profile}",
        "--default-ipc-mode=shareable",
        "--default-cgroupns-mode=private",
        "--no-new-privileges",
    )
    done = engine.sh("mkdir /x; grep NoNewPrivs /proc/self/status")
    assert "Function not implemented" in done.err
    assert done.out == "NoNewPrivs:\t1\n"
    host = engine.inspect(done.id)["HostConfig"]
    assert (host["IpcMode"], host["CgroupnsMode"]) == ("shareable", "private")
    done = engine.sh("mkdir /x", host={"SecurityOpt": ["seccomp=builtin"]})
    assert done.code == 0
    options = engine.api("GET", "/info").json()["SecurityOptions"]
    assert f"name=seccomp,profile={profile}" in options
    engine.remove_all()
    engine.terminate()
    profile.write_text("{}")
    engine.spawn()
    assert engine.await_death() == 1
    assert "Decoding seccomp profile failed" in engine.log_tail()


def test_the_kernel_is_the_hosts(engine: Engine) -> None:
    assert engine.sh("uname -r").out.strip() == os.uname().release


def test_a_terminal_has_the_size_that_is_asked_for(engine: Engine) -> None:
    newest = engine.api("GET", "/version", version="").json()["ApiVersion"]
    if tuple(map(int, newest.split("."))) < (1, 42):
        return
    host = {"ConsoleSize": [33, 77]}
    assert engine.run("stty", "size", host=host, Tty=True, version="1.42").out == "33 77\r\n"
