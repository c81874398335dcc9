"""The table of `cp` in Docker's documentation: naru and docker leave the same trees and say the same.

Every kind of source goes to every kind of destination, in both directions, by both commands. Run
against Docker's own engine, it tells whether ours has any part in the outcome.
"""

from __future__ import annotations

import io
import itertools
import os
import re
import shutil
import stat
import tarfile
from pathlib import Path

import pytest

from harness.archives import members
from harness.engine import Engine
from harness.programs import Result
from harness.requirements import requires

pytestmark = [requires("docker"), pytest.mark.docker_release("28.2")]

_SOURCES = (
    "file",
    "dir",
    "dir/",
    "dir/.",
    "link",
    "dlink",
    "dlink/",
    "dlink/.",
    "-L link",
    "-L dlink",
    "-L dlink/.",
    "file/",
    "none",
)
_DESTINATIONS = ("new", "new/", "none/new", "have", "dest", "dest/", "dest/.", "todir", "tofile")
_CASES = [
    (direction, *words)
    for words in itertools.product(_SOURCES, _DESTINATIONS)
    for direction in ("out", "in")
]
_TOOLS = ("docker", "naru")
_NAME = "naru-test-cp"


def _furnish(path: Path) -> None:
    """Make both ends of a copy below `path`."""
    (path / "from" / "dir" / "sub").mkdir(parents=True)
    (path / "from" / "file").write_text("file\n")
    (path / "from" / "dir" / "in").write_text("in\n")
    (path / "from" / "dir" / "sub" / "deep").write_text("deep\n")
    (path / "from" / "dir" / "inner").symlink_to("in")
    (path / "from" / "link").symlink_to("file")
    (path / "from" / "dlink").symlink_to("dir")
    (path / "to" / "dest").mkdir(parents=True)
    (path / "to" / "have").write_text("was here before\n")
    (path / "to" / "todir").symlink_to("dest")
    (path / "to" / "tofile").symlink_to("have")


def _local_tree(path: Path) -> dict[str, str]:
    tree = {}
    for entry in sorted(path.rglob("*")):
        mode = entry.lstat().st_mode
        content = ""
        if stat.S_ISLNK(mode):
            content = f"-> {os.readlink(entry)}"
        elif stat.S_ISREG(mode):
            content = entry.read_text()
        tree[str(entry.relative_to(path))] = f"{stat.filemode(mode)} {content}"
    return tree


def _box_trees(engine: Engine) -> dict[str, str]:
    answer = engine.api("GET", f"/containers/{_NAME}/archive", query={"path": "/w"}).ok(200)
    found = {}
    for member, data in members(answer.body):
        content = data.decode() if member.isreg() else f"-> {member.linkname}"
        found[member.name] = f"{member.type!r} {member.mode & 0o7777:o} {content}"
    return found


def _words(direction: str, source: str, destination: str, box: str, here: Path) -> list[str]:
    options, _, name = source.rpartition(" ")
    words = ["cp", *options.split()]
    if direction == "out":
        return [*words, f"{_NAME}:{box}/from/{name}", f"{here}/to/{destination}"]
    return [*words, f"{here}/from/{name}", f"{_NAME}:{box}/to/{destination}"]


def _said(result: Result, tool: str) -> tuple[int, str, str]:
    lines = [
        re.sub(r"/overlay2/[0-9a-f]+/merged", "", line).replace(f"/{tool}/", "/TOOL/")
        for line in result.err.splitlines()
        # What docker's own goroutines write when it gives up.
        if not line.startswith("time=")
    ]
    return result.code, result.out, "\n".join(lines)


@pytest.mark.seed("S055")
def test_every_source_to_every_destination(engine: Engine, tmp_path: Path) -> None:
    template = tmp_path / "template"
    _furnish(template)
    for number, tool in itertools.product(range(len(_CASES)), _TOOLS):
        shutil.copytree(template, tmp_path / str(number) / tool, symlinks=True)
    engine.up(name=_NAME)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(template, "template")
    engine.api("PUT", f"/containers/{_NAME}/archive", buffer.getvalue(), query={"path": "/"}).ok(
        200
    )
    copies = f"for n in $(seq 0 {len(_CASES) - 1}); do mkdir -p /w/$n; for t in {' '.join(_TOOLS)};"
    made = engine.exec(_NAME, "sh", "-c", f"{copies} do cp -a /template /w/$n/$t; done; done")
    assert made.code == 0, made.err
    said = {}
    for number, case in enumerate(_CASES):
        for tool in _TOOLS:
            words = _words(*case, f"/w/{number}/{tool}", tmp_path / str(number) / tool)
            result = engine.docker(*words) if tool == "docker" else engine.naru(*words)
            said[number, tool] = _said(result, tool)
    box = _box_trees(engine)
    differing = []
    outcomes = set()
    for number, case in enumerate(_CASES):
        seen = []
        for tool in _TOOLS:
            prefix = f"w/{number}/{tool}/"
            there = {k.removeprefix(prefix): v for k, v in box.items() if k.startswith(prefix)}
            here = _local_tree(tmp_path / str(number) / tool)
            seen.append((said[number, tool], here, there))
        outcomes.add(seen[0][0][0])
        if seen[0] != seen[1]:
            differing.append(f"{case}\n  docker: {seen[0]}\n  naru:   {seen[1]}")
    assert outcomes == {0, 1}
    assert not differing, f"{len(differing)} differ\n" + "\n".join(differing)
