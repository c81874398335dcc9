"""narud's configuration: the command line and daemon.json become one frozen value.

Spec: dockerd 28, daemon/config: a setting may stand in one of the two places only.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from naru.daemon.flags import SETTINGS, Setting
from naru.errors import InvalidInputError
from naru.units import parse_bytes

DEFAULT_HOST = "unix:///run/naru.sock"
_TRUE = frozenset({"1", "t", "true"})
_FALSE = frozenset({"0", "f", "false"})


@dataclass(frozen=True, kw_only=True)
class DaemonConfig:
    """The settings in force; names as in `flags.SETTINGS`."""

    add_runtime: tuple[str, ...]
    bip: str
    bridge: str
    cgroup_parent: str
    config_file: str
    data_root: str
    debug: bool
    default_address_pool: tuple[str, ...]
    default_runtime: str
    default_shm_size: int
    default_ulimit: tuple[str, ...]
    dns: tuple[str, ...]
    dns_opt: tuple[str, ...]
    dns_search: tuple[str, ...]
    exec_root: str
    group: str
    host: tuple[str, ...]
    host_gateway_ip: str
    icc: bool
    init: bool
    init_path: str
    insecure_registry: tuple[str, ...]
    ip: str
    ip_forward: bool
    ip_masq: bool
    label: tuple[str, ...]
    live_restore: bool
    log_driver: str
    log_level: str
    log_opt: tuple[str, ...]
    mtu: int
    nft_table: str
    no_new_privileges: bool
    pidfile: str
    registry_mirror: tuple[str, ...]
    seccomp_profile: str
    shutdown_timeout: int
    storage_driver: str
    tls: bool
    tlscacert: str
    tlscert: str
    tlskey: str
    tlsverify: bool
    validate: bool
    # Whether --tls or --tlsverify stands anywhere: plain TCP must be asked for by name.
    tls_was_named: bool

    @property
    def hosts(self) -> tuple[str, ...]:
        """Where to listen."""
        return self.host or (DEFAULT_HOST,)


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
                help=setting.help,
            )
        elif kind in ("list", "map"):
            parser.add_argument(
                *names, dest=setting.name, action="append", metavar=kind, help=setting.help
            )
        else:
            parser.add_argument(*names, dest=setting.name, metavar=kind, help=setting.help)
    return parser


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
        f"{setting.key}: (from flag: {given[setting.name]}, from file: {from_file[setting.key]})"
        for setting in SETTINGS
        if setting.name in given and setting.key in from_file and setting.kind != "map"
    ]
    if conflicts:
        raise InvalidInputError(
            "the following directives are specified both as a flag and in the configuration "
            f"file: {', '.join(conflicts)}"
        )
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        if setting.name in given:
            values[setting.name] = _from_flag(setting, given[setting.name])
        elif setting.key in from_file:
            values[setting.name] = _from_json(setting, from_file[setting.key])
        else:
            values[setting.name] = setting.default
    named_tls = any(name in given or name in from_file for name in ("tls", "tlsverify"))
    config = DaemonConfig(**values, tls_was_named=named_tls)
    _check(config)
    return config


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
        found = msgspec.json.decode(text or b"{}", type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise InvalidInputError(
            f"unable to configure the engine with file {path}: {error}"
        ) from error
    known = {setting.key for setting in SETTINGS if setting.key}
    unknown = sorted(set(found) - known)
    if unknown:
        raise InvalidInputError(
            f"unable to configure the engine with file {path}: the following directives don't "
            f"match any configuration option: {', '.join(unknown)}"
        )
    return found


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
            return tuple(f"base={entry['base']},size={entry['size']}" for entry in value)
        case "list", dict() if setting.key == "runtimes":
            return tuple(f"{name}={entry['path']}" for name, entry in value.items())
        case "list", dict() if setting.key == "default-ulimits":
            return tuple(_ulimit(name, entry) for name, entry in value.items())
        case "map", dict():
            return tuple(f"{name}={entry}" for name, entry in value.items())
        case "text", str():
            return value
    raise InvalidInputError(f"{wanted} a {setting.kind}, got {msgspec.json.encode(value).decode()}")


def _ulimit(name: str, entry: dict[str, Any]) -> str:
    return f"{name}={entry.get('Soft', entry.get('Hard'))}:{entry.get('Hard', entry.get('Soft'))}"


def _check(config: DaemonConfig) -> None:
    if config.log_level not in ("debug", "info", "warn", "error", "fatal"):
        raise InvalidInputError(f"invalid logging level: {config.log_level}")
    if config.storage_driver not in ("", "overlay2", "overlay", "vfs", "native"):
        raise InvalidInputError(
            f"storage driver {config.storage_driver} is not supported",
            hint="overlay2 and vfs are",
        )
    for entry in (*config.log_opt, *config.label, *config.add_runtime):
        if "=" not in entry:
            raise InvalidInputError(f"expected NAME=VALUE, got '{entry}'")
    if not config.live_restore:
        raise InvalidInputError(
            "live-restore=false is not supported: containers always outlive the engine"
        )
