"""The check that follows every test with an engine: it sees what is left behind, of every kind."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness import builds, leaks
from harness.archives import Tree
from harness.narud import EngineUnderTest
from harness.requirements import requires
from naru.linux import mount

pytestmark = [requires("root", "ip", "nft"), pytest.mark.naru_only]

# Folders that nothing goes from with a container, or that are looked into.
_OTHERS = {"build-cache", "content", "events", "runtime"}
_CACHING = "FROM busybox\nRUN --mount=type=cache,id=nt-leaks,target=/c true\n"


def _folders(root: Path) -> set[str]:
    return {entry.name for entry in root.iterdir() if entry.is_dir()}


def test_every_folder_of_an_engine_is_watched(own_engine: EngineUnderTest) -> None:
    container = own_engine.up("sh", Tty=True, OpenStdin=True)
    own_engine.exec(container, "true")
    builds.build(own_engine, Tree().file("Dockerfile", _CACHING).tar()).ok(200)
    data, run = own_engine.data_root, own_engine.exec_root
    content = {f"content/{name}" for name in _folders(data / "content") - {"blobs"}}
    found = (_folders(data) | content | {"content/blobs/sha256"}) - _OTHERS
    # Some machines have no overlayfs, and some engines map ids.
    assert found == set(leaks.WATCHED_DATA) - {"snapshots-native"}
    assert _folders(run) - _OTHERS == set(leaks.WATCHED_RUN) - {"userns"}


def _done_and_undone(stack: ExitStack, does: str, undoes: str) -> None:
    subprocess.run(does, shell=True, check=True)
    stack.callback(subprocess.run, undoes, shell=True, check=True)


def test_what_is_left_behind_is_seen(engine: EngineUnderTest) -> None:
    engine.sh("true")
    before = engine.footprint()
    container = engine.create("true")
    data, run = engine.content_root, engine.exec_root
    link, element = f"l{engine.bridge}", f'element inet {engine.table} bridges {{ "left" }}'
    groups = Path("/sys/fs/cgroup")
    parents = [each / engine.cgroup_parent[1:] for each in (groups, *groups.iterdir())]
    group = next(path for path in parents if path.is_dir()) / "left"
    with ExitStack() as stack:
        for root, names in ((data, leaks.WATCHED_DATA), (run, leaks.WATCHED_RUN)):
            for name in names:
                (root / name).mkdir(exist_ok=True)
                (root / name / "left").touch()
                stack.callback((root / name / "left").unlink)
        mount.bind(Path("/dev/null"), data / "volumes" / "left")
        stack.callback(mount.unmount, data / "volumes" / "left")
        _done_and_undone(
            stack,
            f"ip link add {link} master {engine.bridge} type veth",
            f"ip link delete {link}",
        )
        _done_and_undone(stack, f"nft 'add {element}'", f"nft 'delete {element}'")
        group.mkdir()
        stack.callback(group.rmdir)
        process = subprocess.Popen(["sh", "-c", "read x", str(run)], stdin=subprocess.PIPE)
        stack.callback(process.communicate)
        seen = engine.footprint().beyond(before)
    assert {line.partition(": ")[0] for line in seen} == {
        "mount", "network namespace", "link", "nft", "cgroup", "file", "row", "process",
    }  # fmt: skip
    assert {f"file: {name}/left" for name in leaks.WATCHED_DATA} <= set(seen)
    assert {f"file: run/{name}/left" for name in leaks.WATCHED_RUN} <= set(seen)
    assert any(container in line for line in seen if line.startswith("row: "))
