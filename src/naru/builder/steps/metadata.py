"""Steps that change the config alone: ENV, LABEL, CMD and the like, and WORKDIR's directory."""

from __future__ import annotations

import os
from collections.abc import Sequence

import msgspec

from naru.builder.build import Build, StageState
from naru.builder.placing import Placing, copy_failure
from naru.dockerfile.config_change import changed, command_words
from naru.dockerfile.ignorefile import IgnoreRules
from naru.dockerfile.instructions import (
    Arg,
    Cmd,
    Entrypoint,
    Env,
    Expose,
    Healthcheck,
    Instruction,
    Label,
    Maintainer,
    OnBuild,
    Shell,
    StopSignal,
    User,
    Volume,
    Workdir,
)
from naru.linux import mount
from naru.oci.image_config import HealthCheck, RunDefaults
from naru.units import print_duration

_NO_OPERATION = "#(nop) "
_ESCAPES = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
}


async def metadata_step(build: Build, stage: StageState, instruction: Instruction) -> None:
    """Change the config of the stage, and make an image of it.

    Raises:
        InvalidInputError: the instruction asks for what cannot be.
    """
    _tell_of_replaced_check(build, stage, instruction)
    stage.config = changed(stage.config, instruction)
    match instruction:
        case Maintainer():
            stage.author = instruction.author
        case Arg():
            for name, default in instruction.entries:
                build.arguments.add(stage.allowed, name, default)
        case Entrypoint() if not stage.command_was_set:
            # The old command belongs to the old entrypoint.
            stage.config = msgspec.structs.replace(stage.config, cmd=None)
        case _:
            pass
    config = stage.comment_config(_NO_OPERATION, comment_of(instruction, stage.config))
    if not await build.is_cached(stage, config):
        # Docker makes a container for each step, and clients may keep them to look at.
        container = await build.make_container(stage, config) if stage.image else ""
        await build.commit(stage, config, container=container)
    if isinstance(instruction, Cmd) and instruction.command.words:
        stage.command_was_set = True


def _tell_of_replaced_check(build: Build, stage: StageState, instruction: Instruction) -> None:
    old = stage.config.healthcheck
    if isinstance(instruction, Healthcheck) and old and old.test and old.test[0] != "NONE":
        build.progress.say(f"Note: overriding previous HEALTHCHECK: [{' '.join(old.test)}]\n")


async def workdir_step(build: Build, stage: StageState, instruction: Workdir) -> None:
    """Change the working directory, and make it if it is not there.

    Raises:
        InvalidInputError: there cannot be such a directory.
    """
    stage.config = changed(stage.config, instruction)
    path = stage.config.working_dir
    config = stage.comment_config(f"{_NO_OPERATION}WORKDIR {path}")
    if await build.is_cached(stage, config):
        return
    if stage.image is None:

        def from_nothing() -> None:
            with build.open_snapshot(None) as (key, root):
                _make(root, path)
                build.commit_now(stage, config, snapshot=key)

        await build.uncancelled_in_thread(from_nothing)
        return
    container = await build.make_container(stage, config)

    def in_container() -> None:
        with mount.detached(build.images.snapshots.mounts(container)) as root:
            _make(root, path)

    await build.uncancelled_in_thread(in_container)
    await build.commit(stage, config, snapshot=container, container=container)


def _make(root: int, path: str) -> None:
    try:
        placing = Placing(root, IgnoreRules(()), owner=(0, 0), mode=None)
        os.close(placing.make_directory(path))
    except OSError as error:
        raise copy_failure(error, path) from error


def comment_of(instruction: Instruction, config: RunDefaults) -> str:
    """Return what the history says of an instruction; `config` is that after it.

    Spec: moby, builder/dockerfile/dispatchers.go: Go's %q and %v.
    """
    name = instruction.name
    match instruction:
        case Env() | Label():
            return " ".join((name, *(f"{key}={value}" for key, value in instruction.pairs)))
        case Arg():
            entries = (
                key if value is None else f"{key}={value}" for key, value in instruction.entries
            )
            return " ".join((name, *entries))
        case Cmd() | Entrypoint():
            is_empty = isinstance(instruction, Entrypoint) and not instruction.command.words
            words = () if is_empty else command_words(config, instruction.command)
            return f"{name} {_quoted_list(words)}"
        case Healthcheck():
            return f"{name} {_health(instruction.check)}"
        case Expose():
            return " ".join((name, *instruction.ports))
        case Volume():
            return f"{name} [{' '.join(instruction.paths)}]"
        case Shell():
            return f"{name} [{' '.join(instruction.words)}]"
        case User():
            return f"{name} {instruction.user}"
        case StopSignal():
            return f"{name} {instruction.signal}"
        case OnBuild():
            return f"{name} {instruction.trigger}"
        case Maintainer():
            return f"{name} {instruction.author}"
        case _:
            return instruction.text


def _health(check: HealthCheck) -> str:
    times = (check.interval, check.timeout, check.start_period, check.start_interval)
    words = " ".join(f'"{print_duration(time)}"' for time in times)
    retries = check.retries
    if 0x20 <= retries < 0x7F:
        shown = f"'{chr(retries)}'" if chr(retries) not in "'\\" else f"'\\{chr(retries)}'"
    else:
        shown = f"'\\x{retries:02x}'" if retries < 0x80 else f"'\\u{retries:04x}'"
    return f"&{{{_quoted_list(check.test or ())} {words} {shown}}}"


def _quoted_list(words: Sequence[str]) -> str:
    return f"[{' '.join(map(_quoted, words))}]"


def _quoted(text: str) -> str:
    """Return a text as Go's %q prints it."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character == '"':
        return '\\"'
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    number = ord(character)
    if number < 0x80:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
