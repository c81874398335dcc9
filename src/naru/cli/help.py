"""Help pages, laid out as docker's: usage, what it does, aliases, options or commands.

Spec: docker/cli, cli/cobra.go (the template); spf13/pflag, FlagUsagesWrapped.
"""

from __future__ import annotations

from naru.cli.command_table import PROGRAM
from naru.cli.spec import index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from naru.cli.command_table import Command, Option

DEFAULT_WIDTH = 80
_LEAST_WIDTH = 24
_NARROW_INDENT = 16
_SLOP = 5


def command_page(command: Command, width: int = DEFAULT_WIDTH) -> str:
    """Print the page of a command for a terminal of `width` columns."""
    parts = [f"Usage:  {command.full_name} {command.usage}".rstrip(), command.about]
    if command.aliases:
        names = ", ".join(f"{PROGRAM} {alias}" for alias in command.aliases)
        parts.append(f"Aliases:\n  {names}")
    options = option_lines(command.options, width)
    if options:
        parts.append("Options:\n" + options)
    return "\n\n".join(parts) + "\n"


def group_page(group: str) -> str:
    """Print the page of a word that only holds commands, `naru container`."""
    names = {path.split()[1] for path in _shown_paths() if path.startswith(group + " ")}
    rows = [(name, index.COMMANDS[f"{group} {name}"][2]) for name in sorted(names)]
    return (
        f"Usage:  {PROGRAM} {group} COMMAND\n\n{index.GROUPS[group]}\n\n"
        f"Commands:\n{_command_rows(rows)}\n\n"
        f"Run '{PROGRAM} {group} COMMAND --help' for more information on a command.\n"
    )


def root_page(options: Sequence[Option], width: int = DEFAULT_WIDTH) -> str:
    """Print the page of the program itself."""
    parts = [f"Usage:  {PROGRAM} [OPTIONS] COMMAND", "Containers through Docker's API, in Python"]
    for title, names in index.ROOT_SECTIONS:
        rows = [(name, index.GROUPS.get(name) or index.COMMANDS[name][2]) for name in names]
        parts.append(f"{title}:\n{_command_rows(rows)}")
    parts.append("Global Options:\n" + option_lines(options, width))
    parts.append(f"Run '{PROGRAM} COMMAND --help' for more information on a command.")
    return "\n\n".join(parts) + "\n"


def _shown_paths() -> list[str]:
    return [
        path for path in index.COMMANDS if path not in index.ALIASES and path not in index.HIDDEN
    ]


def _command_rows(rows: list[tuple[str, str]]) -> str:
    # cobra's padding is eleven columns at least.
    width = max(11, *(len(name) for name, _ in rows))
    return "\n".join(f"  {name:<{width}} {about}" for name, about in rows)


def option_lines(options: Sequence[Option], width: int) -> str:
    """Print the shown options in two columns, in order of their names."""
    shown = sorted((o for o in options if not o.hidden), key=lambda option: option.name)
    if not shown:
        return ""
    heads, texts = [], []
    for option in shown:
        head = f"  -{option.short}, --{option.name}" if option.short else f"      --{option.name}"
        name, text = _value_name(option)
        heads.append(f"{head} {name}" if name else head)
        texts.append(text + _default(option))
    column = max(map(len, heads)) + 3
    # Docker wraps one column before the terminal's last.
    return "\n".join(
        f"{head:<{column}}{_wrap(text, column, width - 1)}"
        for head, text in zip(heads, texts, strict=True)
    )


def _value_name(option: Option) -> tuple[str, str]:
    before, tick, rest = option.help.partition("`")
    name, closing, after = rest.partition("`")
    if tick and closing:
        return name, before + name + after
    return ("" if option.type == "bool" else option.type), option.help


def _default(option: Option) -> str:
    if not option.default:
        return ""
    quoted = f'"{option.default}"' if option.type == "string" else option.default
    return f" (default {quoted})"


def _wrap(text: str, indent: int, width: int) -> str:
    room, start = width - indent, ""
    if room < _LEAST_WIDTH:
        # Too narrow beside the option: a block of its own on the next line.
        indent = _NARROW_INDENT
        room = width - indent
        start = "\n" + " " * indent
    if room < _LEAST_WIDTH:
        return text.replace("\n", start or "\n")
    room -= _SLOP
    lines = []
    while True:
        line, text = _cut(text, room)
        lines.append(line.replace("\n", "\n" + " " * indent))
        if not text:
            return start + ("\n" + " " * indent).join(lines)


def _cut(text: str, room: int) -> tuple[str, str]:
    """Cut a line off; one that is hardly longer than the room stays whole."""
    if room + _SLOP > len(text.encode()):
        return text, ""
    blank = max(text.rfind(char, 0, room) for char in " \t\n")
    if blank <= 0:
        return text, ""
    line_end = text.rfind("\n", 0, room)
    if 0 < line_end < blank:
        return text[:line_end], text[line_end + 1 :]
    return text[:blank], text[blank + 1 :]
