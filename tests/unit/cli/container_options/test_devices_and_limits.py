"""Devices, GPUs, ulimits, restart policies and security options."""

from __future__ import annotations

from pathlib import Path

import pytest

from naru.cli.container_options.devices import (
    check_cgroup_rule,
    parse_bytes_rate,
    parse_gpus,
    parse_weight,
    read_devices,
)
from naru.cli.container_options.limits import (
    check_sysctl,
    parse_swap_size,
    parse_ulimit,
    read_restart_policy,
)
from naru.cli.container_options.security import full_capability_names, read_security_options
from naru.errors import InvalidInputError
from naru.units import parse_bytes


def test_devices_have_two_paths_and_permissions() -> None:
    devices, names = read_devices(["/dev/a", "/dev/a:/dev/b:r", "/dev/a:rw", "v.com/c=n"])
    assert [list(device.values()) for device in devices] == [
        ["/dev/a", "/dev/a", "rwm"],
        ["/dev/a", "/dev/b", "r"],
        ["/dev/a", "/dev/a", "rw"],
    ]
    assert names == ["v.com/c=n"]


@pytest.mark.parametrize("spec", ["", "a", "/a:/b:x", "/a:/b:rr", "/a:/b:r:w", "/a:b"])
def test_bad_devices_are_refused(spec: str) -> None:
    with pytest.raises(InvalidInputError):
        read_devices([spec])


@pytest.mark.parametrize("rule", ["c 1:3 rwm", "a *:* r", "b 8:* mm"])
def test_device_rules_are_kept(rule: str) -> None:
    assert check_cgroup_rule(rule) == rule


@pytest.mark.parametrize("rule", ["", "c 1:3", "d 1:3 r", "c 1 r", "c 1:3 rwmr", "c a:1 r", "c  r"])
def test_bad_device_rules_are_refused(rule: str) -> None:
    with pytest.raises(InvalidInputError):
        check_cgroup_rule(rule)


def test_rates_and_weights_name_a_device() -> None:
    assert parse_bytes_rate("/dev/sda:1mb") == {"Path": "/dev/sda", "Rate": 1 << 20}
    assert parse_weight("/dev/sda:0") == {"Path": "/dev/sda", "Weight": 0}
    for text in ("/dev/sda", "sda:1", "/dev/sda:x", "/dev/sda:-1"):
        with pytest.raises(InvalidInputError):
            parse_bytes_rate(text)


def test_gpus_are_asked_for() -> None:
    assert parse_gpus("all")["Count"] == -1
    assert parse_gpus('"device=0,1"')["DeviceIDs"] == ["0", "1"]
    assert parse_gpus("driver=x")["Count"] == 1
    assert parse_gpus("2,capabilities=compute")["Capabilities"] == [["compute", "gpu"]]


def test_ulimits_have_a_soft_and_a_hard_part() -> None:
    assert parse_ulimit("nofile=1:2") == {"Name": "nofile", "Hard": 2, "Soft": 1}
    assert parse_ulimit("core=-1")["Hard"] == -1
    for text in ("nofile=2:1", "nofile=-1:5", "x=1", "nofile", "nofile=1:2:3"):
        with pytest.raises(InvalidInputError):
            parse_ulimit(text)


def test_sizes_are_not_negative() -> None:
    assert parse_swap_size("-1") == -1
    for parse in (parse_bytes, parse_swap_size):
        with pytest.raises(InvalidInputError, match="invalid size: '-2'"):
            parse("-2")


def test_only_the_containers_own_sysctls_are_taken() -> None:
    assert check_sysctl("net.a=b=c") == "net.a=b=c"
    for text in ("vm.x=1", "net.x", "kernel.hostname=x"):
        with pytest.raises(InvalidInputError, match="is not allowed"):
            check_sysctl(text)


def test_restart_policies_count() -> None:
    assert read_restart_policy("on-failure:3") == {"Name": "on-failure", "MaximumRetryCount": 3}
    for text in (":3", "on-failure:x"):
        with pytest.raises(InvalidInputError, match="invalid restart policy format"):
            read_restart_policy(text)


def test_capabilities_get_their_full_names() -> None:
    assert full_capability_names(["net_admin", "CAP_chown", "all", "chown"]) == [
        "ALL",
        "CAP_CHOWN",
        "CAP_NET_ADMIN",
    ]
    assert full_capability_names([]) is None


def test_a_seccomp_profile_is_read_and_pressed(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text('{ "a b" : [1, 2.50],\n "c": "x \\" : y\\\\" }')
    kept, is_open = read_security_options([f"seccomp={path}", "no-new-privileges"])
    assert kept == ['seccomp={"a b":[1,2.50],"c":"x \\" : y\\\\"}', "no-new-privileges"]
    assert not is_open


def test_open_system_paths_are_no_option_of_the_engine() -> None:
    assert read_security_options(["systempaths=unconfined", "label=disable"]) == (
        ["label=disable"],
        True,
    )


@pytest.mark.parametrize("option", ["foo", "seccomp", "seccomp=/nowhere", "label="])
def test_bad_security_options_are_refused(option: str) -> None:
    with pytest.raises(InvalidInputError):
        read_security_options([option])
