"""Entry point of `naru`: find the command, read its words, run it, leave with its exit code.

The start of a command is on every user's way, so nothing is imported here that a plain
`naru ps` does not need: handlers, help and error tables load when they are wanted.
"""

from __future__ import annotations

import os
import sys

from naru.cli import command_table
from naru.cli.command_table import PROGRAM, Option
from naru.cli.failure import CommandFailedError, described
from naru.cli.invocation import Invocation
from naru.cli.parser import HelpRequestedError, OptionParser, UsageError, parse_command
from naru.cli.spec import index, root
from naru.errors import NaruError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TextIO

    from naru.cli.invocation import OptionValues

_LOG_LEVELS = ("panic", "fatal", "error", "warn", "warning", "info", "debug", "trace")
_SHORT_HELP = "Flag shorthand -h has been deprecated, use --help\n"
# Their failures have exit codes of their own: a container's code must not look like them.
_RUN_LIKE = ("run", "container run")


def main() -> None:
    """Run the command of this process and exit."""
    _open_missing_streams()
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        # Docker's words are UTF-8 in every locale, and names may be any bytes.
        stream.reconfigure(encoding="utf-8", errors="surrogateescape")  # type: ignore[union-attr]  # open by now
    code = run(sys.argv[1:], os.environ, sys.stdin, sys.stdout, sys.stderr)
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        code = code or 1
    # Leaving without the interpreter's own farewell saves some milliseconds.
    os._exit(code)


def _open_missing_streams() -> None:
    """Put nothing where a standard stream was closed, before a socket takes its place."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, number)
            if null != number:
                os.close(null)
            setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8"))  # noqa: SIM115 - it stays open


def run(
    words: Sequence[str],
    environ: Mapping[str, str],
    stdin: TextIO,
    stdout: TextIO,
    stderr: TextIO,
) -> int:
    """Carry out one command line; return its exit code. Never raises for users' mistakes."""
    try:
        return _dispatch(list(words), environ, stdin, stdout, stderr)
    except CommandFailedError as error:
        text, code = error.message, error.exit_code
    except NaruError as error:
        text, code = described(error), 1
    except KeyboardInterrupt:
        text, code = "", 130
    except BrokenPipeError:
        # Whoever read our output has gone; there is nobody to tell.
        _silence(stdout)
        return 1
    try:
        stdout.flush()
    except BrokenPipeError:
        _silence(stdout)
    if text:
        stderr.write(text + "\n")
    return code


def _dispatch(
    words: list[str],
    environ: Mapping[str, str],
    stdin: TextIO,
    stdout: TextIO,
    stderr: TextIO,
) -> int:
    root_options, rest, wants_help = _read_root(words, stderr)
    if not rest:
        if root_options["version"] and not wants_help:
            from naru.cli.commands.version import client_line

            stdout.write(client_line() + "\n")
            return 0
        return _show(_root_help(), stdout if wants_help else stderr)
    found = _find(rest)
    if found is None:
        return _group_or_unknown(rest, stdout, stderr, wants_help=wants_help)
    path, count = found
    command = command_table.load_command(path)
    if wants_help:
        return _show(_command_help(command), stdout)
    try:
        options, args, warnings = parse_command(command, rest[count:])
    except HelpRequestedError as request:
        if request.short:
            stdout.write(_SHORT_HELP)
        return _show(_command_help(command), stdout)
    # On stdout, where docker writes them.
    stdout.writelines(warning + "\n" for warning in warnings)
    invocation = Invocation(
        command,
        options,
        args,
        root_options=root_options,
        environ=environ,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
    )
    try:
        return command.load_handler()(invocation)
    except NaruError as error:
        if path in _RUN_LIKE:
            raise CommandFailedError(*_run_failure(error, command)) from error
        raise


