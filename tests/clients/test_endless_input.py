"""Files that have no end, where an archive is wanted: refused soon, and nothing is left of them.

dockerd reads most of these for ever.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from harness.clients import Client
from harness.requirements import requires

pytestmark = [requires("root"), pytest.mark.naru_only]
_GARBAGE = "yes 'no archive at all'"
_ZEROS = "cat /dev/zero"
_BEGUN = f"(tar -C /etc -cf - hostname; {_ZEROS})"


def _piped(client: Client, source: str, words: str) -> tuple[int, str]:
    done = subprocess.run(
        ["sh", "-c", f"{source} | {client.path} {words}"],
        env={
            **os.environ,
            "DOCKER_HOST": f"unix://{client.engine.socket}",
            "DOCKER_CONFIG": client.engine.config_dir,
        },
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stderr + done.stdout


@pytest.mark.parametrize("source", [_GARBAGE, _BEGUN])
@pytest.mark.parametrize("words", ["load", "import -", "cp - BOX:/tmp", "volume import naru-v"])
def test_what_has_no_end_is_no_archive(client: Client, source: str, words: str) -> None:
    if "volume" in words and client.program == "docker":
        return
    box = client.say("create", "busybox", "true")
    code, told = _piped(client, source, words.replace("BOX", box))
    expected = "invalid tar header" if source == _GARBAGE else "bytes follow the archive's end"
    assert (code, expected in told) == (1, True), told
    client.engine.remove(box)


def test_a_device_without_end_is_not_loaded(client: Client) -> None:
    failed = client("load", "-i", "/dev/zero", timeout_s=30)
    assert failed.code == 1
    assert "bytes follow the archive's end" in failed.err


def test_a_build_context_without_end_is_refused(client: Client, tmp_path: Path) -> None:
    if client.program == "naru":
        for source in (_GARBAGE, _ZEROS):
            code, told = _piped(client, source, "build -")
            assert (code, "the Dockerfile is larger than 4194304 bytes" in told) == (1, True), told
        code, told = _piped(client, _GARBAGE, f"build -f - {tmp_path}")
        assert (code, "the Dockerfile is larger than 4194304 bytes" in told) == (1, True), told
    code, told = _piped(client, _BEGUN, "build -")
    assert (code, "bytes follow the archive's end" in told) == (1, True), told
