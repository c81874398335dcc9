"""`--device`, `--device-cgroup-rule`, `--gpus` and the block device limits.

Spec: docker/cli, opts/{gpus,throttledevice,weightdevice}.go, cli/command/container/opts.go.
"""

from __future__ import annotations

import posixpath

from naru.cli.container_options.environment import to_map
from naru.cli.container_options.go_texts import parse_int, parse_uint, split_fields, why_no_int
from naru.errors import InvalidInputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_PERMISSIONS = "rwm"
_WEIGHTS = range(10, 1001)


def read_devices(specs: Iterable[str]) -> tuple[list[dict[str, str]], list[str]]:
    """Return `Devices`, and the names that a device plug-in (CDI) shall resolve.

    Raises:
        InvalidInputError: in Docker's words.
    """
    devices: list[dict[str, str]] = []
    names: list[str] = []
    for spec in specs:
        if _is_qualified_name(spec):
            names.append(spec)
        else:
            devices.append(_parse_device(spec))
    return devices, names


def _is_qualified_name(text: str) -> bool:
    """Say whether `text` reads `vendor/class=name`."""
    kind, equals, name = text.partition("=")
    vendor, slash, group = kind.partition("/")
    return bool(equals and slash) and all(
        _is_word(word, inner) for word, inner in ((vendor, "_-."), (group, "_-"), (name, "_-.:"))
    )


def _is_word(word: str, inner: str) -> bool:
    plain = word
    for char in inner:
        plain = plain.replace(char, "")
    return plain.isalnum() and plain.isascii() and word[0].isalnum() and word[-1].isalnum()


def _parse_device(spec: str) -> dict[str, str]:
    parts = spec.split(":")
    if len(parts) > 3 or not parts[0]:
        raise InvalidInputError(f"bad format for path: {spec}")
    inside, permissions = parts[0], _PERMISSIONS
    if len(parts) == 3:
        inside, permissions = parts[1], parts[2]
        if not _are_permissions(permissions):
            raise InvalidInputError(f"bad mode specified: {permissions}")
    elif len(parts) == 2:
        if _are_permissions(parts[1]):
            permissions = parts[1]
        else:
            inside = parts[1]
    if not inside.startswith("/"):
        raise InvalidInputError(f"{inside} is not an absolute path")
    clean = posixpath.normpath(inside)
    return {
        "PathOnHost": clean if inside == parts[0] else parts[0],
        "PathInContainer": clean,
        "CgroupPermissions": permissions,
    }


def _are_permissions(text: str) -> bool:
    return bool(text) and set(text) <= set(_PERMISSIONS) and len(set(text)) == len(text)


def check_cgroup_rule(text: str) -> str:
    """Refuse what does not read `c 1:3 rwm`."""
    words = text.split(" ")
    major, colon, minor = words[1].partition(":") if len(words) == 3 else ("", "", "")
    if (
        not colon
        or words[0] not in ("a", "b", "c")
        or not all(number == "*" or _is_number(number) for number in (major, minor))
        or not 1 <= len(words[2]) <= 3
        or not set(words[2]) <= set(_PERMISSIONS)
    ):
        raise InvalidInputError(f"invalid device cgroup format '{text}'")
    return text


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def parse_bytes_rate(text: str) -> dict[str, Any]:
    """Read `/dev/sda:1mb`."""
    from naru.units import parse_bytes

    path, rate = _split_device(text)
    try:
        return {"Path": path, "Rate": parse_bytes(rate)}
    except InvalidInputError as error:
        raise InvalidInputError(
            f"invalid rate for device: {text}. The correct format is "
            "<device-path>:<number>[<unit>]. Number must be a positive integer. "
            "Unit is optional and can be kb, mb, or gb"
        ) from error


def parse_operations_rate(text: str) -> dict[str, Any]:
    """Read `/dev/sda:1000`."""
    path, rate = _split_device(text)
    try:
        return {"Path": path, "Rate": parse_uint(rate, 64)}
    except ValueError as error:
        raise InvalidInputError(
            f"invalid rate for device: {text}. The correct format is <device-path>:<number>. "
            "Number must be a positive integer"
        ) from error


def parse_weight(text: str) -> dict[str, Any]:
    """Read `/dev/sda:500`."""
    path, weight = _split_device(text)
    try:
        number = parse_uint(weight, 16)
    except ValueError:
        number = 1
    if number and number not in _WEIGHTS:
        raise InvalidInputError(f"invalid weight for device: {text}")
    return {"Path": path, "Weight": number}


def _split_device(text: str) -> tuple[str, str]:
    path, colon, value = text.partition(":")
    if not colon:
        raise InvalidInputError(f"bad format: {text}")
    if not path.startswith("/dev/"):
        raise InvalidInputError(f"bad format for device path: {text}")
    return path, value


def parse_gpus(text: str) -> dict[str, Any]:
    """Read `all`, a number, or `count=…,device=…,capabilities=…,driver=…,options=…`.

    Raises:
        InvalidInputError: in Docker's words.
        ValueError: the fields cannot be told apart.
    """
    request: dict[str, Any] = {
        "Driver": "",
        "Count": 0,
        "DeviceIDs": None,
        "Capabilities": [["gpu"]],
        "Options": {},
    }
    seen: set[str] = set()
    for field in split_fields(text):
        key, equals, value = field.partition("=")
        if key in seen:
            raise InvalidInputError(f"gpu request key '{key}' can be specified only once")
        seen.add(key)
        if not equals:
            seen.add("count")
            request["Count"] = _gpu_count(key)
        elif key == "driver":
            request["Driver"] = value
        elif key == "count":
            request["Count"] = _gpu_count(value)
        elif key == "device":
            request["DeviceIDs"] = value.split(",")
        elif key == "capabilities":
            request["Capabilities"] = [[*value.split(","), "gpu"]]
        elif key == "options":
            request["Options"] = to_map(split_fields(value))
        else:
            raise InvalidInputError(f"unexpected key '{key}' in '{field}'")
    if "count" not in seen and request["DeviceIDs"] is None:
        request["Count"] = 1
    return request


def _gpu_count(text: str) -> int:
    if text == "all":
        return -1
    if reason := why_no_int(text):
        raise InvalidInputError(
            f'invalid count ({text}): value must be either "all" or an integer: {reason}'
        )
    return parse_int(text)
