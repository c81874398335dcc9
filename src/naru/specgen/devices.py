"""Device nodes in a container, and the rules that allow their use. Pure.

Spec: runtime-spec v1.0.2, config-linux.md, Devices and Allowed Device list; Docker's `--device`
and `--device-cgroup-rule`.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from typing import Final

from naru.api.host_config import DeviceMapping, HostConfig
from naru.errors import InvalidInputError
from naru.oci.runtime_spec import Json
from naru.specgen.facts import DeviceNode, HostFacts

_RULE: Final = re.compile(r"([acb]) ([0-9]+|\*):([0-9]+|\*) ([rwm]{1,3})")
_ACCESS: Final = re.compile(r"[rwm]{1,3}")
# What every container may use; the runtime makes the nodes. Nodes of any kind may be made.
_ALWAYS: Final = (
    ("c", None, None, "m"),
    ("b", None, None, "m"),
    ("c", 1, 3, "rwm"),  # null
    ("c", 1, 5, "rwm"),  # zero
    ("c", 1, 7, "rwm"),  # full
    ("c", 1, 8, "rwm"),  # random
    ("c", 1, 9, "rwm"),  # urandom
    ("c", 5, 0, "rwm"),  # tty
    ("c", 5, 1, "rwm"),  # console
    ("c", 5, 2, "rwm"),  # ptmx
    ("c", 136, None, "rwm"),  # pts/*
)
# The runtime makes these itself, or mounts something there.
_OWN_PATHS: Final = frozenset(
    f"/dev/{name}" for name in "null zero full random urandom tty console ptmx".split()
)


def devices(host_config: HostConfig, facts: HostFacts) -> tuple[list[Json], list[Json]]:
    """Return the nodes to make and the rules of the device control group.

    Raises:
        InvalidInputError: a device that is not there, or a rule that is none.
    """
    made: dict[str, Json] = {}
    if host_config.privileged:
        for node in facts.find_devices("/dev"):
            if _is_plain(node):
                made[node.path] = _node(node, node.path)
        for mapping in host_config.devices or ():
            # All may be used already; some get another name as well.
            made |= {path: _node(node, path) for node, path in _mapped(mapping, facts)}
        return list(made.values()), [{"allow": True, "access": "rwm"}]
    rules: list[Json] = [{"allow": False, "access": "rwm"}]
    rules += [_allow(*always) for always in _ALWAYS]
    for mapping in host_config.devices or ():
        for node, path in _mapped(mapping, facts):
            made[path] = _node(node, path)
            access = mapping.cgroup_permissions or "rwm"
            rules.append(_allow(node.type, node.major, node.minor, access))
    rules += device_rules(host_config.device_cgroup_rules or ())
    return list(made.values()), rules


def device_rules(texts: Iterable[str]) -> list[Json]:
    """Read rules such as `c 10:* rw`.

    Raises:
        InvalidInputError: one is malformed.
    """
    rules = []
    for text in texts:
        match = _RULE.fullmatch(text)
        if match is None:
            raise InvalidInputError(f"invalid device cgroup rule format: '{text}'")
        kind, major, minor, access = match.groups()
        rules.append(_allow(kind, _number(major), _number(minor), access))
    return rules


def check_devices(mappings: Iterable[DeviceMapping]) -> None:
    """Refuse mappings that are malformed, without looking at the host.

    Raises:
        InvalidInputError: one is.
    """
    for mapping in mappings:
        if not _ACCESS.fullmatch(mapping.cgroup_permissions or "rwm"):
            raise InvalidInputError(
                f"invalid device permissions '{mapping.cgroup_permissions}' for "
                f"{mapping.path_on_host}"
            )
        target = mapping.path_in_container or mapping.path_on_host
        if not target.startswith("/"):
            raise InvalidInputError(f"device path {target!r} is not absolute")


def _mapped(mapping: DeviceMapping, facts: HostFacts) -> list[tuple[DeviceNode, str]]:
    """Return the devices that a mapping means, a directory standing for all below it."""
    source = mapping.path_on_host
    found = facts.find_devices(source)
    if not found:
        raise InvalidInputError(
            f'error gathering device information while adding custom device "{source}": '
            "no such file or directory"
        )
    if not found[0].type:
        raise InvalidInputError(
            f'error gathering device information while adding custom device "{source}": '
            "not a device node"
        )
    target = mapping.path_in_container or source
    top = posixpath.normpath(source)
    return [
        (node, posixpath.normpath(target + node.path.removeprefix(top)))
        if len(found) > 1 or node.path != top
        else (node, posixpath.normpath(target))
        for node in found
    ]


def _is_plain(node: DeviceNode) -> bool:
    inside = ("/dev/pts/", "/dev/shm/", "/dev/mqueue/", "/dev/fd/", "/dev/.")  # noqa: S108  # not files of ours
    return node.path not in _OWN_PATHS and not node.path.startswith(inside)


def _node(node: DeviceNode, path: str) -> Json:
    return {
        "path": path,
        "type": node.type,
        "major": node.major,
        "minor": node.minor,
        "fileMode": node.mode,
        "uid": node.uid,
        "gid": node.gid,
    }


def _allow(kind: str, major: int | None, minor: int | None, access: str) -> Json:
    rule: Json = {"allow": True, "type": kind, "access": access}
    if major is not None:
        rule["major"] = major
    if minor is not None:
        rule["minor"] = minor
    return rule


def _number(text: str) -> int | None:
    return None if text == "*" else int(text)
