"""What was meant by a command or an option that there is not: a line below docker's own words.

Loaded only when there is a mistake to explain. Nothing is guessed at that is far from what was
typed, nor at what docker has and Naru has not.
"""

from __future__ import annotations

from naru.cli.command_table import PROGRAM
from naru.cli.spec import index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# Docker's own, which Naru has not; and what does instead, where something does.
_DOCKERS = {
    "buildx": "'naru build' builds; there is no BuildKit",
    "checkpoint": "",
    "compose": "docker-compose works with Naru's engine, by DOCKER_HOST",
    "config": "",
    "context": "docker's contexts are used, by --context, but not made",
    "manifest": "",
    "node": "",
    "plugin": "",
    "secret": "",
    "service": "",
    "stack": "",
    "swarm": "",
    "trust": "",
}
_MOST = 3
# From this length on, two slips are forgiven in one word.
_LONG = 6
_LEAST_BEGINNING = 2


def instead_of_command(words: list[str]) -> str:
    """Return a line about a command that does not exist, with its newline in front, or "".

    `words` are what stood in the command's place: one word, or a group and a word.
    """
    *group, word = words
    if not group and word in _DOCKERS:
        instead = _DOCKERS[word]
        return f"\ndocker has such a command, Naru has not{instead and ': '}{instead}"
    prefix = " ".join([*group, ""])
    shown = index.COMMANDS.keys() - index.HIDDEN
    siblings = {path.removeprefix(prefix) for path in shown if path.startswith(prefix)}
    names = {name for name in siblings if " " not in name}
    if not group:
        names |= index.GROUPS.keys()
    found = _elsewhere(word) or [prefix + name for name in near(word, names)]
    if not found and group == ["image"]:
        # People who look for one image leave out the verb.
        found = [f"images {word}"]
    return _line(f"'{PROGRAM} {path}'" for path in found)


def instead_of_option(name: str, known: Iterable[str]) -> str:
    """Return a line about a long option that does not exist, as above."""
    return _line(f"--{option}" for option in near(name, known))


def near(word: str, known: Iterable[str]) -> list[str]:
    """Return the known words that a slip of the hand makes into this one, the nearest first.

    A word that is only begun counts if there is nothing nearer.
    """
    word = word.lower()
    slips = 2 if len(word) >= _LONG else 1
    measured = sorted((distance(word, name), name) for name in known)
    found = [name for steps, name in measured if steps <= slips and steps < len(name)]
    if not found and len(word) >= _LEAST_BEGINNING:
        found = [name for _, name in measured if name.startswith(word)]
    return found[:_MOST]


def distance(one: str, other: str) -> int:
    """Count the letters to add, leave out, change or swap with their neighbour."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        above, row = row, [i]
        for j, theirs in enumerate(other, 1):
            steps = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (letter != theirs))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == theirs:
                steps = min(steps, before[j - 2] + 1)
            row.append(steps)
        before = above
    return row[-1]


def _elsewhere(word: str) -> list[str]:
    """Return the commands of exactly this name in other places: of `ls`, one in most groups."""
    paths = [path for path in index.COMMANDS if path.rpartition(" ")[2] == word]
    return [word] if word in paths else list(dict.fromkeys(index.ALIASES.get(p, p) for p in paths))


def _line(choices: Iterable[str]) -> str:
    *rest, last = [*choices] or [""]
    if not last:
        return ""
    either = f"{', '.join(rest)} or {last}" if rest else last
    return f"\nDid you mean {either}?"
