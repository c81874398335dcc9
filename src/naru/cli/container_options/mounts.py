"""`--volume`, `--mount` and `--tmpfs`.

Spec: docker/cli, opts/mount.go and cli/compose/loader/volume.go.
"""

from __future__ import annotations

import os

from naru.cli.container_options.go_texts import parse_bool, parse_uint, split_fields
from naru.errors import InvalidInputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    Mount = dict[str, Any]

_OPTION_GROUPS = {
    "VolumeOptions": ("volume", "volume"),
    "ImageOptions": ("image", "image"),
    "BindOptions": ("bind", "bind"),
    "TmpfsOptions": ("tmpfs", "tmpfs"),
}
_OPTION_ORDER = ("VolumeOptions", "ImageOptions", "BindOptions", "TmpfsOptions")


def read_volumes(specs: Iterable[str]) -> tuple[list[str], dict[str, dict[str, str]]]:
    """Return `Binds`, and the anonymous `Volumes`, of `-v` texts. Repeats count once.

    Raises:
        InvalidInputError: in Docker's words.
    """
    binds: list[str] = []
    volumes: dict[str, dict[str, str]] = {}
    for spec in dict.fromkeys(specs):
        source = _source_of(spec)
        if not source:
            volumes[spec] = {}
        elif source.startswith("."):
            binds.append(f"{os.path.abspath(source)}:{spec.partition(':')[2]}")
        else:
            binds.append(spec)
    return binds, volumes


def _source_of(spec: str) -> str:
    """Return the source that a `-v` text names; "" for an anonymous volume."""
    if not spec:
        raise InvalidInputError("invalid empty volume spec")
    if len(spec) < 3:
        return ""
    sections = _sections(spec)
    for number, section in enumerate(sections):
        if not section:
            raise InvalidInputError(f"invalid spec: {spec}: empty section between colons")
        if number == 2 and len(sections) > 3:
            raise InvalidInputError(f"invalid spec: {spec}: too many colons")
    return sections[0] if len(sections) > 1 else ""


def _sections(spec: str) -> list[str]:
    """Split at colons; a single letter before one is taken for a Windows drive."""
    sections = [""]
    for char in spec:
        if char != ":" or (len(sections[-1]) == 1 and sections[-1].isalpha()):
            sections[-1] += char
        else:
            sections.append("")
    return sections


def read_tmpfs(specs: Iterable[str]) -> dict[str, str]:
    """Return `Tmpfs` of `path[:options]` texts."""
    return {path: options for path, _, options in (spec.partition(":") for spec in specs)}


def parse_mount(text: str) -> Mount:
    """Read one `--mount` text of comma-separated `key=value` fields.

    Raises:
        InvalidInputError: in Docker's words.
        ValueError: the fields cannot be told apart.
    """
    mount: Mount = {"Type": "volume"}
    for field in split_fields(text):
        key, equals, value = field.partition("=")
        key = key.lower()
        if equals:
            reader = _KEYS.get(key)
            if reader is None:
                raise InvalidInputError(f"unexpected key '{key}' in '{field}'")
            reader(mount, key, value)
        elif key in _SWITCHES:
            _SWITCHES[key](mount, key, "true")
        else:
            raise InvalidInputError(f"invalid field '{field}' must be a key=value pair")
    _check_mount(mount)
    # Nothing is sent for what has no value.
    return {key: value for key, value in mount.items() if value not in ("", False)}


def _check_mount(mount: Mount) -> None:
    kind = mount["Type"]
    if not kind:
        raise InvalidInputError("type is required")
    for group in _OPTION_ORDER:
        prefix, allowed = _OPTION_GROUPS[group]
        if group in mount and kind != allowed:
            raise InvalidInputError(f"cannot mix '{prefix}-*' options with mount type '{kind}'")
    if not mount.get("Target"):
        raise InvalidInputError("target is required")
    options = mount.get("BindOptions", {})
    for field, word in (
        ("ReadOnlyNonRecursive", "writable"),
        ("ReadOnlyForceRecursive", "readonly"),
    ):
        if options.get(field) and not mount.get("ReadOnly"):
            raise InvalidInputError(
                f"option 'bind-recursive={word}' requires 'readonly' to be specified in conjunction"
            )
    if options.get("ReadOnlyForceRecursive") and options.get("Propagation") != "rprivate":
        raise InvalidInputError(
            "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' "
            "to be specified in conjunction"
        )


