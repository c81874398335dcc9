"""Whole specs: Docker's defaults, and what each option changes in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from naru.api.container_config import ContainerConfig
from naru.api.host_config import HostConfig
from naru.errors import InvalidInputError
from naru.specgen.facts import DeviceNode, HostFacts
from naru.specgen.generate import SpecRequest, generate
from naru.specgen.mounts import MountPoint

_FACTS = HostFacts(
    kernel_version="6.1.0",
    init_path="/usr/bin/tini",
    find_devices=lambda path: {
        "/dev": (DeviceNode("/dev/sda", "b", 8, 0), DeviceNode("/dev/null", "c", 1, 3)),
        "/dev/sda": (DeviceNode("/dev/sda", "b", 8, 0, 0o660, 0, 6),),
    }.get(path, ()),
)


def _spec(
    config: ContainerConfig | None = None, host: HostConfig | None = None, **changes: Any
) -> dict[str, Any]:
    values: dict[str, Any] = {
        "container_id": "c" * 64,
        "config": config or ContainerConfig(cmd=["true"]),
        "host_config": host or HostConfig(),
        "rootfs": Path("/run/naru/c/x/rootfs"),
        "hostname": "box",
        "cgroups_path": "/naru/x",
        "netns_path": Path("/run/naru/netns/x"),
        **changes,
    }
    return generate(SpecRequest(**values), _FACTS)


def _destinations(spec: dict[str, Any]) -> list[str]:
    return [mount["destination"] for mount in spec["mounts"]]


def _kinds(spec: dict[str, Any]) -> dict[str, str]:
    return {entry["type"]: entry.get("path", "") for entry in spec["linux"]["namespaces"]}


def test_the_default_is_dockers() -> None:
    spec = _spec()
    assert spec["process"]["args"] == ["true"]
    assert spec["process"]["cwd"] == "/"
    assert spec["process"]["env"] == [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOSTNAME=box",
        "HOME=/",
    ]
    assert len(spec["process"]["capabilities"]["effective"]) == 14
    assert spec["process"]["noNewPrivileges"] is False
    assert spec["hostname"] == "box"
    assert _destinations(spec) == [
        "/proc", "/dev", "/dev/pts", "/sys", "/sys/fs/cgroup", "/dev/mqueue", "/dev/shm",
    ]  # fmt: skip
    assert _kinds(spec) == {
        "mount": "", "network": "/run/naru/netns/x", "uts": "", "pid": "", "ipc": "",
    }  # fmt: skip
    assert spec["linux"]["seccomp"]["defaultAction"] == "SCMP_ACT_ERRNO"
    assert "/proc/kcore" in spec["linux"]["maskedPaths"]
    assert "/proc/sys" in spec["linux"]["readonlyPaths"]
    assert spec["linux"]["resources"]["devices"][0] == {"allow": False, "access": "rwm"}
    assert spec["linux"]["sysctl"] == {
        "net.ipv4.ip_unprivileged_port_start": "0",
        "net.ipv4.ping_group_range": "0 2147483647",
    }


def test_a_spec_is_json_and_the_same_every_time() -> None:
    config = ContainerConfig(cmd=["a"], env=["B=c"], user="5:6", tty=True)
    host = HostConfig(memory=1 << 30, privileged=True, init=True, annotations={"a": "b"})
    assert msgspec.json.encode(_spec(config, host)) == msgspec.json.encode(_spec(config, host))


def test_privileged_lifts_every_restriction() -> None:
    spec = _spec(host=HostConfig(privileged=True))
    assert len(spec["process"]["capabilities"]["effective"]) == 41
    assert spec["linux"]["maskedPaths"] == spec["linux"]["readonlyPaths"] == []
    assert "seccomp" not in spec["linux"]
    assert spec["linux"]["resources"]["devices"] == [{"allow": True, "access": "rwm"}]
    assert [node["path"] for node in spec["linux"]["devices"]] == ["/dev/sda"]
    options = {mount["destination"]: mount["options"] for mount in spec["mounts"]}
    assert "rw" in options["/sys"]
    assert "rw" in options["/sys/fs/cgroup"]


def test_the_hosts_network_brings_no_namespace_and_no_sysctl() -> None:
    spec = _spec(host=HostConfig(network_mode="host"), netns_path=None)
    assert "network" not in _kinds(spec)
    assert spec["linux"]["sysctl"] == {}


def test_joined_namespaces_are_named_by_path() -> None:
    spec = _spec(
        host=HostConfig(pid_mode="container:x", ipc_mode="container:x"),
        pid_namespace=Path("/proc/7/ns/pid"),
        ipc_namespace=Path("/proc/7/ns/ipc"),
        shm_path=Path("/proc/7/root/dev/shm"),
    )
    kinds = _kinds(spec)
    assert (kinds["pid"], kinds["ipc"]) == ("/proc/7/ns/pid", "/proc/7/ns/ipc")
    shm = next(m for m in spec["mounts"] if m["destination"] == "/dev/shm")
    assert (shm["type"], shm["source"]) == ("bind", "/proc/7/root/dev/shm")


def test_host_modes_leave_namespaces_out() -> None:
    host = HostConfig(pid_mode="host", ipc_mode="host", uts_mode="host", cgroupns_mode="private")
    spec = _spec(host=host)
    assert _kinds(spec).keys() == {"mount", "network", "cgroup"}
    assert "hostname" not in spec
    shm = next(m for m in spec["mounts"] if m["destination"] == "/dev/shm")
    assert shm["source"] == "/dev/shm"
    assert "/dev/shm" not in _destinations(_spec(host=HostConfig(ipc_mode="none")))


def test_init_goes_first_and_only_where_it_is_process_one() -> None:
    spec = _spec(host=HostConfig(init=True))
    assert spec["process"]["args"] == ["/sbin/docker-init", "--", "true"]
    mount = next(m for m in spec["mounts"] if m["destination"] == "/sbin/docker-init")
    assert (mount["source"], mount["options"]) == ("/usr/bin/tini", ["bind", "ro"])
    spec = _spec(host=HostConfig(init=True, pid_mode="host"))
    assert spec["process"]["args"] == ["true"]


def test_a_missing_init_is_told() -> None:
    request = SpecRequest(
        "x", ContainerConfig(cmd=["true"]), HostConfig(init=True), Path("/r"), "h", "/naru/x"
    )
    with pytest.raises(InvalidInputError, match='exec: "docker-init": executable file not found'):
        generate(request, HostFacts())


def test_what_the_user_mounts_comes_after_and_replaces() -> None:
    points = (
        MountPoint("bind", "/b", "/a/b/c"),
        MountPoint("bind", "/a", "/a"),
        MountPoint("tmpfs", "", "/dev/shm", options=("size=1m",)),
        MountPoint("volume", "/v", "/etc/hosts", read_only=True),
    )
    etc = {"/etc/hosts": Path("/h"), "/etc/hostname": Path("/n")}
    spec = _spec(mounts=points, etc_files=etc)
    destinations = _destinations(spec)
    assert destinations.count("/dev/shm") == destinations.count("/etc/hosts") == 1
    assert destinations.index("/a") < destinations.index("/a/b/c")
    hosts = next(m for m in spec["mounts"] if m["destination"] == "/etc/hosts")
    assert (hosts["source"], hosts["options"]) == ("/v", ["rbind", "ro", "rprivate"])


def test_dev_as_a_mount_takes_what_is_below_it_along() -> None:
    spec = _spec(mounts=(MountPoint("bind", "/dev", "/dev"),))
    assert not [d for d in _destinations(spec) if d.startswith("/dev/")]


def test_propagation_of_a_mount_shapes_the_roots() -> None:
    shared = (MountPoint("bind", "/a", "/a", propagation="rshared"),)
    slave = (MountPoint("bind", "/a", "/a", propagation="rslave"),)
    assert _spec(mounts=shared)["linux"]["rootfsPropagation"] == "shared"
    assert _spec(mounts=slave)["linux"]["rootfsPropagation"] == "slave"
    assert "rootfsPropagation" not in _spec()["linux"]


def test_security_options_reach_the_spec() -> None:
    host = HostConfig(
        security_opt=["no-new-privileges", "seccomp=unconfined", "systempaths=unconfined",
                      "writable-cgroups=true", "label=disable"]
    )  # fmt: skip
    spec = _spec(host=host)
    assert spec["process"]["noNewPrivileges"] is True
    assert "seccomp" not in spec["linux"]
    assert spec["linux"]["maskedPaths"] == []
    options = {mount["destination"]: mount["options"] for mount in spec["mounts"]}
    assert "rw" in options["/sys/fs/cgroup"]
    assert "ro" in options["/sys"]
    host = HostConfig(security_opt=["no-new-privileges=false"], masked_paths=["/x"])
    spec = _spec(host=host, no_new_privileges=True)
    assert spec["process"]["noNewPrivileges"] is False
    assert spec["linux"]["maskedPaths"] == ["/x"]


def test_the_engines_defaults_apply_until_overridden() -> None:
    spec = _spec(no_new_privileges=True, seccomp_profile="unconfined", ulimits={"core": (0, 0)})
    assert spec["process"]["noNewPrivileges"] is True
    assert "seccomp" not in spec["linux"]
    assert spec["process"]["rlimits"] == [{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]


def test_domain_name_is_set_through_its_sysctl() -> None:
    config = ContainerConfig(cmd=["true"], domainname="example.org")
    assert _spec(config)["linux"]["sysctl"]["kernel.domainname"] == "example.org"


def test_no_command_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="no command specified"):
        _spec(ContainerConfig())
