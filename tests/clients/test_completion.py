"""Tab in a shell that learnt naru's words: names come from the engine."""

from __future__ import annotations

import subprocess

from harness.engine import Engine

_TAB = """
naru() { "$NARU" "$@"; }
eval "$(naru completion bash)"
COMP_LINE=$1 COMP_POINT=${#1}
_naru
printf '%s\\n' "${COMPREPLY[@]}"
"""


def test_bash_offers_the_containers_that_there_are(engine: Engine) -> None:
    for name in ("naru-test-front", "naru-test-back"):
        engine.naru("create", "--name", name, "busybox").ok()
    done = subprocess.run(
        ["bash", "-c", _TAB, "bash", "naru rm naru-test-"],
        env={"NARU": engine.naru_program, **engine.environ},
        capture_output=True,
        text=True,
        check=True,
    )
    assert sorted(done.stdout.split()) == ["naru-test-back", "naru-test-front"]
    assert done.stderr == ""
