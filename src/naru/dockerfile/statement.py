"""One line of a Dockerfile taken apart: instruction, flags, arguments.

Owns the forms in which arguments are written: a JSON array, words, pairs, or plain text. Pure.

Spec: Dockerfile reference; moby/buildkit, frontend/dockerfile/parser, for rules and texts.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

import msgspec

from naru import untrusted_json
from naru.dockerfile.expand import split_words, unquoted
from naru.dockerfile.heredoc import Heredoc
from naru.dockerfile.lexer import Line
from naru.errors import InvalidInputError

Pairs = tuple[tuple[str, str], ...]

_BLANKS = re.compile(r"[\t\v\f\r ]+")
_JSON_OR_TEXT = frozenset({"CMD", "ENTRYPOINT", "RUN", "SHELL"})
_JSON_OR_WORDS = frozenset({"ADD", "COPY", "VOLUME"})
_WORDS = frozenset({"EXPOSE", "FROM"})
_TEXT = frozenset({"MAINTAINER", "STOPSIGNAL", "USER", "WORKDIR"})
_PAIRS = frozenset({"ENV", "LABEL"})
INSTRUCTIONS = (
    _JSON_OR_TEXT | _JSON_OR_WORDS | _WORDS | _TEXT | _PAIRS | {"ARG", "HEALTHCHECK", "ONBUILD"}
)


@dataclass(frozen=True, slots=True)
class Statement:
    """An instruction whose arguments have been told apart, but not judged.

    `name` is in capitals. `text` is the whole line as written, `rest` what follows the flags.
    """

    name: str
    written_name: str
    flags: tuple[str, ...]
    rest: str
    arguments: tuple[str, ...]
    is_json: bool
    pairs: Pairs
    text: str
    line: int
    heredocs: tuple[Heredoc, ...] = ()


def read_statement(line: Line, escape: str = "\\") -> Statement:
    """Take one line apart. An unknown instruction has no arguments.

    Raises:
        InvalidInputError: the arguments have not the form that the instruction wants.
    """
    written_name, *behind = _BLANKS.split(line.text.strip(), maxsplit=1)
    name = written_name.upper()
    flags, rest = _split_flags(behind[0] if behind else "", escape)
    rest = rest.strip()
    arguments: tuple[str, ...] = ()
    pairs: Pairs = ()
    is_json = False
    if name in _JSON_OR_TEXT | _JSON_OR_WORDS:
        arguments, is_json = _json_or(rest, splits=name in _JSON_OR_WORDS)
    elif name in _WORDS:
        arguments = tuple(rest.split())
    elif name in _TEXT:
        arguments = (rest,) if rest else ()
    elif name in _PAIRS:
        pairs = _read_pairs(name, rest, escape)
    elif name == "ARG":
        arguments = tuple(split_words(rest, escape))
    elif name == "HEALTHCHECK" and rest:
        kind, *command = rest.split(None, 1)
        words, is_json = _json_or(command[0] if command else "", splits=False)
        arguments = (kind, *words)
    elif name == "ONBUILD" and rest:
        # What is wrong with a trigger's form is wrong now, not when it is pulled.
        trigger = read_statement(Line(rest, line.first, line.heredocs), escape)
        arguments = (trigger.written_name,)
    return Statement(
        name=name,
        written_name=written_name,
        flags=flags,
        rest=rest,
        arguments=arguments,
        is_json=is_json,
        pairs=pairs,
        text=line.text.strip(),
        line=line.first,
        heredocs=line.heredocs,
    )


def _split_flags(rest: str, escape: str) -> tuple[tuple[str, ...], str]:
    """Take the `--flag` words off the front; `--` alone ends them."""
    flags: list[str] = []
    rest = rest.lstrip()
    while rest.startswith("--"):
        word = split_words(rest, escape)[0]
        rest = rest[len(word) :].lstrip()
        if word == "--":
            break
        flags.append(unquoted(word, escape))
    return tuple(flags), rest


def _json_or(rest: str, *, splits: bool) -> tuple[tuple[str, ...], bool]:
    """Return the words of the JSON form, or else the text, as words or as one."""
    if rest.startswith("["):
        try:
            words = untrusted_json.decode(rest)
        except msgspec.DecodeError:
            # Then it is a command, or a pattern, that begins with a bracket.
            pass
        else:
            if not all(isinstance(word, str) for word in words):
                raise InvalidInputError(
                    "when using JSON array syntax, arrays must be comprised of strings only"
                )
            return tuple(words), True
    if splits:
        return tuple(rest.split()), False
    return ((rest,) if rest else ()), False


def _read_pairs(name: str, rest: str, escape: str) -> Pairs:
    """Read `name=value …` or the old form `name value`."""
    words = split_words(rest, escape)
    if not words:
        return ()
    if "=" not in words[0]:
        key, *value = _BLANKS.split(rest, maxsplit=1)
        if not value:
            raise InvalidInputError(f"{name} must have two arguments")
        return ((key, value[0]),)
    for word in words:
        if "=" not in word:
            raise InvalidInputError(
                f'Syntax error - can\'t find = in "{word}". Must be of the form: name=value'
            )
    return tuple((word.partition("=")[0], word.partition("=")[2]) for word in words)


class Flags:
    """The flags of one statement, each known one read by its type."""

    def __init__(
        self,
        statement: Statement,
        *,
        values: Collection[str] = (),
        lists: Collection[str] = (),
        switches: Collection[str] = (),
    ) -> None:
        """Read the flags; those in `lists` may be repeated.

        Raises:
            InvalidInputError: one is unknown, repeated, or without the value that it needs.
        """
        self.used: list[str] = []
        self._values: dict[str, list[str]] = {}
        for flag in statement.flags:
            name, has_value, value = flag.removeprefix("--").partition("=")
            if name not in (*values, *lists, *switches):
                raise InvalidInputError(f"unknown flag: --{name}")
            if name in self._values and name not in lists:
                raise InvalidInputError(f"duplicate flag specified: --{name}")
            if name not in switches:
                if not has_value:
                    raise InvalidInputError(f"missing a value on flag: --{name}")
            elif has_value and not value:
                raise InvalidInputError(f"missing a value on flag: --{name}")
            elif value.lower() not in ("", "true", "false"):
                raise InvalidInputError(f"expecting boolean value for flag --{name}, not: {value}")
            self.used.append(name)
            self._values.setdefault(name, []).append(value)

    def value(self, name: str) -> str:
        """Return the value of a flag, or nothing."""
        return self._values.get(name, [""])[0]

    def values(self, name: str) -> tuple[str, ...]:
        """Return all values of a flag that may be repeated."""
        return tuple(self._values.get(name, ()))

    def is_on(self, name: str) -> bool:
        """Say whether a switch was set."""
        return name in self._values and self._values[name][0].lower() != "false"
