"""Measure what many running containers cost an engine: memory, listing, and rest.

    bench/many.py /run/naru.sock [--containers 100] [--rest 20]

The engine needs an image `busybox:latest`, and the monitors are recognised as conmon processes
that were started meanwhile. Everything that was started is removed at the end.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from engine import Client, timed

_TICKS = os.sysconf("SC_CLK_TCK")
_LISTINGS = 30


def engine_pid(socket_path: str) -> int:
    """Return the process that listens on a socket.

    Raises:
        SystemExit: there is none, or it is not to be seen.
    """
    rows = Path("/proc/net/unix").read_text(encoding="utf-8").splitlines()
    inodes = {row.split()[6] for row in rows if row.endswith(f" {socket_path}")}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            links = {os.readlink(fd) for fd in (folder / "fd").iterdir()}
        except OSError:
            continue
        if links & {f"socket:[{inode}]" for inode in inodes}:
            return int(folder.name)
    sys.exit(f"nobody listens on {socket_path}")


def resident_kb(pid: int) -> int:
    """Return the memory that a process has to itself and in its share of what is shared."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def monitors() -> set[int]:
    """Return the pids of all conmon processes."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "comm").read_text(encoding="utf-8").strip() == "conmon":
                found.add(int(folder.name))
        except OSError:
            continue
    return found


def start_all(path: str, count: int) -> list[str]:
    """Start containers over four connections and return their ids."""

    def share(size: int) -> list[str]:
        client = Client(path)
        return [client.up() for _ in range(size)]

    sizes = [count // 4 + (number < count % 4) for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        return [container for found in pool.map(share, sizes) for container in found]


def main() -> None:
    """Start the containers, look, and print what they cost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("socket")
    parser.add_argument("--containers", type=int, default=100)
    parser.add_argument("--rest", type=float, default=20, help="seconds to watch it rest")
    options = parser.parse_args()
    pid, count, client = engine_pid(options.socket), options.containers, Client(options.socket)
    client.remove(client.up())
    before, others = resident_kb(pid), monitors()
    began = time.perf_counter()
    containers = start_all(options.socket, count)
    print(f"started in {time.perf_counter() - began:.1f} s")
    try:
        time.sleep(2)
        own = [resident_kb(monitor) for monitor in monitors() - others]
        listings = [timed(lambda: client.call("GET", "/containers/json")) for _ in range(_LISTINGS)]
        used = cpu_s(pid)
        time.sleep(options.rest)
        print(f"engine: {before} kB before, {(resident_kb(pid) - before) / count:.0f} kB each more")
        if own:
            print(f"monitors: {len(own)}, {statistics.mean(own):.0f} kB each")
        print(f"list: {statistics.median(listings):.1f} ms")
        print(f"at rest: {100 * (cpu_s(pid) - used) / options.rest:.2f} % of a core")
    finally:
        for container in containers:
            client.remove(container)


if __name__ == "__main__":
    main()
