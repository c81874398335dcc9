"""Every command as data: where it is declared, what it takes, and who carries it out.

`naru.cli.spec.index` lists all command paths with one line of help each; a command's options
stand in one `naru.cli.spec` module per noun, and only the module of the command asked for is
imported. Parser, help, completion and reference pages all read these declarations.

A declaration is a dict of constants (so that it loads from bytecode in microseconds):

    "ls": {
        "usage": "[OPTIONS]",               # what follows the command's path
        "about": "List containers",
        "aliases": ("container ls", "container list", "ps"),
        "arity": (0, 0),                    # least and most arguments; None: no limit
        "handler": "naru.cli.commands.ps:run",
        "checks": "naru.cli.options:CHECKS",  # optional, see below
        "stops_at_argument": True,          # optional: options end at the first argument; 2: at
                                            # the second
        "options": (("all", "a", "bool", "", "Show all containers"), …),
    }

An option is `(long, short, type, default, help[, attributes])`. The types are those of
`naru.cli.value_types`; a name in backquotes in the help is shown as the value's name.
Attributes are words: `hidden`, `ours` (docker has no such option), `no-value=X` (what the option
means without a value),
`same-as=NAME` (stores under another option's name); everything after `deprecated=` is the
warning that its use prints.

`checks` names a dict from long option names to functions that take the text given and return
the value to keep; a `NaruError` from one becomes docker's `invalid argument …` error. It is
imported only when such an option is used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PROGRAM = "naru"


class Option:
    """One declared option."""

    __slots__ = (
        "default",
        "deprecated",
        "help",
        "hidden",
        "is_ours",
        "name",
        "no_value",
        "short",
        "stored_as",
        "type",
    )

    def __init__(
        self, name: str, short: str, type_: str, default: str, help_: str, attributes: str = ""
    ) -> None:
        self.name = name
        self.short = short
        self.type = type_
        self.default = default
        self.help = help_
        self.hidden = False
        self.is_ours = False
        self.no_value = "true" if type_ == "bool" else ""
        self.stored_as = name
        self.deprecated = ""
        if attributes:
            words, _, self.deprecated = attributes.partition("deprecated=")
            for word in words.split():
                key, _, value = word.partition("=")
                if key == "hidden":
                    self.hidden = True
                elif key == "ours":
                    self.is_ours = True
                elif key == "no-value":
                    self.no_value = value
                elif key == "same-as":
                    self.stored_as = value

    @property
    def label(self) -> str:
        """The option as error messages name it: `-f, --filter` or `--format`."""
        return f"-{self.short}, --{self.name}" if self.short else f"--{self.name}"


class Command:
    """One declared command, under the path by which it was called."""

    __slots__ = (
        "about",
        "aliases",
        "arity",
        "checks",
        "handler",
        "options",
        "path",
        "stops_at_argument",
        "usage",
    )

    def __init__(self, path: str, declared: dict[str, Any]) -> None:
        self.path = path
        self.usage: str = declared["usage"]
        self.about: str = declared["about"]
        self.aliases: tuple[str, ...] = declared.get("aliases", ())
        self.arity: tuple[int, int | None] = declared["arity"]
        self.handler: str = declared["handler"]
        self.checks: str = declared.get("checks", "")
        self.stops_at_argument: int = declared.get("stops_at_argument", 0)
        self.options = [Option(*option) for option in declared["options"]]

    @property
    def full_name(self) -> str:
        """The command with the program in front: `naru container ls`."""
        return f"{PROGRAM} {self.path}" if self.path else PROGRAM

    def load_handler(self) -> Callable[[Any], int]:
        """Import the function that carries the command out; it takes an `Invocation`."""
        handler: Callable[[Any], int] = load_reference(self.handler)
        return handler


def load_reference(reference: str) -> Any:
    """Import what `package.module:name` names."""
    module, _, name = reference.partition(":")
    imported = __import__(module, fromlist=[name])
    return getattr(imported, name)


def load_command(path: str) -> Command:
    """Load the declaration of a path of `naru.cli.spec.index.COMMANDS`, aliases included."""
    from naru.cli.spec import index

    module, key, _ = index.COMMANDS[path]
    declared = load_reference(f"naru.cli.spec.{module}:COMMANDS")[key]
    return Command(index.ALIASES.get(path, path), declared)
