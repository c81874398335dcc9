"""Devices by mapping, by directory, by rule."""

from __future__ import annotations

import pytest

from naru.api.host_config import DeviceMapping, HostConfig
from naru.errors import InvalidInputError
from naru.specgen.devices import check_devices, device_rules, devices
from naru.specgen.facts import DeviceNode, HostFacts

_TREE = {
    "/dev/a": (DeviceNode("/dev/a", "c", 9, 1, 0o640, 1, 2),),
    "/dev/dir": (DeviceNode("/dev/dir/x", "c", 9, 2), DeviceNode("/dev/dir/sub/y", "b", 9, 3)),
    "/dev/one": (DeviceNode("/dev/one/z", "c", 9, 4),),
}
_FACTS = HostFacts(find_devices=lambda path: _TREE.get(path, ()))


def _mapped(*mappings: DeviceMapping) -> tuple[list[str], list[dict[str, object]]]:
    nodes, rules = devices(HostConfig(devices=list(mappings)), _FACTS)
    return [node["path"] for node in nodes], rules[12:]


def test_a_device_appears_where_it_is_wanted_with_its_rule() -> None:
    paths, rules = _mapped(
        DeviceMapping(path_on_host="/dev/a", path_in_container="/dev/b", cgroup_permissions="r")
    )
    assert paths == ["/dev/b"]
    assert rules == [{"allow": True, "type": "c", "major": 9, "minor": 1, "access": "r"}]


def test_the_privileged_have_all_devices_and_other_names_for_some() -> None:
    tree = {**_TREE, "/dev": (*_TREE["/dev/a"], DeviceNode("/dev/null", "c", 1, 3))}
    facts = HostFacts(find_devices=lambda path: tree.get(path, ()))
    mapping = DeviceMapping(path_on_host="/dev/a", path_in_container="/dev/b")
    nodes, rules = devices(HostConfig(privileged=True, devices=[mapping]), facts)
    assert [node["path"] for node in nodes] == ["/dev/a", "/dev/b"]
    assert rules == [{"allow": True, "access": "rwm"}]
    with pytest.raises(InvalidInputError, match="no such file"):
        devices(HostConfig(privileged=True, devices=[DeviceMapping(path_on_host="/no")]), facts)


def test_ownership_and_mode_are_the_hosts() -> None:
    nodes, _ = devices(HostConfig(devices=[DeviceMapping(path_on_host="/dev/a")]), _FACTS)
    assert (nodes[0]["fileMode"], nodes[0]["uid"], nodes[0]["gid"]) == (0o640, 1, 2)


def test_a_directory_means_all_devices_below_it() -> None:
    paths, rules = _mapped(DeviceMapping(path_on_host="/dev/dir", path_in_container="/dev/d"))
    assert paths == ["/dev/d/x", "/dev/d/sub/y"]
    assert len(rules) == 2
    assert _mapped(DeviceMapping(path_on_host="/dev/one"))[0] == ["/dev/one/z"]


def test_an_absent_device_is_told_in_dockers_words() -> None:
    with pytest.raises(InvalidInputError) as caught:
        _mapped(DeviceMapping(path_on_host="/dev/none"))
    assert caught.value.message == (
        'error gathering device information while adding custom device "/dev/none": '
        "no such file or directory"
    )


def test_what_is_no_device_is_told_too() -> None:
    facts = HostFacts(find_devices=lambda path: (DeviceNode(path, "", 0, 0),))
    host = HostConfig(devices=[DeviceMapping(path_on_host="/etc/passwd")])
    with pytest.raises(InvalidInputError, match='"/etc/passwd": not a device node'):
        devices(host, facts)


def test_rules_are_read() -> None:
    assert device_rules(["c 10:* rw", "a *:* rwm"]) == [
        {"allow": True, "type": "c", "major": 10, "access": "rw"},
        {"allow": True, "type": "a", "access": "rwm"},
    ]


@pytest.mark.parametrize("text", ["", "x 1:2 r", "c 1 r", "c 1:2 q", "c 1:2 rwmr", "c -1:2 r"])
def test_malformed_rules_are_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="invalid device cgroup rule format"):
        device_rules([text])


def test_malformed_mappings_are_refused_without_a_host() -> None:
    with pytest.raises(InvalidInputError, match="invalid device permissions 'q'"):
        check_devices([DeviceMapping(path_on_host="/dev/a", cgroup_permissions="q")])
    with pytest.raises(InvalidInputError, match="is not absolute"):
        check_devices([DeviceMapping(path_on_host="/dev/a", path_in_container="b")])
