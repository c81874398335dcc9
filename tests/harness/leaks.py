"""What an engine has on the machine, seen from outside, and what of it should not be there."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.waiting import eventually

NFT_FAMILIES = ("inet", "ip", "ip6")
# Folders whose entries come and go with containers, images, volumes and builds.
WATCHED_DATA = (
    *("builds", "containers", "snapshots", "snapshots-native", "volumes"),
    *("content/blobs/sha256", "content/ingest", "content/trash"),
)
WATCHED_RUN = ("c", "x", "t", "exits", "netns", "userns")
_CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Footprint:
    """Named things by kind; two of them are compared to find what was left behind."""

    things: dict[str, Counter[str]]

    def beyond(self, other: Footprint) -> list[str]:
        """Return what is here and was not there."""
        return [
            f"{kind}: {thing}" + (f" (x{count})" if count > 1 else "")
            for kind, counter in self.things.items()
            for thing, count in sorted((counter - other.things.get(kind, Counter())).items())
        ]


def footprint(
    *,
    data_root: Path,
    exec_root: Path,
    bridge: str,
    table: str,
    cgroup_parent: str,
    engine_pid: int | None,
) -> Footprint:
    """Look at everything once."""
    return Footprint(
        {
            "mount": Counter(mounts([data_root, exec_root])),
            "network namespace": Counter(_names(exec_root / "netns")),
            "link": Counter(links(bridge, table)),
            "nft": Counter(nft_items(table)),
            "cgroup": Counter(cgroups(cgroup_parent)),
            "file": Counter([*_data_files(data_root), *_exec_files(exec_root)]),
            "row": Counter(rows(data_root / "naru.db")),
            "process": Counter(
                " ".join(words)
                for pid, words in processes(exec_root, data_root)
                if pid != engine_pid
            ),
            "open file": Counter(open_files(engine_pid) if engine_pid else []),
        }
    )


def assert_nothing_left(
    before: Footprint, now: Callable[[], Footprint], *, what: str = "the test"
) -> None:
    """Wait until `now()` has nothing that `before` had not; what stays fails the test."""

    def probe() -> bool:
        left = now().beyond(before)
        assert not left, "left behind:\n  " + "\n  ".join(left)
        return True

    eventually(probe, f"{what} leaves nothing behind", every_s=0.1)


def mounts(roots: Sequence[Path]) -> list[str]:
    """Return the mount points below these directories, outer ones first."""
    prefixes = [f"{root}/" for root in roots]
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        target = line.split(" ")[4].encode().decode("unicode_escape")
        if any(target.startswith(prefix) for prefix in prefixes):
            found.append(target)
    return found


def links(bridge: str, table: str) -> list[str]:
    """Return the bridges of an engine, and the links that are plugged into them.

    Interfaces that an engine makes carry the name of its table in their alias.
    """
    answer = subprocess.run(["ip", "-j", "link"], capture_output=True, check=True)
    found = json.loads(answer.stdout)
    own = {bridge} | {
        link["ifname"] for link in found if link.get("ifalias", "").partition(" ")[0] == table
    }
    return [
        str(link["ifname"]) for link in found if link["ifname"] in own or link.get("master") in own
    ]


def nft_items(table: str) -> list[str]:
    """Return chains, rules and set elements of an engine's tables, without handles and counters."""
    objects = []
    for family in NFT_FAMILIES:
        argv = ["nft", "-j", "list", "table", family, table]
        answer = subprocess.run(argv, capture_output=True, check=False)
        if answer.returncode == 0:
            objects += json.loads(answer.stdout)["nftables"]
    items = []
    for item in objects:
        items += [f"{kind} {_canonical(item[kind])}" for kind in ("chain", "rule") if kind in item]
        for kind in ("set", "map"):
            if kind in item:
                name = item[kind]["name"]
                items += [f"{name} {_canonical(one)}" for one in item[kind].get("elem", [])]
    return items


def _canonical(value: object) -> str:
    text = json.dumps(value, sort_keys=True)
    return re.sub(r'"(handle|packets|bytes|expires)": \d+(, )?', "", text)


def cgroups(parent: str) -> list[str]:
    """Return the cgroups below `parent` in every hierarchy, inner ones first.

    `parent` itself comes with the first container and stays.
    """
    found = []
    tops = [_CGROUPS, *(entry for entry in _CGROUPS.iterdir() if entry.is_dir())]
    for top in tops:
        base = top / parent.lstrip("/")
        if (base / "cgroup.procs").exists():
            found += [where for where, _, _ in os.walk(base, topdown=False) if where != str(base)]
    return found


def cgroup_pids(cgroup: str) -> list[int]:
    """Return the processes in a cgroup."""
    try:
        return [int(word) for word in Path(cgroup, "cgroup.procs").read_text().split()]
    except OSError:
        return []


def _names(directory: Path) -> list[str]:
    # It may go while we look.
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return sorted(os.listdir(directory))
    return []


def _data_files(root: Path) -> Iterator[str]:
    for name in WATCHED_DATA:
        yield from (f"{name}/{entry}" for entry in _names(root / name))
    # Snapshotters nest; two levels tell which one is left.
    for entry in _names(root / "snapshots"):
        yield from (f"snapshots/{entry}/{name}" for name in _names(root / "snapshots" / entry))


def unfreed(data_root: Path) -> list[str]:
    """Return what was removed and still takes space: it is freed in the background."""
    trash = [f"blob {name}" for name in _names(data_root / "content" / "trash")]
    connection = sqlite3.connect(f"file:{data_root / 'naru.db'}?mode=ro", uri=True)
    try:
        query = "SELECT number FROM snapshots WHERE state = 'removing'"
        return trash + [f"snapshot {number}" for (number,) in connection.execute(query)]
    finally:
        connection.close()


def _exec_files(root: Path) -> Iterator[str]:
    for name in WATCHED_RUN:
        yield from (f"run/{name}/{entry}" for entry in _names(root / name))
    # A folder for each runtime, which stays.
    for runtime in _names(root / "runtime"):
        yield from (
            f"run/runtime/{runtime}/{entry}" for entry in _names(root / "runtime" / runtime)
        )


# What pushes and pulls teach of blobs that are here stays as long as those.
_LEARNED = ("blob_places", "compressed_layers")


def rows(database: Path) -> list[str]:
    """Return a line for every row of every table: its table and the first columns."""
    if not database.exists():
        return []
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        found = []
        for (table,) in tables.fetchall():
            if table.startswith("sqlite_") or table in _LEARNED:
                continue
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            keys = [name for name in columns if name not in ("record", "state")][:3]
            query = f"SELECT {', '.join(keys)} FROM {table}"
            found += [f"{table} {row!r}" for row in connection.execute(query)]
        return found
    finally:
        connection.close()


def processes(*roots: Path) -> list[tuple[int, list[str]]]:
    """Return pid and words of the processes that have one of these paths in their arguments."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            words = Path("/proc", entry, "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if any(str(root) in words for root in roots):
            found.append((int(entry), words.rstrip("\0").split("\0")))
    return found


def open_files(pid: int) -> list[str]:
    """Return what a process holds open, by kind; sockets come and go with clients."""
    found = []
    directory = Path("/proc", str(pid), "fd")
    try:
        numbers = os.listdir(directory)
    except OSError:
        return []
    for number in numbers:
        try:
            where = os.readlink(directory / number)
        except OSError:
            continue
        kind = re.sub(r"\[\d+\]$", "", where)
        if not kind.startswith("socket:"):
            found.append(kind)
    return found
