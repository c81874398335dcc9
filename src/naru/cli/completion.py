"""What could stand where the cursor is: commands, options, their values, and names of things.

It reads the declarations that the parser reads. What kind of thing an argument is, says the line
of usage: `CONTAINER`, `IMAGE`, `NETWORK`. Names come from an engine that runs; none is started.
"""

from __future__ import annotations

import re

from naru.cli.command_table import Option, load_command
from naru.cli.spec import index, root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from naru.cli.command_table import Command

    # Of a kind of thing, the names and a word on each; an empty kind has none.
    Ask = Callable[[str], Iterable[tuple[str, str]]]

# Stands among the candidates where the shell is to add names of files.
FILES = ":files"
_PLACEHOLDER = re.compile(r"\[?([A-Za-z_]+)(?::SRC_PATH)?")
_KINDS = {
    "ARG": FILES,
    "COMMAND": FILES,
    "CONTAINER": "containers",
    "DEST_PATH": "copied",
    "FILE": FILES,
    "IMAGE": "images",
    "NETWORK": "networks",
    "PATH": FILES,
    "REPOSITORY": "images",
    "SNAPSHOT": "",
    "SOURCE": "images",
    "SOURCE_IMAGE": "images",
    "TARGET": "images",
    "TARGET_IMAGE": "images",
    "VOLUME": "volumes",
    "file": FILES,
}
# Where the usage does not say it: of what state containers are, what a bare name is, and where a
# name is that of something new.
_KINDS_OF = {
    "attach": ("running",),
    "completion": ("shells",),
    "container exec": ("running", FILES),
    "cp": ("copied", "copied"),
    "exec": ("running", FILES),
    "inspect": ("anything",),
    "kill": ("running",),
    "network create": (),
    "pause": ("running",),
    "pull": ("images",),
    "push": ("images",),
    "start": ("stopped",),
    "stop": ("running",),
    "top": ("running",),
    "unpause": ("paused",),
    "volume create": (),
}
_VALUES: dict[str, str | tuple[str, ...]] = {
    "cidfile": FILES,
    "config": FILES,
    "device": FILES,
    "env-file": FILES,
    "file": FILES,
    "health-on-failure": ("none", "kill", "restart", "stop"),
    "iidfile": FILES,
    "input": FILES,
    "label-file": FILES,
    "link": "containers",
    "log-driver": ("fluentd", "gelf", "journald", "json-file", "local", "none", "syslog"),
    "log-level": ("debug", "info", "warn", "error", "fatal"),
    "network": "networks",
    "output": FILES,
    "progress": ("auto", "plain", "quiet", "rawjson", "tty"),
    "pull": ("always", "missing", "never"),
    "restart": ("no", "always", "on-failure", "unless-stopped"),
    "signal": ("HUP", "INT", "KILL", "QUIT", "TERM", "USR1", "USR2"),
    "tlscacert": FILES,
    "tlscert": FILES,
    "tlskey": FILES,
    "type": ("container", "image", "network", "volume"),
    "volume": "mounted",
    "volumes-from": "containers",
}
_DRIVERS = {"network": ("bridge", "ipvlan", "macvlan"), "volume": ("local",)}


def candidates(words: Sequence[str], ask: Ask) -> list[tuple[str, str]]:
    """Return what could take the place of the last of `words`, each with a word on it.

    `words` are those behind the program's name, the last one perhaps empty. `FILES` among what
    comes back is for the shell.
    """
    *before, current = words
    options = [Option(*option) for option in root.OPTIONS]
    given, pending, is_over = _walk(options, before, stops_at_argument=1)
    if pending is not None:
        return _fitting(_values(pending, "", ask), current)
    if not given:
        if current.startswith("-") and not is_over:
            return _of_options(options, current, "", ask)
        return _fitting(_commands(), current)
    path, count = _path(given)
    if path is None:
        return _fitting(_group(given[0]), current) if len(given) == 1 else []
    return _of_command(load_command(path), given[count:], current, ask)


def _of_command(
    command: Command, before: Sequence[str], current: str, ask: Ask
) -> list[tuple[str, str]]:
    given, pending, is_over = _walk(
        command.options, before, stops_at_argument=command.stops_at_argument
    )
    if pending is not None:
        return _fitting(_values(pending, command.path, ask), current)
    if current.startswith("-") and not is_over:
        return _of_options(command.options, current, command.path, ask)
    found = _things(_kind_at(command, len(given)), ask)
    return [one for one in _fitting(found, current) if one[0] not in given]


