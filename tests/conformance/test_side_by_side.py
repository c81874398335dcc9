"""Some 420 commands to a real dockerd and to ours: every field of every answer, side by side.

What remains different stands with its reason in `side_by_side_known.toml`. A difference that is
not there breaks the build, and so does an entry that no longer differs.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from harness import dockerd
from harness.narud import EngineUnderTest
from harness.requirements import requires
from harness.side_by_side import Known, compare, read_script, sift

_HERE = Path(__file__).parent


def _known() -> list[Known]:
    entries = tomllib.loads((_HERE / "side_by_side_known.toml").read_text(encoding="utf-8"))
    return [Known(**entry) for entry in entries["difference"]]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.docker_release("28")
@pytest.mark.dockerd_release("20.10")
@requires("dockerd", "docker", "containerd", "iptables", "unshare")
def test_answers_are_dockers_but_for_what_is_known() -> None:
    script, known = (_HERE / "commands.txt").read_text(encoding="utf-8"), _known()
    ours = EngineUnderTest()
    try:
        with dockerd.running() as theirs:
            ours.start_engine()
            news = sift(compare(ours, theirs, script), known)
    finally:
        ours.destroy()
    count = len(list(read_script(script)))
    print(f"side by side: {count} commands, {sum(entry.uses for entry in known)} known differences")
    assert not news, f"{count} commands; these answers differ:\n" + "\n".join(map(str, news))
    unused = [entry.reason for entry in known if not entry.uses]
    assert not unused, "take these off the list of known differences:\n" + "\n".join(unused)