def _read_root(words: list[str], stderr: TextIO) -> tuple[OptionValues, list[str], bool]:
    """Read what stands before the command; return it, the rest, and whether help is wanted."""
    parser = OptionParser([Option(*option) for option in root.OPTIONS])
    wants_help = False
    try:
        rest = parser.parse(words, stops_at_argument=True)
    except ValueError as error:
        raise UsageError(_root_usage(str(error)), 125) from error
    except HelpRequestedError as request:
        if request.short:
            stderr.write(_SHORT_HELP)
        wants_help = True
        rest = [word for word in words if not word.startswith("-")]
    _check_log_level(parser.values)
    if rest and rest[0] == "help":
        wants_help, rest = True, rest[1:]
        _check_topic(rest)
    return parser.values, rest, wants_help


def _find(words: list[str]) -> tuple[str, int] | None:
    """Return the path of the command that the words begin with, and how many words it took."""
    if words[0] in index.COMMANDS:
        return words[0], 1
    if len(words) > 1 and (path := f"{words[0]} {words[1]}") in index.COMMANDS:
        return path, 2
    return None


def _group_or_unknown(words: list[str], stdout: TextIO, stderr: TextIO, *, wants_help: bool) -> int:
    group = words[0]
    if group not in index.GROUPS:
        raise UsageError(
            f"{_unknown_command([group])}\n\nRun '{PROGRAM} --help' for more information"
        )
    from naru.cli.help import group_page

    if wants_help:
        return _show(group_page(group), stdout)
    tail = f"\n\nUsage:  {PROGRAM} {group}\n\nRun '{PROGRAM} {group} --help' for more information"
    try:
        rest = OptionParser([]).parse(words[1:], stops_at_argument=True)
    except ValueError as error:
        raise UsageError(f"{error}{tail}", 125) from error
    except HelpRequestedError as request:
        if request.short:
            stdout.write(_SHORT_HELP)
        return _show(group_page(group), stdout)
    if rest:
        raise UsageError(f"{_unknown_command([group, rest[0]])}{tail}")
    return _show(group_page(group), stderr)


def _unknown_command(words: list[str]) -> str:
    from naru.cli.suggestions import instead_of_command

    return f"{PROGRAM}: unknown command: {' '.join([PROGRAM, *words])}{instead_of_command(words)}"


def _check_topic(words: list[str]) -> None:
    if words and _find(words) is None and not (len(words) == 1 and words[0] in index.GROUPS):
        topic = words[1] if words[0] in index.GROUPS and len(words) > 1 else words[0]
        raise UsageError(f"unknown help topic: {topic}")


def _check_log_level(options: OptionValues) -> None:
    level = options["log-level"]
    if level.lower() not in _LOG_LEVELS:
        raise CommandFailedError(f"Unable to parse logging level: {level}")


def _root_usage(problem: str) -> str:
    return (
        f"{problem}\n\nUsage:  {PROGRAM} [OPTIONS] COMMAND [ARG...]\n\n"
        f"Run '{PROGRAM} --help' for more information"
    )


def _root_help() -> str:
    from naru.cli import help as help_pages

    options = [Option(*option) for option in root.OPTIONS]
    return help_pages.root_page(options, _width())


def _command_help(command: command_table.Command) -> str:
    from naru.cli import help as help_pages

    return help_pages.command_page(command, _width())


def _show(page: str, stream: TextIO) -> int:
    stream.write(page)
    return 0


def _width() -> int:
    """Return the columns of the terminal on stdin, as docker's help does."""
    try:
        return os.get_terminal_size(0).columns or 80
    except OSError:
        return 80


def _run_failure(error: NaruError, command: command_table.Command) -> tuple[str, int]:
    from naru.errormap import start_exit_code

    advice = f"Run '{command.full_name} --help' for more information"
    return f"{PROGRAM}: {described(error)}\n\n{advice}", start_exit_code(error.message)


def _silence(stream: TextIO) -> None:
    """Point a stream whose reader has gone at nowhere, so that nothing complains at the end."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)


if __name__ == "__main__":
    main()
