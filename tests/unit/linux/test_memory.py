"""Memory that is free goes back to the kernel."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
from pathlib import Path
from naru.linux.memory import bound_memory, give_back_memory

def resident():
    rows = Path("/proc/self/status").read_text().splitlines()
    return next(int(row.split()[1]) for row in rows if row.startswith("VmRSS"))

bound_memory()
before = resident()
# What stays in between keeps the arena's end where it is.
blocks, kept = [], []
for number in range(300):
    blocks.append(b"x" * (256 << 10))
    kept.append(b"y" * 100_000 if number % 50 == 0 else None)
most = resident()
blocks.clear()
give_back_memory()
print(most - before, resident() - before)
"""


def test_what_is_free_goes_back_even_between_what_is_not() -> None:
    argv = [sys.executable, "-c", _PROGRAM]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    most, left = map(int, said.split())
    assert most > 60_000
    assert left < 8_000
