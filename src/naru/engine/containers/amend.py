"""What a container's request becomes when parts of it change: the merge behind recreate. Pure.

What is named by a key is merged by it: variables by name, limits by name, mounts by destination,
ports, labels and other maps by their keys. Everything else is taken as it is given.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from naru.api.container_config import ContainerConfig, EndpointSettings, NetworkingConfig
from naru.api.create_request import OUTCOMES, CreateRequest
from naru.api.recreate_request import Changes, Removals
from naru.engine.containers.mount_requests import parse_bind
from naru.engine.model import ContainerRecord, MountRecord
from naru.errors import InvalidInputError

Json = dict[str, Any]
# Maps that mean something only as a whole.
_WHOLE = ("LogConfig", "RestartPolicy", "NetworkingConfig")
_TMPFS = "Tmpfs"
_OUTCOMES = frozenset(
    known.encode_name
    for known in msgspec.structs.fields(EndpointSettings)
    if known.name in OUTCOMES
)


def amended(
    record: ContainerRecord, own: ContainerConfig, image: ContainerConfig, changes: Changes
) -> CreateRequest:
    """Return the request that a container would have to be made with.

    `own` is what the container's config has beyond `image`, the defaults of its image to come.

    Raises:
        InvalidInputError: something is to go that is not there, or that the image brings.
    """
    fields = {name: getattr(own, name) for name in ContainerConfig.__struct_fields__}
    networking = NetworkingConfig(endpoints_config=dict(record.endpoints))
    request: Json = msgspec.to_builtins(
        CreateRequest(**fields, host_config=record.host_config, networking_config=networking)
    )
    host = request["HostConfig"]
    _remove(request, changes.removes, image)
    _make_room(request, mentioned(changes))
    _forget_derived(host, changes.host)
    given = {k: v for k, v in changes.given.items() if k not in ("HostConfig", "NetworkingConfig")}
    _merge(request, given)
    _merge(host, changes.host)
    endpoints = {
        name: {k: v for k, v in (settings or {}).items() if k not in _OUTCOMES}
        for name, settings in _given_endpoints(changes).items()
    }
    if "NetworkMode" in changes.host:
        # Another main network: those that it had are not kept beside it.
        request["NetworkingConfig"] = {"EndpointsConfig": endpoints}
    else:
        request["NetworkingConfig"]["EndpointsConfig"] |= endpoints
    return msgspec.convert(request, CreateRequest)


def changes_networks(changes: Changes) -> bool:
    """Say whether the networks are others, or are joined in another way."""
    named = "NetworkMode" in changes.host or "NetworkDisabled" in changes.given
    return named or bool(_given_endpoints(changes))


def _given_endpoints(changes: Changes) -> Json:
    endpoints: Json = changes.given.get("NetworkingConfig", {}).get("EndpointsConfig") or {}
    return endpoints


def mentioned(changes: Changes) -> frozenset[str]:
    """Return the destinations of all mounts that are to change or to go."""
    host = changes.host
    return frozenset(
        [
            *map(posixpath.normpath, changes.removes.mounts),
            *(_bind_destination(text) for text in host.get("Binds") or ()),
            *(_mount_destination(mount) for mount in host.get("Mounts") or ()),
            *map(posixpath.normpath, host.get(_TMPFS) or ()),
            *map(posixpath.normpath, changes.given.get("Volumes") or ()),
        ]
    )


def kept_mounts(
    wanted: Iterable[MountRecord], before: Iterable[MountRecord], changed: frozenset[str]
) -> None:
    """Let mounts that stay be the very ones that they were; `wanted` are changed in place.

    That is how volumes without a name of a user's keep what is in them: one that stays where it
    was, and one that is asked for anew at the same place.
    """
    old = {mount.destination: mount for mount in before}
    for mount in wanted:
        was = old.get(mount.destination)
        if was is None or was.type != mount.type:
            continue
        if mount.type == "volume" and not mount.name:
            mount.name, mount.anonymous = was.name, was.anonymous
            mount.source, mount.driver = was.source, was.driver
        elif mount.type == "image" and mount.destination not in changed and was.name == mount.name:
            mount.source = was.source


def _merge(old: Json, new: Json) -> None:
    for key, value in new.items():
        before = old.get(key)
        if key == "Env":
            old[key] = _by_name(before or [], value, lambda entry: entry.partition("=")[0])
        elif key == "Ulimits":
            old[key] = _by_name(before or [], value, lambda limit: limit.get("Name", ""))
        elif key in ("Binds", "Mounts"):
            old[key] = [*(before or []), *value]
        elif key == "LogConfig" and not value.get("Type"):
            options = {**(old[key].get("Config") or {}), **(value.get("Config") or {})}
            old[key] = {"Type": old[key]["Type"], "Config": options}
        elif isinstance(value, dict) and isinstance(before, dict) and key not in _WHOLE:
            old[key] = {**before, **value}
        else:
            old[key] = value


def _by_name(old: list[Any], new: list[Any], name_of: Callable[[Any], str]) -> list[Any]:
    names = {name_of(item) for item in new}
    return [*(item for item in old if name_of(item) not in names), *new]


def _forget_derived(host: Json, changes: Json) -> None:
    """Forget what was worked out from a value that is to change."""
    was_derived = host["MemorySwap"] == 2 * host["Memory"]
    if "Memory" in changes and "MemorySwap" not in changes and was_derived:
        host["MemorySwap"] = 0


def _remove(request: Json, removes: Removals, image: ContainerConfig) -> None:
    for name in removes.env:
        _remove_variable(request, name, image)
    for label in removes.labels:
        if label in (image.labels or {}):
            raise InvalidInputError(
                f"label {label} is the image's: it can be given another value, but cannot go"
            )
        if (request["Labels"] or {}).pop(label, None) is None:
            raise InvalidInputError(f"the container has no label {label}")
    for text in removes.ports:
        port = text if "/" in text else f"{text}/tcp"
        bindings = request["HostConfig"]["PortBindings"] or {}
        if port not in bindings:
            raise InvalidInputError(f"the container does not publish port {port}")
        del bindings[port]
        (request["ExposedPorts"] or {}).pop(port, None)


def _remove_variable(request: Json, name: str, image: ContainerConfig) -> None:
    is_inherited = any(entry.partition("=")[0] == name for entry in image.env or ())
    entries: list[str] = request["Env"] or []
    kept = [entry for entry in entries if entry.partition("=")[0] != name]
    if kept == entries and not is_inherited:
        raise InvalidInputError(f"the container has no environment variable {name}")
    # A name alone takes away what the image gives.
    request["Env"] = [*kept, name] if is_inherited else kept


def _make_room(request: Json, changed: frozenset[str]) -> None:
    """Take the mounts out that change or go."""
    host = request["HostConfig"]
    host["Binds"] = [b for b in host["Binds"] or () if _bind_destination(b) not in changed]
    host["Mounts"] = [m for m in host["Mounts"] or () if _mount_destination(m) not in changed]
    for owner, key in ((host, _TMPFS), (request, "Volumes")):
        owner[key] = {
            path: value
            for path, value in (owner[key] or {}).items()
            if posixpath.normpath(path) not in changed
        } or None


def _bind_destination(text: str) -> str:
    return parse_bind(text).destination


def _mount_destination(mount: Json) -> str:
    target: str = mount.get("Target", "")
    return posixpath.normpath(target)
