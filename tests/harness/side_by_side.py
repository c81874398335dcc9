"""The same commands to two engines, and what they answered otherwise.

A script is text: one command a line, sections begin with `## `, and each section starts without
containers, networks and volumes. A line is a docker command (`docker run …`), or a request
(`GET /containers/x/json`, `POST /containers/create?name=x {"Image": …}`). What follows `<<<` is
its standard input. `!` before a line runs it without comparing the answer; `~` compares what it
answers in any order, as Docker lists images of the same second.

    python -m harness.side_by_side SCRIPT one=/run/one.sock other=/run/other.sock
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from harness.answers import normal_json, normal_text
from harness.archives import BUSYBOX
from harness.engine import Engine

# What both engines speak: the newest that the elder knows.
API_VERSION = "1.41"
_METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD")


@dataclass(frozen=True)
class Command:
    """One line of a script."""

    section: str
    line: str
    is_compared: bool = True
    has_order: bool = True

    @property
    def where(self) -> str:
        """Return what names it in reports and in lists of known differences."""
        return f"{self.section}: {self.line}"


@dataclass(frozen=True)
class Difference:
    """One field of an answer that two engines gave otherwise."""

    command: Command
    field: str
    ours: Any
    theirs: Any

    def __str__(self) -> str:
        ours, theirs = (json.dumps(value)[:300] for value in (self.ours, self.theirs))
        return f"{self.command.where}\n    {self.field}\n      ours   {ours}\n      theirs {theirs}"


@dataclass
class Known:
    """A difference that remains, and why; commands and fields are shell patterns."""

    reason: str
    fields: list[str]
    commands: list[str] = field(default_factory=lambda: ["*"])
    uses: int = 0

    def covers(self, difference: Difference) -> bool:
        """Say whether it is this difference."""
        return any(fnmatchcase(difference.command.where, text) for text in self.commands) and any(
            fnmatchcase(difference.field, text.replace("[", "[[]")) for text in self.fields
        )


def read_script(text: str) -> Iterator[Command]:
    """Yield the commands of a script."""
    section = ""
    for line in text.splitlines():
        words = line.strip()
        if words.startswith("## "):
            section = words.removeprefix("## ")
        elif words and not words.startswith("#"):
            mark = words[0] if words[:2] in ("! ", "~ ") else ""
            line = words.removeprefix(mark).lstrip()
            yield Command(section, line, is_compared=mark != "!", has_order=mark != "~")


def answer(engine: Engine, command: Command) -> dict[str, Any]:
    """Carry out one line, and return its answer, flat and normalised."""
    line, _, stdin = command.line.partition(" <<< ")
    method = line.partition(" ")[0]
    if method in _METHODS:
        return _requested(engine, line, has_order=command.has_order)
    words = shlex.split(line)
    assert words[0] == "docker", line
    result = engine.docker(*words[1:], stdin=stdin, env={"DOCKER_API_VERSION": API_VERSION})
    told = {"exit code": result.code, **_text("stderr", result.err)}
    return told | _read("stdout", result.out, has_order=command.has_order)


def _requested(engine: Engine, line: str, *, has_order: bool) -> dict[str, Any]:
    method, path, *rest = line.split(" ", 2)
    body = json.loads(rest[0]) if rest else None
    response = engine.api(method, path, body, version=API_VERSION)
    text = response.body.decode(errors="replace")
    return {"status": response.status, **_read("body", text, has_order=has_order)}


def _read(name: str, text: str, *, has_order: bool) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return _text(name, text, has_order=has_order)
    if not has_order and isinstance(value, list):
        value.sort(key=lambda member: sorted(map(str, normal_json(member).items())))
    return normal_json(value, name)


def _text(name: str, text: str, *, has_order: bool = True) -> dict[str, Any]:
    lines = [normal_text(line) for line in text.replace("\r", "").splitlines()]
    shown = lines if has_order else sorted(lines)
    return {f"{name} {number}": line for number, line in enumerate(shown, 1)}


def clear(engine: Engine) -> None:
    """Leave `busybox` and nothing else."""
    for found in engine.api("GET", "/containers/json?all=1").ok(200).json():
        engine.api("DELETE", f"/containers/{found['Id']}?force=1&v=1").ok(204, 404, 409)
    for found in engine.api("GET", "/volumes").ok(200).json()["Volumes"] or ():
        engine.api("DELETE", f"/volumes/{found['Name']}?force=1")
    for found in engine.api("GET", "/networks").ok(200).json():
        if found["Name"] not in ("bridge", "host", "none"):
            engine.api("DELETE", f"/networks/{found['Id']}")
    _clear_images(engine)
    engine.ensure_busybox()


def _clear_images(engine: Engine) -> None:
    """Remove all images but `busybox`; those that others are built on go after them."""
    for _ in range(9):
        left = False
        for found in engine.api("GET", "/images/json?all=1").ok(200).json():
            tags = [name for name in found["RepoTags"] or () if name != "<none>:<none>"]
            for name in set(tags or [found["Id"]]) - {BUSYBOX}:
                left = True
                engine.api("DELETE", f"/images/{name}?force=1").ok(200, 404, 409)
        if not left:
            return
    raise AssertionError("images are left")


def compare(ours: Engine, theirs: Engine, script: str) -> Iterator[Difference]:
    """Run a script against both engines and yield every field that they answered otherwise."""
    section = None
    for command in read_script(script):
        if command.section != section:
            section = command.section
            clear(ours)
            clear(theirs)
        one, other = answer(ours, command), answer(theirs, command)
        if not command.is_compared:
            continue
        for name in sorted(one.keys() | other.keys()):
            absent = "<absent>"
            if one.get(name, absent) != other.get(name, absent):
                yield Difference(command, name, one.get(name, absent), other.get(name, absent))


def sift(differences: Iterator[Difference], known: list[Known]) -> list[Difference]:
    """Return the differences that nobody knows of, and count the uses of each known one."""
    news = []
    for difference in differences:
        reasons = [entry for entry in known if entry.covers(difference)]
        for entry in reasons:
            entry.uses += 1
        if not reasons:
            news.append(difference)
    return news


def main() -> int:
    """Print all differences between two engines."""
    script, *engines = sys.argv[1:]
    ours, theirs = (Engine(text.partition("=")[2]) for text in engines)
    found = list(compare(ours, theirs, Path(script).read_text(encoding="utf-8")))
    for difference in found:
        print(difference)
    print(f"{len(found)} differences")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
