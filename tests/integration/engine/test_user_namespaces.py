"""`--userns-remap`: root of a container is nobody on the host, and notices little of it."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness import leaks, narud
from harness.archives import BUSYBOX, Tree
from harness.builds import build, remove_images
from harness.engine import Engine
from harness.narud import EngineUnderTest
from harness.requirements import requires
from harness.subordinates import FOLDER, GID, UID, subordinate_account
from harness.waiting import eventually

pytestmark = [requires("root"), pytest.mark.naru_only]


@pytest.fixture(scope="module")
def setting() -> Iterator[str]:
    """Give what `--userns-remap` is set to."""
    with subordinate_account() as name:
        yield name


@pytest.fixture(scope="module")
def shared_remapped(setting: str) -> Iterator[EngineUnderTest]:
    """Give the engine that these tests share."""
    if os.environ.get("NARU_TEST_SOCKET"):
        pytest.skip("needs an engine of its own")
    engine = narud.started([f"--userns-remap={setting}"])
    yield engine
    engine.destroy()


@pytest.fixture
def remapped(shared_remapped: EngineUnderTest) -> Iterator[EngineUnderTest]:
    """Give an engine whose containers run in user namespaces; nothing of them stays."""
    before = shared_remapped.footprint()
    yield shared_remapped
    shared_remapped.remove_all()
    leaks.assert_nothing_left(before, shared_remapped.footprint)


def _exec(engine: Engine, container: str, script: str, **config: object) -> tuple[int, str]:
    done = engine.exec(container, "sh", "-c", script, **config)
    return done.code, done.out + done.err


def test_root_is_nobody_on_the_host(remapped: EngineUnderTest) -> None:
    container = remapped.up("sleep", "1000")
    pid = remapped.state(container)["Pid"]
    status = Path(f"/proc/{pid}/status").read_text()
    assert f"Uid:\t{UID}\t{UID}" in status
    assert f"Gid:\t{GID}\t{GID}" in status
    bundle = (remapped.exec_root / "c" / container).stat()
    # Setuid programs of the container's root are not for the host's users.
    assert (bundle.st_mode & 0o7777, bundle.st_uid, bundle.st_gid) == (0o710, 0, GID)
    done = remapped.sh("id -u; cat /proc/self/uid_map; ls -ldn /bin /etc/hosts | cut -c1-40")
    assert done.out.split()[:4] == ["0", "0", str(UID), "65536"]
    info = remapped.api("GET", "/info").json()
    assert "name=userns" in info["SecurityOptions"]
    assert info["DockerRootDir"] == str(remapped.data_root / FOLDER)
    assert (remapped.data_root / FOLDER).stat().st_mode & 0o077 == 0


def test_files_of_images_belong_to_root_inside_and_on_disk(remapped: EngineUnderTest) -> None:
    script = (
        "stat -c %u:%g /bin /bin/sh; touch /new; chown 33:44 /new; rm /bin/vi; rm -r /usr;"
        " mkdir /usr; ls /usr; stat -c %u:%g /new"
    )
    done = remapped.sh(script)
    assert done.err == ""
    assert done.out == "0:0\n0:0\n33:44\n"
    [new] = (remapped.content_root / "snapshots").glob("*/fs/new")
    # As any other layer: what becomes of the container does not know that it was mapped.
    assert (new.stat().st_uid, new.stat().st_gid) == (33, 44)
    # It starts again on what it left.
    remapped.start(done.id)
    remapped.wait(done.id)
    assert remapped.logs(done.id)["stdout"].decode().endswith("0:0\n0:0\n33:44\n")


def test_streams_devices_and_etc_files_can_be_used(remapped: EngineUnderTest) -> None:
    script = (
        "echo out > /dev/stdout; echo err > /dev/stderr; echo > /dev/null; head -c1 /dev/zero |"
        " wc -c; touch /dev/shm/x /tmp/y; echo '1.2.3.4 x' >> /etc/hosts; tail -n1 /etc/hosts;"
        " sysctl -n net.ipv4.ping_group_range"
    )
    done = remapped.sh(script)
    assert done.err == "err\n"
    assert done.out.split() == ["out", "1", "1.2.3.4", "x", "0", "65535"]
    assert remapped.run("sh", "-c", "tty; echo > /dev/tty", Tty=True).out == "/dev/pts/0\r\n\r\n"


@pytest.mark.parametrize("user", ["", "1234"])
def test_exec_runs_inside_too(remapped: EngineUnderTest, user: str) -> None:
    container = remapped.up("sleep", "1000")
    script = "id -u; echo out > /dev/stdout; cat; echo $((1+1))"
    code, out = _exec(remapped, container, script, User=user)
    assert (code, [word for word in out.split() if word.isalnum()]) == (
        0,
        [user or "0", "out", "2"],
    )
    code, out = _exec(remapped, container, "true", User="70000")
    assert code == 126
    assert "does not exist in the container's user namespace" in out


def test_the_network_is_roots_own(remapped: EngineUnderTest) -> None:
    host = {"CapAdd": ["NET_ADMIN"]}
    done = remapped.sh("ip link set eth0 mtu 1400 && cat /sys/class/net/eth0/mtu", host=host)
    assert done.out == "1400\n"
    gateway = "ip route | sed -n 's/default via \\([^ ]*\\).*/\\1/p'"
    listens = "until netstat -lnt | grep ':80 '; do sleep 0.02; done"
    done = remapped.sh(f"ping -c1 -w9 $({gateway}) >&2; nc -l -p 80 & {listens}")
    assert ":::80" in done.out or "0.0.0.0:80" in done.out
    assert "1 packets received" in done.err


def test_volumes_are_written_by_root_and_binds_are_the_hosts(
    remapped: EngineUnderTest, tmp_path: Path
) -> None:
    (tmp_path / "theirs").write_text("x")
    tmp_path.chmod(0o755)
    binds = {"Binds": ["naru-test-mapped:/v", f"{tmp_path}:/b"]}
    done = remapped.sh("touch /v/x; stat -c %u /v/x /b/theirs; touch /b/y", host=binds)
    assert done.out == "0\n65534\n"
    assert "Permission denied" in done.err
    # The same volume in the host's own namespace: root's, not a stranger's.
    unmapped = {"Binds": ["naru-test-mapped:/v"], "UsernsMode": "host"}
    assert remapped.sh("stat -c %u /v/x; touch /v/y", host=unmapped).out == "0\n"
    assert remapped.sh("stat -c %u /v/y; echo > /v/y", host=binds).out == "0\n"
    remapped.remove_all()
    remapped.api("DELETE", "/volumes/naru-test-mapped").ok(204)


@pytest.mark.parametrize("is_running", [True, False])
def test_copies_have_the_owners_that_the_container_sees(
    remapped: EngineUnderTest, is_running: bool
) -> None:
    script = "mkdir /d; echo x > /d/f; chown 7:8 /d/f; [ -z $STAY ] || sleep 1000"
    container = remapped.up("sh", "-c", script, Env=["STAY=1" if is_running else "STAY="])
    path = f"/containers/{container}/archive"
    if is_running:
        eventually(lambda: _exec(remapped, container, "stat -c %u /d/f")[1] == "7\n", "made")
    else:
        remapped.wait(container)
    body = remapped.api("GET", path, query={"path": "/d/f"}).ok(200).body
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        [member] = archive
    assert (member.uid, member.gid) == (7, 8)
    put = Tree().file("g", "g\n", uid=9, gid=10).directory("new").tar()
    remapped.api("PUT", path, put, query={"path": "/d"}).ok(200)
    body = remapped.api("GET", path, query={"path": "/d"}).ok(200).body
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        owners = {member.name: (member.uid, member.gid) for member in archive}
    assert owners == {"d": (0, 0), "d/f": (7, 8), "d/g": (9, 10), "d/new": (0, 0)}
    if is_running:
        assert _exec(remapped, container, "stat -c %u:%g /d/g /d/new")[1].split() == ["9:10", "0:0"]
        stranger = Tree().file("s", "", uid=70_000).tar()
        answer = remapped.api("PUT", path, stranger, query={"path": "/d"})
        assert answer.status == 400
        assert "uid 70000 does not exist in the container's user namespace" in answer.message


def test_images_and_parts_of_volumes_are_mapped(remapped: EngineUnderTest) -> None:
    mounts = [
        {"Type": "image", "Source": BUSYBOX, "Target": "/i"},
        {
            "Type": "volume",
            "Source": "naru-test-part",
            "Target": "/v",
            "VolumeOptions": {"Subpath": "sub"},
        },
    ]
    remapped.sh("mkdir /v/sub", host={"Binds": ["naru-test-part:/v"]})
    script = "stat -c %u /i/bin/sh /v; touch /v/x"
    done = remapped.sh(script, host={"Mounts": mounts}, version="1.48")
    assert (done.code, done.out) == (0, "0\n0\n")
    remapped.remove_all()
    remapped.api("DELETE", "/volumes/naru-test-part").ok(204)


def test_a_container_can_stay_in_the_hosts_namespace(remapped: EngineUnderTest) -> None:
    for host in ({"UsernsMode": "host"}, {"UsernsMode": "host", "Privileged": True}):
        done = remapped.sh("cat /proc/self/uid_map; stat -c %u /bin", host=host)
        assert done.out.split() == ["0", "0", "4294967295", "0"]


@pytest.mark.parametrize(
    ("host", "words"),
    [
        (
            {"Privileged": True},
            "privileged mode is incompatible with user namespaces.  You must run the container",
        ),
        (
            {"NetworkMode": "host"},
            "cannot share the host's network namespace when user namespaces are enabled",
        ),
        (
            {"PidMode": "host"},
            "cannot share the host PID namespace when user namespaces are enabled",
        ),
    ],
)
def test_what_only_the_hosts_root_may_is_refused(
    remapped: EngineUnderTest, host: dict[str, object], words: str
) -> None:
    answer = remapped.ask_to_create(host=host)
    assert answer.status == 400
    assert answer.message.startswith(words)


def test_who_shares_namespaces_shares_the_user_namespace(remapped: EngineUnderTest) -> None:
    donor = remapped.up("sleep", "1000", host={"IpcMode": "shareable"})
    namespace = os.readlink(f"/proc/{remapped.state(donor)['Pid']}/ns/user")
    modes = {f"{what}Mode": f"container:{donor}" for what in ("Network", "Pid", "Ipc")}
    done = remapped.sh("readlink /proc/self/ns/user; touch /dev/shm/x; ping -c1 127.1", host=modes)
    assert (done.code, done.out.splitlines()[0]) == (0, namespace)
    alone = remapped.sh("readlink /proc/self/ns/user")
    assert alone.out.strip() != namespace
    container = remapped.create("true", host={**modes, "UsernsMode": "host"})
    answer = remapped.api("POST", f"/containers/{container}/start")
    assert answer.status == 409
    assert "runs in another user namespace" in answer.message


def test_no_way_leads_out_of_the_namespace(remapped: EngineUnderTest) -> None:
    script = (
        "mknod /d b 254 0; chown 70000 /tmp; cat /proc/sys/kernel/cad_pid > /proc/sys/kernel/cad_pid;"
        " mount -t tmpfs x /mnt; chroot / mount -o remount,rw /sys; echo 1 > /proc/sysrq-trigger"
    )
    done = remapped.sh(script)
    assert len(done.err.splitlines()) == 6, done.err


def test_they_survive_their_engine(remapped: EngineUnderTest) -> None:
    container = remapped.up("sh", "-c", "touch /kept; sleep 1000")
    remapped.restart(how="kill9")
    assert remapped.state(container)["Status"] == "running"
    assert _exec(remapped, container, "ls /kept; id -u")[1].split() == ["/kept", "0"]
    remapped.api("POST", f"/containers/{container}/restart", query={"t": 0}).ok(204)
    assert _exec(remapped, container, "stat -c %u /kept")[1].split() == ["0"]


def test_a_mapping_that_cannot_be_is_refused_at_the_start(
    make_engine: Callable[..., EngineUnderTest],
) -> None:
    engine = narud.EngineUnderTest("--userns-remap=no-such-account")
    try:
        engine.spawn()
        assert engine.await_death() == 1
        assert 'Error during uid lookup for "no-such-account"' in engine.log_tail()
    finally:
        engine.destroy()


def test_what_a_mapped_container_changed_becomes_an_image(remapped: EngineUnderTest) -> None:
    done = remapped.sh("rm /bin/vi; rm -r /var; mkdir /var; echo hi > /var/new; chown 33:44 /var")
    found = remapped.api("GET", f"/containers/{done.id}/changes").ok(200).json()
    kinds = {item["Path"]: item["Kind"] for item in found}
    assert kinds == {
        "/bin": 0,
        "/bin/vi": 2,
        "/var": 0,
        "/var/new": 1,
        "/var/tmp": 2,
        "/var/www": 2,
    }
    query = {"container": done.id, "repo": "naru-test/mapped", "tag": "1"}
    remapped.api("POST", "/commit", query=query).ok(201)
    again = remapped.sh("ls /var; stat -c %u:%g /var /var/new", image="naru-test/mapped:1")
    assert again.out == "new\n33:44\n0:0\n"
    remapped.remove(again.id)
    remapped.api("DELETE", "/images/naru-test/mapped:1").ok(200)


def test_builds_leave_the_owners_that_the_container_saw(remapped: EngineUnderTest) -> None:
    dockerfile = (
        f"FROM {BUSYBOX}\nCOPY --chown=app f /copied\nRUN touch /made && chown 7:8 /made\n"
        "RUN --mount=type=bind,source=f,target=/m --mount=type=cache,target=/c "
        "touch /c/x && cat /m && stat -c '%u:%g %n' /copied /made /c/x\n"
    )
    context = Tree().file("Dockerfile", dockerfile).file("f", "read\n").tar()
    answer = build(remapped, context)
    text = "".join(record.get("stream", "") for record in answer.ok(200).json_lines())
    assert "\nread\n1000:1000 /copied\n7:8 /made\n0:0 /c/x\n" in text
    remove_images(remapped, answer)
    assert remapped.api("POST", "/build/prune").ok(200).json()["CachesDeleted"]
