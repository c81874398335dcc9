"""`RUN --mount`, `--network` and `--security`: reading them. Pure.

Spec: Dockerfile reference, "RUN --mount", "RUN --network", "RUN --security".
"""

from __future__ import annotations

import csv
import re

from naru.dockerfile.instructions import RunMount
from naru.dockerfile.statement import Flags
from naru.errors import InvalidInputError
from naru.units import parse_bytes

_TYPES = ("bind", "cache", "secret", "ssh", "tmpfs")
_ALIASES = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly"}
_OPTIONS = {
    "bind": frozenset({"target", "source", "from", "readonly"}),
    "cache": frozenset(
        {"target", "source", "from", "readonly", "id", "sharing", "mode", "uid", "gid"}
    ),
    "tmpfs": frozenset({"target", "size"}),
    "secret": frozenset({"target", "id", "required", "mode", "uid", "gid", "env"}),
    "ssh": frozenset({"target", "id", "required", "mode", "uid", "gid"}),
}
_SWITCHES = frozenset({"readonly", "required"})
_SHARING = ("shared", "private", "locked")
_NETWORKS = ("default", "none", "host")
_SECURITIES = ("sandbox", "insecure")


def read_run_options(flags: Flags) -> tuple[tuple[RunMount, ...], str, str]:
    """Return the mounts, the network and the security mode of a RUN.

    Raises:
        InvalidInputError: one of them is not known, or cannot be so.
    """
    network, security = flags.value("network"), flags.value("security")
    if network and network not in _NETWORKS:
        raise InvalidInputError(f'network mode "{network}" is not supported')
    if security and security not in _SECURITIES:
        raise InvalidInputError(f'security "{security}" is not valid')
    return tuple(_mount(text) for text in flags.values("mount")), network, security


def _mount(text: str) -> RunMount:
    try:
        fields = next(csv.reader([text], strict=True))
    except (csv.Error, StopIteration) as error:
        raise InvalidInputError(f"failed to parse csv mounts: {text}") from error
    found: dict[str, str] = {}
    for field in fields:
        name, has_value, value = field.partition("=")
        name = _ALIASES.get(name.lower(), name.lower())
        if name in ("rw", "readwrite"):
            name, value = "readonly", "false" if value in ("", "true") else "true"
        elif not has_value and name not in _SWITCHES:
            raise InvalidInputError(f"invalid field '{field}' must be a key=value pair")
        found[name] = value
    kind = found.pop("type", "bind").lower()
    if kind not in _TYPES:
        raise InvalidInputError(f'unsupported mount type "{kind}"')
    for name in found:
        if name not in _OPTIONS[kind]:
            raise InvalidInputError(f"unexpected key '{name}' for mount type '{kind}'")
    _check(kind, found)
    return RunMount(
        type=kind,
        target=found.pop("target", ""),
        source=found.pop("source", ""),
        origin=found.pop("from", ""),
        read_only=_is_read_only(kind, found.pop("readonly", None)),
        options=found,
    )


def _is_read_only(kind: str, value: str | None) -> bool:
    if value is None:
        return kind == "bind"
    return value.lower() in ("", "true", "1")


def _check(kind: str, found: dict[str, str]) -> None:
    if kind in ("bind", "cache", "tmpfs") and not found.get("target"):
        raise InvalidInputError(f"missing target for mount type '{kind}'")
    for name in _SWITCHES & set(found):
        if found[name].lower() not in ("", "true", "false", "1", "0"):
            raise InvalidInputError(f"invalid value for {name}: {found[name]}")
    if "sharing" in found and found["sharing"] not in _SHARING:
        raise InvalidInputError(f'unsupported sharing value "{found["sharing"]}"')
    if "mode" in found and not re.fullmatch(r"[0-7]{1,4}", found["mode"]):
        raise InvalidInputError(f"invalid value {found['mode']} for mode")
    for name in ("uid", "gid"):
        if name in found and not re.fullmatch(r"[0-9]{1,9}", found[name]):
            raise InvalidInputError(f"invalid value {found[name]} for {name}")
    if "size" in found:
        parse_bytes(found["size"])
