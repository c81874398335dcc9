"""narud's configuration: the command line and daemon.json become one frozen value.

Spec: dockerd 28, daemon/config: a setting may stand in one of the two places only.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from naru import untrusted_json
from naru.api.filters import go_list
from naru.daemon.checks import check
from naru.daemon.flags import SETTINGS, Setting
from naru.daemon.settings import DaemonConfig
from naru.distribution.proxies import without_login
from naru.errors import InvalidInputError
from naru.units import parse_bytes, print_bytes_binary

_TRUE = frozenset({"1", "t", "true"})
_FALSE = frozenset({"0", "f", "false"})
_ARGUMENTS = "runtimeArgs"
# Stands between the words of a runtime's command line.
NO_WORD = "\0"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InvalidInputError(message, hint=f"see '{self.prog} --help'")


def build_parser(version: str) -> argparse.ArgumentParser:
    """Return the parser of narud's command line."""
    parser = _Parser(
        prog="narud",
        description="A container engine that speaks the Docker Engine API.",
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("--version", "-v", action="version", version=f"Naru version {version}")
    for setting in SETTINGS:
        names = [f"--{setting.flag}", *([f"-{setting.short}"] if setting.short else [])]
        kind = setting.kind
        if kind == "bool":
            parser.add_argument(
                *names,
                dest=setting.name,
                nargs="?",
                const="true",
                metavar="true|false",
                help=_help(setting),
            )
        elif kind in ("list", "map"):
            parser.add_argument(
                *names, dest=setting.name, action="append", metavar=kind, help=_help(setting)
            )
        else:
            # As dockerd's help calls it.
            shown = "string" if kind == "text" else kind
            parser.add_argument(*names, dest=setting.name, metavar=shown, help=_help(setting))
    return parser


def _help(setting: Setting) -> str:
    """Return what `--help` says of a setting, with its default as dockerd's shows it."""
    match setting.default:
        case "" | () | False:
            return setting.help
        case True | int() as value:
            shown = print_bytes_binary(value) if setting.kind == "bytes" else _shown(value)
        case tuple() as values:
            shown = f"[{', '.join(values)}]"
        case value:
            shown = f'"{value}"'
    return f"{setting.help} (default {shown})"


def load_config(arguments: Sequence[str], *, version: str) -> DaemonConfig:
    """Read the command line, and the file that it or the default names.

    Raises:
        InvalidInputError: a setting is unknown, malformed, or stands in both places.
    """
    given = vars(build_parser(version).parse_args(list(arguments)))
    named = "config_file" in given
    path = Path(given.get("config_file", _default("config_file")))
    from_file = _read_file(path, required=named)
    conflicts = [
        f"{setting.key.rpartition('.')[2]}: (from flag: {_shown(given[setting.name])}, "
        f"from file: {_shown(from_file[setting.key])})"
        for setting in SETTINGS
        # Runtimes of both places are taken together, as in dockerd.
        if setting.name in given and setting.key in from_file and setting.key != "runtimes"
    ]
    if conflicts:
        raise InvalidInputError(
            "the following directives are specified both as a flag and in the configuration "
            f"file: {', '.join(conflicts)}"
        )
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        found: Any = setting.default
        if setting.key in from_file:
            found = _from_json(setting, from_file[setting.key])
        if setting.name in given:
            flag = _from_flag(setting, given[setting.name])
            found = (*found, *flag) if setting.key == "runtimes" else flag
        values[setting.name] = found
    for name in ("data_root", "exec_root", "pidfile"):
        values[name] = str(Path(values[name]).absolute())
    named_tls = any(name in given or name in from_file for name in ("tls", "tlsverify"))
    config = DaemonConfig(**values, tls_was_named=named_tls)
    check(config)
    return config


def _shown(value: Any) -> str:
    """Print a value as dockerd does in its messages."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return msgspec.json.encode(value).decode()
    return go_list(map(str, value)) if isinstance(value, list) else without_login(str(value))


def _default(name: str) -> Any:
    return next(setting.default for setting in SETTINGS if setting.name == name)


def _read_file(path: Path, *, required: bool) -> dict[str, Any]:
    try:
        text = path.read_bytes()
    except FileNotFoundError as error:
        if required:
            raise InvalidInputError(
                f"unable to configure the engine with file {path}: no such file or directory"
            ) from error
        return {}
    try:
        found = untrusted_json.decode(text or b"{}", type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise InvalidInputError(
            f"unable to configure the engine with file {path}: {error}"
        ) from error
    known = {setting.key for setting in SETTINGS if setting.key}
    unknown = sorted({key for key in found if "." in key} | set(_flat(found)) - known)
    if unknown:
        raise InvalidInputError(
            f"unable to configure the engine with file {path}: the following directives don't "
            f"match any configuration option: {', '.join(unknown)}"
        )
    return _flat(found)


def _flat(found: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of objects beside the others, under both names."""
    objects = {setting.key.partition(".")[0] for setting in SETTINGS if "." in setting.key}
    flat: dict[str, Any] = {}
    for key, value in found.items():
        if key in objects and isinstance(value, dict):
            flat |= {f"{key}.{name}": inner for name, inner in value.items()}
        else:
            flat[key] = value
    return flat


def _from_flag(setting: Setting, value: Any) -> Any:
    match setting.kind:
        case "bool":
            if value.lower() in _TRUE | _FALSE:
                return value.lower() in _TRUE
            raise InvalidInputError(f"--{setting.flag} takes true or false, got '{value}'")
        case "int":
            try:
                return int(value)
            except ValueError as error:
                raise InvalidInputError(
                    f"--{setting.flag} takes a whole number, got '{value}'"
                ) from error
        case "bytes":
            return parse_bytes(value)
        case "list" | "map":
            return tuple(value)
        case _:
            return value


def _from_json(setting: Setting, value: Any) -> Any:
    wanted = f"{setting.key} in the configuration file must be"
    match setting.kind, value:
        case "bool", bool():
            return value
        case "int", int() if not isinstance(value, bool):
            return value
        case "bytes", int() | str():
            return parse_bytes(str(value))
        case "list", list() if all(isinstance(entry, str) for entry in value):
            return tuple(value)
        case "list", list() if setting.key == "default-address-pools":
            return tuple(_address_pool(entry) for entry in value)
        case "list", dict() if setting.key == "registry-mirrors":
            return tuple(mirror for pair in value.items() for mirror in _mirrors(*pair))
        case "list", dict() if setting.key == "runtimes":
            return tuple(_runtime(name, entry) for name, entry in value.items())
        case "list", dict() if setting.key == "default-ulimits":
            return tuple(_ulimit(name, entry) for name, entry in value.items())
        case "map", dict():
            return tuple(f"{name}={entry}" for name, entry in value.items())
        case "text", str():
            return value
    raise InvalidInputError(f"{wanted} a {setting.kind}, got {msgspec.json.encode(value).decode()}")


def _address_pool(entry: Any) -> str:
    match entry:
        case {"base": str(base), "size": int(size), **rest} if not rest:
            return f"base={base},size={size}"
    raise InvalidInputError(f"invalid default address pool {entry}: expected base and size")


def _mirrors(registry: str, entry: Any) -> list[str]:
    if isinstance(entry, list) and all(isinstance(url, str) for url in entry):
        return [f"{registry}={url}" for url in entry]
    raise InvalidInputError(
        f"registry-mirrors of {registry} must be a list of URLs, "
        f"got {msgspec.json.encode(entry).decode()}"
    )


def _runtime(name: str, entry: Any) -> str:
    match entry:
        case {"path": str(path), **rest} if not any(rest[key] for key in set(rest) - {_ARGUMENTS}):
            options = rest.get(_ARGUMENTS) or []
            if isinstance(options, list) and all(isinstance(word, str) for word in options):
                # No program and no option has a zero byte in it.
                return f"{name}={NO_WORD.join([path, *options])}"
    raise InvalidInputError(
        f"runtime {name}: only path and {_ARGUMENTS} are supported, "
        f"got {msgspec.json.encode(entry).decode()}"
    )


def _ulimit(name: str, entry: Any) -> str:
    match entry:
        case {"Soft": int(soft), "Hard": int(hard)}:
            return f"{name}={soft}:{hard}"
        case {"Soft": int(limit)} | {"Hard": int(limit)}:
            return f"{name}={limit}:{limit}"
    raise InvalidInputError(f"invalid ulimit {name}: expected Soft and Hard")
