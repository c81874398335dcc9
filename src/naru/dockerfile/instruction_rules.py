"""What each instruction of a Dockerfile may look like: from statements to instructions.

Pure. Messages are those of Docker's own parser.

Spec: Dockerfile reference; moby/buildkit, frontend/dockerfile/instructions, for the texts.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from naru.dockerfile.heredoc import Heredoc, read_mark
from naru.dockerfile.instructions import (
    Arg,
    Cmd,
    CommandLine,
    Copy,
    Entrypoint,
    Env,
    Expose,
    From,
    Healthcheck,
    Instruction,
    Label,
    Maintainer,
    OnBuild,
    Run,
    Shell,
    StopSignal,
    User,
    Volume,
    Workdir,
)
from naru.dockerfile.run_options import read_run_options
from naru.dockerfile.statement import INSTRUCTIONS, Flags, Pairs, Statement
from naru.errors import InvalidInputError
from naru.oci.image_config import HealthCheck
from naru.units import parse_duration

_STAGE_NAME = re.compile(r"[a-z][a-z0-9-_.]*")
_SHORTEST_NS = 1_000_000


def read_instruction(statement: Statement) -> Instruction:
    """Return what a statement says.

    Raises:
        InvalidInputError: it is none, or not as the instruction wants it.
    """
    rule = _RULES.get(statement.name)
    if rule is None:
        near = _nearest(statement.name)
        suffix = f" (did you mean {near}?)" if near else ""
        raise InvalidInputError(f"unknown instruction: {statement.written_name}{suffix}")
    return rule(statement)


def _nearest(name: str) -> str:
    """Return the instruction that a misspelt one may mean, or nothing."""
    distances = {known: _distance(name, known) for known in sorted(INSTRUCTIONS)}
    best = min(distances, key=lambda known: distances[known])
    return best if distances[best] < 3 else ""


def _distance(one: str, other: str) -> int:
    """Return how many letters must be put, taken or changed (Levenshtein)."""
    if len(one) > 3 * len(other):
        return len(one)
    row = list(range(len(other) + 1))
    for i, here in enumerate(one, 1):
        above, row[0] = row[0], i
        for j, there in enumerate(other, 1):
            cost = min(row[j] + 1, row[j - 1] + 1, above + (here != there))
            above, row[j] = row[j], cost
    return row[-1]


def _exactly_one(statement: Statement) -> str:
    if len(statement.arguments) != 1:
        raise InvalidInputError(f"{statement.name} requires exactly one argument")
    Flags(statement)
    return statement.arguments[0]


def _at_least_one(statement: Statement) -> tuple[str, ...]:
    if not statement.arguments:
        raise InvalidInputError(f"{statement.name} requires at least one argument")
    return statement.arguments


def _named_pairs(statement: Statement) -> Pairs:
    Flags(statement)
    if not statement.pairs:
        raise InvalidInputError(f"{statement.name} requires at least one argument")
    if not all(name for name, _ in statement.pairs):
        raise InvalidInputError(f"{statement.name} names can not be blank")
    return statement.pairs


def _from(statement: Statement) -> From:
    arguments = statement.arguments
    stage = ""
    if len(arguments) == 3 and arguments[1].lower() == "as":
        stage = arguments[2].lower()
        if not _STAGE_NAME.fullmatch(stage):
            raise InvalidInputError(
                f'invalid name for build stage: "{arguments[2]}", '
                "name can't start with a number or contain symbols"
            )
    elif len(arguments) != 1:
        raise InvalidInputError("FROM requires either one or three arguments")
    platform = Flags(statement, values=("platform",)).value("platform")
    return From(
        text=statement.text,
        line=statement.line,
        image=arguments[0],
        stage=stage,
        platform=platform,
    )


def _arg(statement: Statement) -> Arg:
    Flags(statement)
    entries: list[tuple[str, str | None]] = []
    for word in _at_least_one(statement):
        name, has_default, default = word.partition("=")
        if not name:
            raise InvalidInputError("ARG names can not be blank")
        entries.append((name, default if has_default else None))
    return Arg(text=statement.text, line=statement.line, entries=tuple(entries))


def _env(statement: Statement) -> Env:
    return Env(text=statement.text, line=statement.line, pairs=_named_pairs(statement))


def _label(statement: Statement) -> Label:
    return Label(text=statement.text, line=statement.line, pairs=_named_pairs(statement))


def _maintainer(statement: Statement) -> Maintainer:
    author = _exactly_one(statement)
    return Maintainer(text=statement.text, line=statement.line, author=author)


def _copy(statement: Statement) -> Copy:
    if len(statement.arguments) < 2:
        raise InvalidInputError(
            f"{statement.name} requires at least two arguments, but only one was provided. "
            "Destination could not be determined"
        )
    adds = statement.name == "ADD"
    flags = Flags(
        statement,
        values=("chown", "chmod", *(("checksum",) if adds else ("from",))),
        lists=("exclude",),
        switches=("link", *(("keep-git-dir",) if adds else ("parents",))),
    )
    *sources, destination = statement.arguments
    if read_mark(destination) is not None:
        raise InvalidInputError(f"{statement.name} cannot accept a heredoc as a destination")
    bodies = {heredoc.name: heredoc for heredoc in statement.heredocs}
    heredocs: list[Heredoc] = []
    paths: list[str] = []
    for source in sources:
        mark = read_mark(source)
        if mark is not None and mark.name in bodies:
            heredocs.append(bodies[mark.name])
        else:
            paths.append(source)
    return Copy(
        text=statement.text,
        line=statement.line,
        sources=tuple(paths),
        destination=destination,
        unpacks=adds,
        heredocs=tuple(heredocs),
        origin=flags.value("from"),
        chown=flags.value("chown"),
        chmod=flags.value("chmod"),
        links=flags.is_on("link"),
        keeps_parents=flags.is_on("parents"),
        excluded=flags.values("exclude"),
        checksum=flags.value("checksum"),
        keeps_git_dir=flags.is_on("keep-git-dir"),
    )


def _command(statement: Statement) -> CommandLine:
    return CommandLine(
        statement.arguments, uses_shell=not statement.is_json, heredocs=statement.heredocs
    )


def _run(statement: Statement) -> Run:
    flags = Flags(statement, values=("network", "security"), lists=("mount",))
    mounts, network, security = read_run_options(flags)
    return Run(
        text=statement.text,
        line=statement.line,
        command=_command(statement),
        mounts=mounts,
        network=network,
        security=security,
    )


def _cmd(statement: Statement) -> Cmd:
    Flags(statement)
    return Cmd(text=statement.text, line=statement.line, command=_command(statement))


def _entrypoint(statement: Statement) -> Entrypoint:
    Flags(statement)
    return Entrypoint(text=statement.text, line=statement.line, command=_command(statement))


def _shell(statement: Statement) -> Shell:
    Flags(statement)
    words = _at_least_one(statement)
    if not statement.is_json:
        raise InvalidInputError("SHELL requires the arguments to be in JSON form")
    return Shell(text=statement.text, line=statement.line, words=words)


def _healthcheck(statement: Statement) -> Healthcheck:
    kind, *words = _at_least_one(statement)
    kind = kind.upper()
    if kind == "NONE":
        if words:
            raise InvalidInputError("HEALTHCHECK NONE takes no arguments")
        Flags(statement)
        check = HealthCheck(test=("NONE",))
        return Healthcheck(text=statement.text, line=statement.line, check=check)
    times = ("interval", "timeout", "start-period", "start-interval")
    flags = Flags(statement, values=(*times, "retries"))
    if kind != "CMD":
        raise InvalidInputError(f'Unknown type "{kind}" in HEALTHCHECK (try CMD)')
    if not words:
        raise InvalidInputError("Missing command after HEALTHCHECK CMD")
    check = HealthCheck(
        test=("CMD" if statement.is_json else "CMD-SHELL", *words),
        interval=_duration(flags, "interval"),
        timeout=_duration(flags, "timeout"),
        start_period=_duration(flags, "start-period"),
        start_interval=_duration(flags, "start-interval"),
        retries=_retries(flags.value("retries")),
    )
    return Healthcheck(text=statement.text, line=statement.line, check=check)


def _duration(flags: Flags, name: str) -> int:
    value = flags.value(name)
    if not value:
        return 0
    if value != "0" and value.lstrip("+-").replace(".", "").isdigit():
        raise InvalidInputError(f'time: missing unit in duration "{value}"')
    duration = parse_duration(value)
    if duration and duration < _SHORTEST_NS:
        raise InvalidInputError(f'Interval "{name}" cannot be less than 1ms')
    return duration


def _retries(value: str) -> int:
    if not value:
        return 0
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", value):
        raise InvalidInputError(f'strconv.ParseInt: parsing "{value}": invalid syntax')
    if int(value) < 0:
        raise InvalidInputError(f"--retries cannot be negative ({int(value)})")
    return int(value)


def _expose(statement: Statement) -> Expose:
    ports = _at_least_one(statement)
    Flags(statement)
    return Expose(text=statement.text, line=statement.line, ports=tuple(sorted(ports)))


def _user(statement: Statement) -> User:
    return User(text=statement.text, line=statement.line, user=_exactly_one(statement))


def _workdir(statement: Statement) -> Workdir:
    return Workdir(text=statement.text, line=statement.line, path=_exactly_one(statement))


def _volume(statement: Statement) -> Volume:
    paths = tuple(path.strip() for path in _at_least_one(statement))
    Flags(statement)
    if not all(paths):
        raise InvalidInputError("VOLUME specified can not be an empty string")
    return Volume(text=statement.text, line=statement.line, paths=paths)


def _stop_signal(statement: Statement) -> StopSignal:
    signal = _exactly_one(statement)
    return StopSignal(text=statement.text, line=statement.line, signal=signal)


def _onbuild(statement: Statement) -> OnBuild:
    trigger = _at_least_one(statement)[0].upper()
    Flags(statement)
    if trigger == "ONBUILD":
        raise InvalidInputError("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if trigger in ("FROM", "MAINTAINER"):
        raise InvalidInputError(f"{trigger} isn't allowed as an ONBUILD trigger")
    bodies = "".join(f"\n{heredoc.content}{heredoc.name}" for heredoc in statement.heredocs)
    return OnBuild(text=statement.text, line=statement.line, trigger=statement.rest + bodies)


_RULES: dict[str, Callable[[Statement], Instruction]] = {
    "ADD": _copy,
    "ARG": _arg,
    "CMD": _cmd,
    "COPY": _copy,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "FROM": _from,
    "HEALTHCHECK": _healthcheck,
    "LABEL": _label,
    "MAINTAINER": _maintainer,
    "ONBUILD": _onbuild,
    "RUN": _run,
    "SHELL": _shell,
    "STOPSIGNAL": _stop_signal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
