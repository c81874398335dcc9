"""`--change` of import and commit: Dockerfile instructions that only alter a config.

Pure: text and a config in, a config out. Messages are those of Docker's own parser.

Spec: Dockerfile reference; moby, builder/dockerfile, BuildFromConfig.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Sequence

import msgspec

from naru.dockerfile.expand import expand, split_words
from naru.errors import InvalidInputError
from naru.oci.image_config import HealthCheck, RunDefaults
from naru.units import parse_duration

_CONTINUATION = re.compile(r"\\[ \t]*$")
_PORT = re.compile(r"(?P<first>\d{1,5})(?:-(?P<last>\d{1,5}))?")
_PROTOCOLS = ("tcp", "udp", "sctp")
_HEALTH_FLAGS = ("interval", "timeout", "start-period", "start-interval", "retries")
_SHELL = ("/bin/sh", "-c")


def apply_changes(config: RunDefaults, changes: Sequence[str]) -> RunDefaults:
    """Return `config` after the instructions in `changes`, each one or several lines.

    Raises:
        InvalidInputError: an instruction is unknown here, or wrong.
    """
    if not changes:
        return config
    instructions = list(_instructions("\n".join(changes)))
    if not instructions:
        raise InvalidInputError("file with no instructions")
    for name, _ in instructions:
        if name not in _APPLY:
            raise InvalidInputError(f"{name.lower()} is not a valid change command")
    command_was_set = False
    for name, rest in instructions:
        config = _APPLY[name](config, rest)
        command_was_set = command_was_set or name == "CMD"
        if name == "ENTRYPOINT" and not command_was_set:
            # The old command belongs to the old entrypoint.
            config = msgspec.structs.replace(config, cmd=None)
    return config


def _instructions(text: str) -> Iterable[tuple[str, str]]:
    """Join continued lines, drop comments, and split each line into instruction and rest."""
    pending = ""
    for line in text.splitlines():
        if not pending:
            line = line.lstrip()
        if line.lstrip().startswith("#") or not (line.strip() or pending):
            continue
        if _CONTINUATION.search(line):
            pending += _CONTINUATION.sub("", line)
            continue
        yield _split_instruction(pending + line)
        pending = ""
    if pending.strip():
        yield _split_instruction(pending)


def _split_instruction(line: str) -> tuple[str, str]:
    name, *rest = line.strip().split(None, 1)
    return name.upper(), rest[0].strip() if rest else ""


def _environment(config: RunDefaults) -> dict[str, str]:
    pairs = (entry.partition("=") for entry in config.env or ())
    return {name: value for name, _, value in pairs}


def _json_words(rest: str) -> tuple[str, ...] | None:
    """Return the words of the JSON form; None if it is not that form."""
    if not rest.startswith("["):
        return None
    try:
        return tuple(msgspec.json.decode(rest, type=list[str]))
    except msgspec.ValidationError as error:
        raise InvalidInputError(
            "when using JSON array syntax, arrays must be comprised of strings only"
        ) from error
    except msgspec.DecodeError:
        return None


def _command_words(rest: str) -> tuple[str, ...] | None:
    words = _json_words(rest)
    if words is not None:
        return words
    return (*_SHELL, rest) if rest else None


def _cmd(config: RunDefaults, rest: str) -> RunDefaults:
    return msgspec.structs.replace(config, cmd=_command_words(rest))


def _entrypoint(config: RunDefaults, rest: str) -> RunDefaults:
    return msgspec.structs.replace(config, entrypoint=_command_words(rest) or None)


def _pairs(instruction: str, rest: str, environment: dict[str, str]) -> list[tuple[str, str]]:
    """Read `name=value …` or the old form `name value`."""
    if not rest:
        raise InvalidInputError(f"{instruction} requires at least one argument")
    words = split_words(rest)
    if "=" not in words[0]:
        name, *value = rest.split(None, 1)
        if not value:
            raise InvalidInputError(f"{instruction} must have two arguments")
        return [(expand(name, environment), expand(value[0], environment))]
    pairs = []
    for word in words:
        name, equals, quoted = word.partition("=")
        if not equals:
            raise InvalidInputError(
                f'Syntax error - can\'t find = in "{word}". Must be of the form: name=value'
            )
        if not name:
            raise InvalidInputError(f"{instruction} names can not be blank")
        pairs.append((expand(name, environment), expand(quoted, environment)))
    return pairs


def _env(config: RunDefaults, rest: str) -> RunDefaults:
    entries = list(config.env or ())
    for name, value in _pairs("ENV", rest, _environment(config)):
        where = next(
            (at for at, entry in enumerate(entries) if entry.partition("=")[0] == name),
            len(entries),
        )
        entries[where : where + 1] = [f"{name}={value}"]
    return msgspec.structs.replace(config, env=tuple(entries))


def _label(config: RunDefaults, rest: str) -> RunDefaults:
    pairs = _pairs("LABEL", rest, _environment(config))
    return msgspec.structs.replace(config, labels={**(config.labels or {}), **dict(pairs)})


def _expose(config: RunDefaults, rest: str) -> RunDefaults:
    if not rest:
        raise InvalidInputError("EXPOSE requires at least one argument")
    environment = _environment(config)
    ports = dict(config.exposed_ports or {})
    for word in rest.split():
        for port in _ports(expand(word, environment)):
            ports[port] = {}
    return msgspec.structs.replace(config, exposed_ports=dict(sorted(ports.items())))


def _ports(word: str) -> list[str]:
    """Read `80`, `80/udp` or `8000-8010/tcp`; a host part in front is ignored, as in Docker."""
    numbers, _, protocol = word.rpartition(":")[2].partition("/")
    protocol = protocol.lower() or "tcp"
    match = _PORT.fullmatch(numbers)
    first = int(match["first"]) if match else 0
    last = int(match["last"] or first) if match else 0
    if match is None or first > last or last > 65535:
        raise InvalidInputError(f"Invalid containerPort: {numbers}")
    if protocol not in _PROTOCOLS:
        raise InvalidInputError(f"Invalid proto: {protocol}")
    return [f"{port}/{protocol}" for port in range(first, last + 1)]


def _user(config: RunDefaults, rest: str) -> RunDefaults:
    if not rest:
        raise InvalidInputError("USER requires exactly one argument")
    return msgspec.structs.replace(config, user=expand(rest, _environment(config)))


def _workdir(config: RunDefaults, rest: str) -> RunDefaults:
    if not rest:
        raise InvalidInputError("WORKDIR requires exactly one argument")
    wanted = expand(rest, _environment(config))
    if not wanted:
        raise InvalidInputError("cannot normalize nothing")
    if not wanted.startswith("/"):
        wanted = posixpath.normpath(posixpath.join("/", config.working_dir, wanted))
    return msgspec.structs.replace(config, working_dir=wanted)


def _volume(config: RunDefaults, rest: str) -> RunDefaults:
    words = _json_words(rest)
    if words is None:
        words = tuple(rest.split())
    if not words:
        raise InvalidInputError("VOLUME requires at least one argument")
    environment = _environment(config)
    volumes = dict(config.volumes or {})
    for word in words:
        path = expand(word, environment).strip()
        if not path:
            raise InvalidInputError("VOLUME specified can not be an empty string")
        volumes[path] = {}
    return msgspec.structs.replace(config, volumes=volumes)


def _stop_signal(config: RunDefaults, rest: str) -> RunDefaults:
    if not rest:
        raise InvalidInputError("STOPSIGNAL requires exactly one argument")
    signal = expand(rest, _environment(config))
    if not re.fullmatch(r"\d{1,2}|(?:SIG)?[A-Z][A-Z0-9]*(?:[+-]\d{1,2})?", signal.upper()):
        raise InvalidInputError(f"Invalid signal: {signal}")
    return msgspec.structs.replace(config, stop_signal=signal)


def _onbuild(config: RunDefaults, rest: str) -> RunDefaults:
    if not rest:
        raise InvalidInputError("ONBUILD requires at least one argument")
    trigger = rest.split(None, 1)[0].upper()
    if trigger == "ONBUILD":
        raise InvalidInputError("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if trigger in ("FROM", "MAINTAINER"):
        raise InvalidInputError(f"{trigger} isn't allowed as an ONBUILD trigger")
    return msgspec.structs.replace(config, on_build=(*(config.on_build or ()), rest))


def _healthcheck(config: RunDefaults, rest: str) -> RunDefaults:
    flags, rest = _health_flags(rest)
    if not rest:
        raise InvalidInputError("HEALTHCHECK requires at least one argument")
    kind, *arguments = rest.split(None, 1)
    command = arguments[0].strip() if arguments else ""
    if kind.upper() == "NONE":
        if command:
            raise InvalidInputError("HEALTHCHECK NONE takes no arguments")
        return msgspec.structs.replace(config, healthcheck=HealthCheck(test=("NONE",)))
    if kind.upper() != "CMD":
        raise InvalidInputError(f'Unknown type "{kind.upper()}" in HEALTHCHECK (try CMD)')
    if not command:
        raise InvalidInputError("Missing command after HEALTHCHECK CMD")
    words = _json_words(command)
    test = ("CMD-SHELL", command) if words is None else ("CMD", *words)
    check = HealthCheck(
        test=test,
        interval=_health_time(flags, "interval"),
        timeout=_health_time(flags, "timeout"),
        start_period=_health_time(flags, "start-period"),
        start_interval=_health_time(flags, "start-interval"),
        retries=_health_retries(flags.get("retries", "")),
    )
    return msgspec.structs.replace(config, healthcheck=check)


def _health_flags(rest: str) -> tuple[dict[str, str], str]:
    flags: dict[str, str] = {}
    while rest.startswith("--"):
        word, *after = rest.split(None, 1)
        name, _, value = word[2:].partition("=")
        if name not in _HEALTH_FLAGS:
            raise InvalidInputError(f"Unknown flag: {name}")
        if name in flags:
            raise InvalidInputError(f"Duplicate flag specified: {name}")
        flags[name], rest = value, after[0] if after else ""
    return flags, rest


def _health_time(flags: dict[str, str], name: str) -> int:
    value = flags.get(name, "")
    if not value:
        return 0
    if value != "0" and value.lstrip("+-").replace(".", "").isdigit():
        raise InvalidInputError(f'time: missing unit in duration "{value}"')
    duration = parse_duration(value)
    if duration and duration < 1_000_000:
        raise InvalidInputError(f'Interval "{name}" cannot be less than 1ms')
    return duration


def _health_retries(value: str) -> int:
    if not value:
        return 0
    if not re.fullmatch(r"[+-]?\d{1,9}", value):
        raise InvalidInputError(f'strconv.ParseInt: parsing "{value}": invalid syntax')
    if int(value) < 1:
        raise InvalidInputError(f"--retries must be at least 1 (not {int(value)})")
    return int(value)


_APPLY: dict[str, Callable[[RunDefaults, str], RunDefaults]] = {
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "HEALTHCHECK": _healthcheck,
    "LABEL": _label,
    "ONBUILD": _onbuild,
    "STOPSIGNAL": _stop_signal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