def _walk(
    options: Sequence[Option], words: Sequence[str], *, stops_at_argument: int
) -> tuple[list[str], Option | None, bool]:
    """Return the arguments, the option that waits for its value, and whether options are over."""
    names = {f"--{option.name}": option for option in options}
    names |= {f"-{option.short}": option for option in options if option.short}
    given: list[str] = []
    pending: Option | None = None
    for number, word in enumerate(words):
        if pending is not None:
            pending = None
        elif word == "--":
            return [*given, *words[number + 1 :]], None, True
        elif word == "-" or not word.startswith("-"):
            given.append(word)
            if len(given) == stops_at_argument:
                return [*given, *words[number + 1 :]], None, True
        elif "=" not in word:
            # Of letters in a bundle only the last one can wait.
            last = word if word.startswith("--") else f"-{word[-1]}"
            option = names.get(last)
            pending = option if option is not None and not option.no_value else None
    return given, pending, False


def _path(given: Sequence[str]) -> tuple[str | None, int]:
    for count in (1, 2):
        path = " ".join(given[:count])
        if len(given) >= count and path in index.COMMANDS:
            return path, count
    return None, 0


def _commands() -> list[tuple[str, str]]:
    shown = [name for _, names in index.ROOT_SECTIONS for name in names]
    return [(name, index.GROUPS.get(name) or index.COMMANDS[name][2]) for name in shown]


def _group(group: str) -> list[tuple[str, str]]:
    return [
        (path.partition(" ")[2], about)
        for path, (_, _, about) in index.COMMANDS.items()
        if path.startswith(f"{group} ") and path not in index.ALIASES and path not in index.HIDDEN
    ]


def _of_options(
    options: Iterable[Option], current: str, path: str, ask: Ask
) -> list[tuple[str, str]]:
    name, equals, text = current.partition("=")
    if not equals:
        shown = [(f"--{one.name}", one.help) for one in options if not one.hidden]
        return _fitting([*shown, ("--help", "Print usage")], current)
    for option in options:
        if name == f"--{option.name}":
            found = _fitting(_values(option, path, ask), text)
            return [(f"{name}={value}", about) for value, about in found if value != FILES]
    return []


def _values(option: Option, path: str, ask: Ask) -> list[tuple[str, str]]:
    known = _VALUES.get(option.name, "")
    if option.name == "driver":
        known = _DRIVERS.get(path.partition(" ")[0], "")
    if isinstance(known, tuple):
        return [(word, "") for word in known]
    return _things(known, ask)


def _kind_at(command: Command, position: int) -> str:
    """Return what kind of thing the argument at a position is, from 0 on; "" for none of ours."""
    usage = command.usage.partition("\n")[0].replace("[OPTIONS]", "").split()
    kinds: list[str] = []
    for path in (command.path, *command.aliases):
        if path in _KINDS_OF:
            kinds = list(_KINDS_OF[path])
            break
    else:
        found = [_PLACEHOLDER.match(word) for word in usage]
        kinds = [_KINDS.get(match[1], "") for match in found if match]
    if position < len(kinds):
        return kinds[position]
    return kinds[-1] if kinds and usage and usage[-1].endswith("...]") else ""


def _things(kind: str, ask: Ask) -> list[tuple[str, str]]:
    match kind:
        case "":
            return []
        case "shells":
            return [(name, "") for name in ("bash", "fish", "zsh")]
        case "copied":
            return [*((f"{name}:", about) for name, about in ask("containers")), (FILES, "")]
        case "mounted":
            return [*((f"{name}:", about) for name, about in ask("volumes")), (FILES, "")]
        case "anything":
            kinds = ("containers", "images", "networks", "volumes")
            return [one for each in kinds for one in ask(each)]
        case _ if kind == FILES:
            return [(FILES, "")]
    return list(ask(kind))


def _fitting(found: Iterable[tuple[str, str]], current: str) -> list[tuple[str, str]]:
    """Return what begins with `current`, once each; descriptions lose all but their first line."""
    fitting = {
        name: about.partition("\n")[0]
        for name, about in found
        if name.startswith(current) or name == FILES
    }
    return list(fitting.items())
