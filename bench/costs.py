"""Measure what a pull costs engines besides time: the processor's, and memory at its peak.

    bench/costs.py naru=/run/naru.sock docker=/run/docker.sock --image 127.0.0.1:5000/x:1 [--runs 3]

The image must not be there yet, and is removed after each pull. Only the process that listens
on the socket is looked at, with the children that it waited for; both figures stay the same on a
machine that has other things to do.
"""

from __future__ import annotations

import argparse
import os
import statistics
from pathlib import Path

from engine import Client
from images import pull, remove
from many import engine_pid

_TICKS = os.sysconf("SC_CLK_TCK")


def processor_s(pid: int) -> float:
    """Return the seconds that a process and its children have computed."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS


def memory_mb(pid: int, row: str) -> float:
    """Return a row of a process's status in MB: VmRSS is now, VmHWM the most there was."""
    rows = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(text.split()[1]) for text in rows if text.startswith(row)) / 1024


def cost(path: str, image: str) -> tuple[float, float]:
    """Pull, and return seconds of the processor and the growth of memory in MB."""
    client, pid = Client(path), engine_pid(path)
    # Spec: proc(5), clear_refs: 5 takes the peak back to what it is now.
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    seconds, before = processor_s(pid), memory_mb(pid, "VmRSS")
    pull(client, image)
    costs = processor_s(pid) - seconds, memory_mb(pid, "VmHWM") - before
    remove(client, image)
    return costs


def main() -> None:
    """Print a row for each engine: the medians."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("engines", nargs="+", metavar="NAME=SOCKET")
    parser.add_argument("--image", required=True)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    print(f"{'engine':>16}{'processor':>16}{'memory':>16}")
    for entry in arguments.engines:
        name, _, path = entry.partition("=")
        seconds, growth = zip(
            *(cost(path, arguments.image) for _ in range(arguments.runs)), strict=True
        )
        print(
            f"{name:>16}{statistics.median(seconds):>14.2f} s{statistics.median(growth):>13.0f} MB"
        )


if __name__ == "__main__":
    main()
