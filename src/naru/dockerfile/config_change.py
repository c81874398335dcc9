"""What instructions do to the config of an image; the one place for each of these rules.

Pure: a config and an instruction in, a config out. `--change` of commit and import uses it, and
so does the builder.

Spec: Dockerfile reference; moby, builder/dockerfile/dispatchers.go, for the texts.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace as with_fields

from naru.dockerfile.expand import expand, expand_text
from naru.dockerfile.heredoc import Heredoc
from naru.dockerfile.instructions import (
    Arg,
    Cmd,
    CommandLine,
    Copy,
    Entrypoint,
    Env,
    Expose,
    Healthcheck,
    Instruction,
    Label,
    OnBuild,
    Shell,
    StopSignal,
    User,
    Volume,
    Workdir,
)
from naru.errors import InvalidInputError
from naru.oci.image_config import RunDefaults

DEFAULT_SHELL = ("/bin/sh", "-c")
_PORT = re.compile(r"(?P<first>[0-9]{1,5})(?:-(?P<last>[0-9]{1,5}))?")
_PROTOCOLS = ("tcp", "udp", "sctp")
_SIGNAL = re.compile(r"[0-9]{1,2}|(?:SIG)?[A-Z][A-Z0-9]*(?:[+-][0-9]{1,2})?")


def environment_of(config: RunDefaults) -> dict[str, str]:
    """Return the variables that a config sets."""
    pairs = (entry.partition("=") for entry in config.env or ())
    return {name: value for name, _, value in pairs}


def substituted(
    instruction: Instruction, environment: Mapping[str, str], escape: str = "\\"
) -> Instruction:
    """Return the instruction with quotes taken off and variables replaced, where it has such.

    Raises:
        InvalidInputError: a quote or a brace stays open; with the word.
    """

    def word(text: str) -> str:
        return expand(text, environment, escape)

    def pairs(entries: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        return tuple((word(name), word(value)) for name, value in entries)

    changes: dict[str, Any] = {}
    match instruction:
        case Label(is_literal=True):
            pass
        case Env() | Label():
            changes["pairs"] = pairs(instruction.pairs)
        case Arg():
            changes["entries"] = tuple(
                (word(name), None if default is None else word(default))
                for name, default in instruction.entries
            )
        case Copy():
            changes = _substituted_copy(instruction, word, environment)
        case Expose():
            changes["ports"] = tuple(
                port for entry in instruction.ports for port in word(entry).split()
            )
        case User():
            changes["user"] = word(instruction.user)
        case Workdir():
            changes["path"] = word(instruction.path)
        case Volume():
            changes["paths"] = tuple(word(path) for path in instruction.paths)
        case StopSignal():
            changes["signal"] = word(instruction.signal)
        case _:
            pass
    return _with(instruction, changes)


def _with(instruction: Instruction, changes: Mapping[str, Any]) -> Instruction:
    if not changes:
        return instruction
    fields = {name: getattr(instruction, name) for name in instruction.__dataclass_fields__}
    return type(instruction)(**(fields | dict(changes)))


def _substituted_copy(
    copy: Copy, word: Callable[[str], str], environment: Mapping[str, str]
) -> dict[str, Any]:
    def body(heredoc: Heredoc) -> Heredoc:
        if not heredoc.expands:
            return heredoc
        text = expand_text(heredoc.content, environment)
        return Heredoc(heredoc.name, heredoc.chomps, heredoc.expands, text)

    return {
        "sources": tuple(map(word, copy.sources)),
        "destination": word(copy.destination),
        "chown": word(copy.chown),
        "chmod": word(copy.chmod),
        "checksum": word(copy.checksum),
        "excluded": tuple(map(word, copy.excluded)),
        "heredocs": tuple(map(body, copy.heredocs)),
    }


def changed(config: RunDefaults, instruction: Instruction) -> RunDefaults:
    """Return the config after an instruction, whose variables are replaced already.

    Instructions that change no config leave it as it is.

    Raises:
        InvalidInputError: the instruction asks for what cannot be.
    """
    match instruction:
        case Env():
            return _env(config, instruction)
        case Label():
            labels = {**(config.labels or {}), **dict(instruction.pairs)}
            return with_fields(config, labels=labels)
        case Cmd():
            return with_fields(config, cmd=command_words(config, instruction.command))
        case Entrypoint():
            words = command_words(config, instruction.command)
            has_none = not instruction.command.words
            return with_fields(config, entrypoint=None if has_none else words)
        case Shell():
            return with_fields(config, shell=instruction.words)
        case Healthcheck():
            return with_fields(config, healthcheck=instruction.check)
        case Expose():
            ports = dict(config.exposed_ports or {})
            ports |= {port: {} for word in instruction.ports for port in _ports(word)}
            return with_fields(config, exposed_ports=dict(sorted(ports.items())))
        case User():
            return with_fields(config, user=instruction.user)
        case Workdir():
            return with_fields(config, working_dir=_workdir(config, instruction.path))
        case Volume():
            return _volume(config, instruction)
        case StopSignal():
            if not _SIGNAL.fullmatch(instruction.signal.upper()):
                raise InvalidInputError(f"Invalid signal: {instruction.signal}")
            return with_fields(config, stop_signal=instruction.signal)
        case OnBuild():
            triggers = (*(config.on_build or ()), instruction.trigger)
            return with_fields(config, on_build=triggers)
        case _:
            return config


def shell_of(config: RunDefaults) -> tuple[str, ...]:
    """Return the shell that commands in shell form run in."""
    return config.shell or DEFAULT_SHELL


def command_words(config: RunDefaults, command: CommandLine) -> tuple[str, ...]:
    """Return the words that a command comes to, with the shell in front if it has one."""
    return (*shell_of(config), *command.words) if command.uses_shell else command.words


def _env(config: RunDefaults, instruction: Env) -> RunDefaults:
    entries = list(config.env or ())
    for name, value in instruction.pairs:
        where = next(
            (at for at, entry in enumerate(entries) if entry.partition("=")[0] == name),
            len(entries),
        )
        entries[where : where + 1] = [f"{name}={value}"]
    return with_fields(config, env=tuple(entries))


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


def _workdir(config: RunDefaults, wanted: str) -> str:
    if not wanted:
        raise InvalidInputError("cannot normalize nothing")
    if wanted.startswith("/"):
        return wanted
    return posixpath.normpath(posixpath.join("/", config.working_dir, wanted))


def _volume(config: RunDefaults, instruction: Volume) -> RunDefaults:
    volumes = dict(config.volumes or {})
    for path in instruction.paths:
        if not path:
            raise InvalidInputError("VOLUME specified can not be an empty string")
        volumes[path] = {}
    return with_fields(config, volumes=volumes)