def _text(field: str, *, lower: bool = False) -> Callable[[Mount, str, str], None]:
    def read(mount: Mount, _key: str, value: str) -> None:
        mount[field] = value.lower() if lower else value

    return read


def _source(mount: Mount, _key: str, value: str) -> None:
    is_relative = value == "." or value.startswith("./")
    mount["Source"] = os.path.abspath(value) if is_relative else value


def _flag(key: str, value: str) -> bool:
    try:
        return parse_bool(value)
    except ValueError as error:
        raise InvalidInputError(f"invalid value for {key}: {value}") from error


def _read_only(mount: Mount, key: str, value: str) -> None:
    mount["ReadOnly"] = _flag(key, value)


def _options(mount: Mount, group: str) -> dict[str, Any]:
    options: dict[str, Any] = mount.setdefault(group, {})
    if group == "VolumeOptions":
        options.setdefault("DriverConfig", {})
    return options


def _propagation(mount: Mount, _key: str, value: str) -> None:
    _options(mount, "BindOptions")["Propagation"] = value.lower()


def _non_recursive(mount: Mount, key: str, value: str) -> None:
    if _flag(key, value):
        _options(mount, "BindOptions")["NonRecursive"] = True


def _recursive(mount: Mount, _key: str, value: str) -> None:
    fields = {
        "enabled": None,
        "disabled": "NonRecursive",
        "writable": "ReadOnlyNonRecursive",
        "readonly": "ReadOnlyForceRecursive",
    }
    if value not in fields:
        raise InvalidInputError(
            f"invalid value for bind-recursive: {value} "
            '(must be "enabled", "disabled", "writable", or "readonly")'
        )
    if field := fields[value]:
        _options(mount, "BindOptions")[field] = True


def _subpath(group: str) -> Callable[[Mount, str, str], None]:
    def read(mount: Mount, _key: str, value: str) -> None:
        options = _options(mount, group)
        if value:
            options["Subpath"] = value

    return read


def _no_copy(mount: Mount, key: str, value: str) -> None:
    wanted = _flag(key, value)
    options = _options(mount, "VolumeOptions")
    if wanted:
        options["NoCopy"] = True


def _volume_driver(mount: Mount, _key: str, value: str) -> None:
    _options(mount, "VolumeOptions")["DriverConfig"]["Name"] = value


def _pair(field: str, *, in_driver: bool) -> Callable[[Mount, str, str], None]:
    def read(mount: Mount, _key: str, value: str) -> None:
        options = _options(mount, "VolumeOptions")
        name, _, setting = value.partition("=")
        if name:
            place = options["DriverConfig"] if in_driver else options
            place.setdefault(field, {})[name] = setting

    return read


def _tmpfs_size(mount: Mount, key: str, value: str) -> None:
    from naru.units import parse_bytes

    options = _options(mount, "TmpfsOptions")
    try:
        options["SizeBytes"] = parse_bytes(value)
    except InvalidInputError as error:
        raise InvalidInputError(f"invalid value for {key}: {value}") from error


def _tmpfs_mode(mount: Mount, key: str, value: str) -> None:
    options = _options(mount, "TmpfsOptions")
    try:
        options["Mode"] = parse_uint(value, 32, base=8)
    except ValueError as error:
        raise InvalidInputError(f"invalid value for {key}: {value}") from error


_KEYS: dict[str, Callable[[Mount, str, str], None]] = {
    "type": _text("Type", lower=True),
    "source": _source,
    "src": _source,
    "target": _text("Target"),
    "dst": _text("Target"),
    "destination": _text("Target"),
    "readonly": _read_only,
    "ro": _read_only,
    "consistency": _text("Consistency", lower=True),
    "bind-propagation": _propagation,
    "bind-nonrecursive": _non_recursive,
    "bind-recursive": _recursive,
    "volume-subpath": _subpath("VolumeOptions"),
    "volume-nocopy": _no_copy,
    "volume-label": _pair("Labels", in_driver=False),
    "volume-driver": _volume_driver,
    "volume-opt": _pair("Options", in_driver=True),
    "image-subpath": _subpath("ImageOptions"),
    "tmpfs-size": _tmpfs_size,
    "tmpfs-mode": _tmpfs_mode,
}
_SWITCHES = {key: _KEYS[key] for key in ("readonly", "ro", "volume-nocopy", "bind-nonrecursive")}
