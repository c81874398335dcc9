"""Devices by name: specifications, requests, and what becomes of the runtime spec."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from naru.api.host_config import DeviceRequest
from naru.errors import InvalidInputError, NaruError
from naru.specgen.cdi import Registry, apply_edits, device_names, parse_specification
from naru.specgen.facts import DeviceNode, HostFacts

_NODE = DeviceNode("/dev/acme0", "c", 240, 7, mode=0o600, uid=3, gid=4)


def _text(**changes: Any) -> bytes:
    edits = {"deviceNodes": [{"path": "/dev/acme0"}], "env": ["ACME=0"]}
    specification = {
        "cdiVersion": "0.6.0",
        "kind": "acme.com/gadget",
        "devices": [{"name": "0", "containerEdits": edits}],
        "containerEdits": {"env": ["ACME_ALL=1"]},
    }
    return msgspec.json.encode(specification | changes)


def _find(path: str) -> tuple[DeviceNode, ...]:
    return (_NODE,) if path == _NODE.path else ()


def _spec() -> dict[str, Any]:
    return {
        "process": {"env": ["A=1", "ACME=old"], "user": {"additionalGids": [0]}},
        "linux": {"resources": {"devices": []}},
        "mounts": [],
    }


def test_a_device_brings_what_it_and_its_kind_need() -> None:
    registry = Registry([[parse_specification(_text())]])
    assert registry.names() == ["acme.com/gadget=0"]
    edits = registry.resolve(["acme.com/gadget=0", "acme.com/gadget=0"])
    spec = _spec()
    apply_edits(spec, edits, HostFacts(find_devices=_find))
    assert spec["process"]["env"] == ["A=1", "ACME_ALL=1", "ACME=0"]
    [node] = spec["linux"]["devices"]
    assert node == {
        "path": "/dev/acme0",
        "type": "c",
        "major": 240,
        "minor": 7,
        "fileMode": 0o600,
        "uid": 3,
        "gid": 4,
    }
    assert spec["linux"]["resources"]["devices"] == [
        {"allow": True, "type": "c", "major": 240, "minor": 7, "access": "rwm"}
    ]


def test_every_kind_of_edit_reaches_the_spec() -> None:
    edits = {
        "mounts": [
            {"hostPath": "/lib/acme", "containerPath": "/acme", "options": ["ro", "bind"]},
            {"hostPath": "/tmpfs", "containerPath": "/t", "type": "tmpfs"},
        ],
        "hooks": [{"hookName": "createContainer", "path": "/bin/x", "args": ["x"], "timeout": 1}],
        "additionalGids": [0, 44],
        "deviceNodes": [
            {"path": "/dev/a", "type": "b", "major": 1, "minor": 2, "permissions": "r", "uid": 9}
        ],
    }
    devices = [{"name": "all", "containerEdits": edits}]
    registry = Registry([[parse_specification(_text(devices=devices))]])
    spec = _spec()
    apply_edits(spec, registry.resolve(["acme.com/gadget=all"]), HostFacts())
    assert spec["mounts"][0] == {
        "destination": "/acme",
        "type": "bind",
        "source": "/lib/acme",
        "options": ["ro", "bind"],
    }
    assert spec["mounts"][1]["type"] == "tmpfs"
    assert spec["hooks"] == {"createContainer": [{"path": "/bin/x", "args": ["x"], "timeout": 1}]}
    assert spec["process"]["user"]["additionalGids"] == [0, 44]
    assert spec["linux"]["devices"][0]["uid"] == 9
    assert spec["linux"]["resources"]["devices"][0]["access"] == "r"


def test_a_node_that_is_not_there_is_refused() -> None:
    registry = Registry([[parse_specification(_text())]])
    with pytest.raises(InvalidInputError, match="failed to stat CDI host device"):
        apply_edits(_spec(), registry.resolve(["acme.com/gadget=0"]), HostFacts())


def test_later_directories_win_and_doubles_are_nobodys() -> None:
    first = parse_specification(_text())
    second = parse_specification(_text(containerEdits={"env": ["SECOND=1"]}))
    edits = Registry([[first], [second]]).resolve(["acme.com/gadget=0"])
    assert edits[0].env == ["SECOND=1"]
    with pytest.raises(InvalidInputError, match="unresolvable CDI devices"):
        Registry([[first, second]]).resolve(["acme.com/gadget=0"])


@pytest.mark.parametrize(
    "changes",
    [
        {"cdiVersion": "9.9.9"},
        {"kind": "acme"},
        {"kind": "/gadget"},
        {"devices": [{"name": "a b", "containerEdits": {}}]},
        {"devices": [{"name": "a", "containerEdits": {}}] * 2},
        {"devices": {}},
        {"unknown": 1},
        {"containerEdits": {"hooks": [{"hookName": "never", "path": "/x"}]}},
        {"containerEdits": {"deviceNodes": [{"path": "relative"}]}},
        {"containerEdits": {"intelRdt": {"closID": "x"}}},
        {"containerEdits": {"env": 5}},
    ],
)
def test_what_is_no_specification_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(NaruError):
        parse_specification(_text(**changes))


@pytest.mark.parametrize("data", [b"", b"[]", b"kind: acme.com/gadget", b"[" * 100_000])
def test_other_texts_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidInputError, match="invalid CDI Spec"):
        parse_specification(data)


_GPUS = ["nvidia.com/gpu=0", "nvidia.com/gpu=1", "nvidia.com/gpu=all", "x.com/y=0"]


@pytest.mark.parametrize(
    ("request_", "known", "names"),
    [
        (DeviceRequest(driver="cdi", device_ids=["a/b=c"]), [], ["a/b=c"]),
        (DeviceRequest(count=-1, capabilities=[["gpu"]]), _GPUS, ["nvidia.com/gpu=all"]),
        (DeviceRequest(count=-1, capabilities=[["gpu"]]), _GPUS[:2], _GPUS[:2]),
        (DeviceRequest(count=2, capabilities=[["gpu"]]), _GPUS, _GPUS[:2]),
        (
            DeviceRequest(driver="nvidia", device_ids=["1"], capabilities=[["utility", "gpu"]]),
            _GPUS,
            ["nvidia.com/gpu=1"],
        ),
        (DeviceRequest(count=1, capabilities=[["gpu"]]), ["amd.com/gpu=0"], ["amd.com/gpu=0"]),
    ],
)
def test_gpus_are_devices_of_a_known_kind(
    request_: DeviceRequest, known: list[str], names: list[str]
) -> None:
    assert device_names([request_], known) == names


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (
            DeviceRequest(count=-1, capabilities=[["gpu"]]),
            'could not select device driver "" with capabilities: [[gpu]]',
        ),
        (
            DeviceRequest(driver="nope", capabilities=[["x", "gpu"]]),
            'could not select device driver "nope" with capabilities: [[x gpu]]',
        ),
        (
            DeviceRequest(count=1, device_ids=["0"]),
            "cannot set both Count and DeviceIDs on device request",
        ),
        (DeviceRequest(driver="cdi", options={"a": "b"}), "options of device requests: a"),
    ],
)
def test_what_no_driver_can_give_is_refused(request_: DeviceRequest, words: str) -> None:
    with pytest.raises(NaruError) as caught:
        device_names([request_], ["x.com/y=0"])
    assert caught.value.message == words
