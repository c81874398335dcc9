"""libnftables ends a process that hands it a high descriptor; the engine has many of them."""

from __future__ import annotations

import subprocess
import sys

from harness.requirements import requires

pytestmark = requires("root")

# A process of its own: where this goes wrong, it is aborted. It begins in an empty namespace.
_BUSY = """
import os
from naru.linux import nftables
files = [os.open("/dev/null", os.O_RDONLY) for _ in range(1100)]
assert files[-1] > 1024
nftables.run("add table inet many")
assert nftables.structure_text("inet", "many")
nftables.run_here("add table inet here")
assert nftables.list_table("inet", "here") is not None
print("fine")
"""


def test_rules_are_set_by_a_process_with_over_a_thousand_open_files() -> None:
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", _BUSY],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout == "fine\n", done.stderr
