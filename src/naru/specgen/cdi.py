"""Devices by name: what CDI specifications say that a container needs, and asking for it. Pure.

A specification names devices of one kind, such as `vendor.com/class`, and for each the nodes,
mounts, variables and hooks that make it work. `--device vendor.com/class=name` asks for one,
`--gpus` for those of a kind that is known to be GPUs.

Spec: Container Device Interface, SPEC.md, versions 0.3 to 1.0; moby, daemon/cdi.go for the texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from naru import untrusted_json
from naru.api.host_config import DeviceRequest
from naru.errors import InvalidInputError, NotSupportedError
from naru.oci.runtime_spec import Json
from naru.specgen.facts import HostFacts

# What `--gpus` may mean, in the order in which it is looked for.
GPU_KINDS: Final = ("nvidia.com/gpu", "amd.com/gpu")
_GPU_CAPABILITIES: Final = frozenset(
    "gpu nvidia compute compat32 graphics utility video display".split()
)
_ALL: Final = "all"
_KIND: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?/[A-Za-z]([\w-]*[A-Za-z0-9])?")
_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.:-]*[A-Za-z0-9])?")
_HOOKS: Final = frozenset(
    "prestart createRuntime createContainer startContainer poststart poststop".split()
)
_VERSIONS: Final = frozenset({"0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0", "1.0.0"})


class _Part(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """An object of a specification."""


class DeviceNodeEdit(_Part):
    """A device node; what is left out is as on the host."""

    path: str
    host_path: str = ""
    type: str = ""
    major: int = 0
    minor: int = 0
    file_mode: int | None = None
    permissions: str = ""
    uid: int | None = None
    gid: int | None = None


class MountEdit(_Part):
    """A mount of a path of the host."""

    host_path: str
    container_path: str
    options: list[str] = []
    type: str = ""


class HookEdit(_Part):
    """A program of the host that the runtime runs."""

    hook_name: str
    path: str
    args: list[str] = []
    env: list[str] = []
    timeout: int | None = None


class Edits(_Part):
    """What a device needs in a container."""

    env: list[str] = []
    device_nodes: list[DeviceNodeEdit] = []
    mounts: list[MountEdit] = []
    hooks: list[HookEdit] = []
    additional_gids: list[int] = msgspec.field(default_factory=list, name="additionalGids")
    intel_rdt: dict[str, Any] | None = None
    net_devices: list[dict[str, Any]] = []


class NamedDevice(_Part):
    """One device of a specification."""

    name: str
    container_edits: Edits
    annotations: dict[str, str] = {}


class Specification(_Part):
    """One file: devices of a kind, and what all of them need."""

    cdi_version: str
    kind: str
    devices: list[NamedDevice]
    container_edits: Edits = msgspec.field(default_factory=Edits)
    annotations: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class _Entry:
    specification: Specification
    device: NamedDevice


def parse_specification(data: bytes) -> Specification:
    """Read one file.

    Raises:
        InvalidInputError: it is no specification, or one that asks for what we do not know.
    """
    try:
        found = untrusted_json.decode(data, type=Specification)
    except msgspec.MsgspecError as error:
        raise InvalidInputError(f"invalid CDI Spec: {error}") from error
    if found.cdi_version not in _VERSIONS:
        raise InvalidInputError(f'invalid CDI Spec: unknown version "{found.cdi_version}"')
    if not _KIND.fullmatch(found.kind):
        raise InvalidInputError(f'invalid CDI Spec: invalid kind "{found.kind}"')
    names = [device.name for device in found.devices]
    for name in names:
        if not _NAME.fullmatch(name) or names.count(name) > 1:
            raise InvalidInputError(f'invalid CDI Spec: invalid or repeated device name "{name}"')
    for edits in (found.container_edits, *(device.container_edits for device in found.devices)):
        _check_edits(edits)
    return found


def _check_edits(edits: Edits) -> None:
    for hook in edits.hooks:
        if hook.hook_name not in _HOOKS or not hook.path.startswith("/"):
            raise InvalidInputError(f'invalid CDI Spec: invalid hook "{hook.hook_name}"')
    paths = [node.path for node in edits.device_nodes]
    paths += [path for mount in edits.mounts for path in (mount.host_path, mount.container_path)]
    if any(not path.startswith("/") for path in paths):
        raise InvalidInputError(f"invalid CDI Spec: a path is not absolute: {paths}")
    if edits.intel_rdt or edits.net_devices:
        raise NotSupportedError("CDI Spec: intelRdt and netDevices are not supported")


class Registry:
    """All devices that the specifications name."""

    def __init__(self, directories: Sequence[Sequence[Specification]]) -> None:
        """Take the specifications of each directory; later ones win over earlier ones.

        A device that two files of one directory name is nobody's.
        """
        self._devices: dict[str, _Entry] = {}
        for specifications in directories:
            seen = set[str]()
            for specification in specifications:
                for device in specification.devices:
                    name = f"{specification.kind}={device.name}"
                    if name in seen:
                        self._devices.pop(name, None)
                    else:
                        self._devices[name] = _Entry(specification, device)
                    seen.add(name)

    def names(self) -> list[str]:
        """Return the qualified names of all devices."""
        return sorted(self._devices)

    def resolve(self, names: Iterable[str]) -> list[Edits]:
        """Return what these devices need, and first what all of their kind do, each once.

        Raises:
            InvalidInputError: one is not there; in Docker's words.
        """
        wanted = list(dict.fromkeys(names))
        if missing := [name for name in wanted if name not in self._devices]:
            raise InvalidInputError(
                f"CDI device injection failed: unresolvable CDI devices {', '.join(missing)}"
            )
        edits: list[Edits] = []
        for name in wanted:
            entry = self._devices[name]
            for part in (entry.specification.container_edits, entry.device.container_edits):
                if not any(part is known for known in edits):
                    edits.append(part)
        return edits


def device_names(requests: Iterable[DeviceRequest], known: Sequence[str]) -> list[str]:
    """Return the devices that requests mean, out of the `known` ones.

    Raises:
        InvalidInputError: nothing here can satisfy one; in Docker's words.
        NotSupportedError: it has options, which no driver of ours knows.
    """
    names: list[str] = []
    for request in requests:
        if request.count and request.device_ids:
            raise InvalidInputError("cannot set both Count and DeviceIDs on device request")
        if request.options:
            raise NotSupportedError(f"options of device requests: {', '.join(request.options)}")
        if request.driver == "cdi":
            names += request.device_ids or ()
        else:
            names += _gpus(request, known)
    return names


def _gpus(request: DeviceRequest, known: Sequence[str]) -> Iterator[str]:
    kind = next((kind for kind in GPU_KINDS if _of_kind(kind, known)), "")
    is_gpu = any(
        "gpu" in group and set(group) <= _GPU_CAPABILITIES for group in request.capabilities or ()
    )
    if not (kind and is_gpu and request.driver in ("", kind.partition(".")[0])):
        wanted = " ".join(f"[{' '.join(group)}]" for group in request.capabilities or ())
        raise InvalidInputError(
            f'could not select device driver "{request.driver}" with capabilities: [{wanted}]'
        )
    available = _of_kind(kind, known)
    if request.device_ids:
        chosen: Sequence[str] = request.device_ids
    elif request.count >= 0:
        chosen = [str(number) for number in range(request.count)]
    else:
        chosen = [_ALL] if _ALL in available else available
    return (f"{kind}={name}" for name in chosen)


def _of_kind(kind: str, known: Sequence[str]) -> list[str]:
    prefix = f"{kind}="
    return [name.removeprefix(prefix) for name in known if name.startswith(prefix)]


def apply_edits(spec: Json, all_edits: Iterable[Edits], facts: HostFacts) -> None:
    """Put into a runtime spec what devices need.

    Raises:
        InvalidInputError: a device node is not on this host.
    """
    process, linux = spec["process"], spec["linux"]
    for edits in all_edits:
        names = {entry.partition("=")[0] for entry in edits.env}
        kept = [entry for entry in process["env"] if entry.partition("=")[0] not in names]
        process["env"] = [*kept, *edits.env]
        for gid in edits.additional_gids:
            if gid and gid not in process["user"]["additionalGids"]:
                process["user"]["additionalGids"].append(gid)
        for node in edits.device_nodes:
            _add_node(linux, node, facts)
        spec["mounts"] += [
            {
                "destination": mount.container_path,
                "type": mount.type or "bind",
                "source": mount.host_path,
                "options": mount.options or ["rbind"],
            }
            for mount in edits.mounts
        ]
        for hook in edits.hooks:
            spec.setdefault("hooks", {}).setdefault(hook.hook_name, []).append(_hook(hook))


def _add_node(linux: Json, node: DeviceNodeEdit, facts: HostFacts) -> None:
    source = node.host_path or node.path
    found = next(iter(facts.find_devices(source)), None)
    if found is None and not (node.type and (node.major or node.minor)):
        raise InvalidInputError(
            f'CDI device injection failed: failed to stat CDI host device "{source}": '
            "no such file or directory"
        )
    made: Json = {
        "path": node.path,
        "type": node.type or (found.type if found else "c"),
        "major": node.major or (found.major if found else 0),
        "minor": node.minor or (found.minor if found else 0),
        "fileMode": node.file_mode
        if node.file_mode is not None
        else found.mode
        if found
        else 0o666,
        "uid": node.uid if node.uid is not None else found.uid if found else 0,
        "gid": node.gid if node.gid is not None else found.gid if found else 0,
    }
    others = [device for device in linux.get("devices", ()) if device["path"] != node.path]
    linux["devices"] = [*others, made]
    rule = {name: made[name] for name in ("type", "major", "minor")}
    linux["resources"]["devices"].append(
        {"allow": True, **rule, "access": node.permissions or "rwm"}
    )


def _hook(hook: HookEdit) -> Json:
    made: Json = {"path": hook.path}
    if hook.args:
        made["args"] = hook.args
    if hook.env:
        made["env"] = hook.env
    if hook.timeout is not None:
        made["timeout"] = hook.timeout
    return made
