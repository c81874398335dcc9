"""Words to options and arguments, by the rules of Go's pflag as docker uses it.

Long options take `--name=value` or the next word; a boolean takes a value only after `=`.
Short ones bundle (`-it`), and take the rest of the bundle, what follows `=`, or the next word.
`--` ends the options. A command that `stops_at_argument` ends them at its
first argument, or the one so numbered.
"""

from __future__ import annotations

from naru.cli.command_table import PROGRAM, load_reference
from naru.cli.failure import CommandFailedError
from naru.cli.invocation import OptionValues
from naru.cli.value_types import add, default_of, go_quote, reader_of
from naru.errors import NaruError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from naru.cli.command_table import Command, Option

# Any of these in place of a hyphen comes from a text processor, not from a keyboard.
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"


class HelpRequestedError(Exception):
    """`--help` stood among the options; `short` when it was the old `-h`."""

    def __init__(self, *, short: bool) -> None:
        super().__init__("help requested")
        self.short = short


class UsageError(CommandFailedError):
    """The words do not fit the command."""


class OptionParser:
    """Reads the words of one command. One use per object."""

    def __init__(self, options: Sequence[Option], checks: str = "") -> None:
        self._long = {option.name: option for option in options}
        self._short = {option.short: option for option in options if option.short}
        self._checks_reference = checks
        self._checks: dict[str, Callable[[str], object]] | None = None
        self._given: set[str] = set()
        self._values: dict[str, Any] = {}
        self.warnings: list[str] = []
        for option in options:
            if option.stored_as == option.name:
                self._values[option.name] = default_of(option.type, option.default)

    def parse(self, words: Sequence[str], *, stops_at_argument: int) -> list[str]:
        """Read the options; return the arguments.

        Raises:
            ValueError: with pflag's text.
            HelpRequestedError: for `--help`, as soon as it is seen.
        """
        args: list[str] = []
        rest = list(words)
        while rest:
            word = rest.pop(0)
            if word == "--":
                return args + rest
            if word == "-" or not word.startswith("-"):
                args.append(word)
                if len(args) == stops_at_argument:
                    return args + rest
            elif word.startswith("--"):
                self._read_long(word, rest)
            else:
                self._read_bundle(word[1:], rest)
        return args

    @property
    def values(self) -> OptionValues:
        """What was read, with the defaults of everything else."""
        return OptionValues(self._values, self._given)

    def _read_long(self, word: str, rest: list[str]) -> None:
        name, equals, text = word[2:].partition("=")
        if not name or name.startswith("-"):
            raise ValueError(f"bad flag syntax: {word}")
        if name == "help":
            # Also where a page lists it among the options, as that of `run` does.
            if not equals or _is_true(text):
                raise HelpRequestedError(short=False)
            return
        option = self._long.get(name)
        if option is None:
            raise ValueError(f"unknown flag: --{name}{self._suggestion(name)}")
        if not equals:
            if option.no_value:
                text = option.no_value
            elif rest:
                text = rest.pop(0)
            else:
                raise ValueError(f"flag needs an argument: {word}")
        self._set(option, text)

    def _suggestion(self, name: str) -> str:
        from naru.cli.suggestions import instead_of_option

        shown = [option.name for option in self._long.values() if not option.hidden]
        return instead_of_option(name, shown)

    def _read_bundle(self, bundle: str, rest: list[str]) -> None:
        while bundle:
            letter, tail = bundle[0], bundle[1:]
            option = self._short.get(letter)
            if option is None:
                if letter == "h":
                    raise HelpRequestedError(short=True)
                raise ValueError(f"unknown shorthand flag: '{letter}' in -{bundle}")
            if tail.startswith("=") and len(bundle) > 2:
                self._set(option, tail[1:])
                return
            if option.no_value:
                self._set(option, option.no_value)
                bundle = tail
                continue
            if tail:
                self._set(option, tail)
            elif rest:
                self._set(option, rest.pop(0))
            else:
                raise ValueError(f"flag needs an argument: '{letter}' in -{bundle}")
            return

    def _set(self, option: Option, text: str) -> None:
        try:
            value = reader_of(option.type)(text)
            if self._checks_reference and (check := self._check_of(option.stored_as)):
                value = check(text)
        except (ValueError, NaruError) as error:
            raise ValueError(
                f'invalid argument {go_quote(text)} for "{option.label}" flag: {error}'
            ) from error
        name = option.stored_as
        self._values[name] = add(option.type, self._values[name], value)
        self._given.add(name)
        if option.deprecated:
            self.warnings.append(f"Flag --{option.name} has been deprecated, {option.deprecated}")

    def _check_of(self, name: str) -> Callable[[str], object] | None:
        if self._checks is None:
            self._checks = load_reference(self._checks_reference)
        return self._checks.get(name) if self._checks else None


def parse_command(
    command: Command, words: Sequence[str]
) -> tuple[OptionValues, list[str], list[str]]:
    """Read a command's words; return its options, its arguments and warnings to print.

    Raises:
        UsageError: exit code 125 for an option, 1 for a wrong number of arguments, in docker's
            words.
        HelpRequestedError: `--help` came before any mistake.
    """
    parser = OptionParser(command.options, command.checks)
    try:
        args = parser.parse(words, stops_at_argument=command.stops_at_argument)
    except ValueError as error:
        raise UsageError(usage_text(str(error), command), 125) from error
    if "--" not in words:
        _refuse_typographic_dashes(command, args)
    check_arity(command, args)
    return parser.values, args, parser.warnings


def usage_text(problem: str, command: Command, verb: str = "Run") -> str:
    """Put a problem above the usage line, as docker prints it."""
    usage = f"{command.full_name} {command.usage}".rstrip()
    return (
        f"{problem}\n\nUsage:  {usage}\n\n{verb} '{command.full_name} --help' for more information"
    )


def check_arity(command: Command, args: Sequence[str]) -> None:
    """Refuse too few or too many arguments.

    Spec: docker/cli, cli/required.go.
    """
    least, most = command.arity
    count = len(args)
    if count >= least and (most is None or count <= most):
        return
    verb = "Run"
    if most == 0:
        need = "accepts no arguments"
    elif least == most:
        need = f"requires {_arguments(least)}"
    elif most is None:
        need, verb = f"requires at least {_arguments(least)}", "See"
    elif least == 0:
        need = f"requires at most {_arguments(most)}"
    else:
        need = f"requires at least {least} and at most {_arguments(most)}"
    problem = f"{PROGRAM}: '{command.full_name}' {need}"
    raise UsageError(usage_text(problem, command, verb), 1)


def _refuse_typographic_dashes(command: Command, args: Sequence[str]) -> None:
    """Refuse `—format`, copied from a printed page: no image or container is called that."""
    ends = command.stops_at_argument or len(args)
    for number, word in enumerate(args[:ends], 1):
        if word and word in _DASHES and number < len(args):
            # On printed pages a blank often follows the dash.
            word += f" {args[number]}"
        name = word.lstrip(_DASHES + "- ").partition("=")[0]
        if word[:1] and word[0] in _DASHES and name:
            hyphens = "-" if len(name) == 1 else "--"
            problem = f"unknown flag: {word}\nDid you mean {hyphens}{name}? {word[0]} is no hyphen."
            raise UsageError(usage_text(problem, command), 125)


def _arguments(count: int) -> str:
    return f"{count} argument" if count == 1 else f"{count} arguments"


def _is_true(text: str) -> bool:
    try:
        return reader_of("bool")(text) is True
    except ValueError as error:
        raise ValueError(f'invalid argument {go_quote(text)} for "--help" flag: {error}') from (
            error
        )
