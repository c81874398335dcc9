"""The filter that we compile is the one that crun compiles, and it holds."""

from __future__ import annotations

from typing import Any

import pytest

from naru.api.host_config import HostConfig
from naru.linux import seccomp
from naru.runtime import bundle as bundles

from .conftest import Workshop

_CUSTOM = """
{"defaultAction": "SCMP_ACT_ALLOW",
 "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
 "syscalls": [
  {"names": ["reboot", "no_such_call_anywhere"], "action": "SCMP_ACT_TRAP"},
  {"names": ["ioctl"], "action": "SCMP_ACT_LOG", "args": [
    {"index": 1, "value": 5, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 7, "op": "SCMP_CMP_EQ"}]},
  {"names": ["quotactl"], "action": "SCMP_ACT_ERRNO", "args": [
    {"index": 0, "value": 255, "valueTwo": 1, "op": "SCMP_CMP_MASKED_EQ"},
    {"index": 2, "value": 9, "op": "SCMP_CMP_GT"}]},
  {"names": ["ptrace"], "action": "SCMP_ACT_KILL_PROCESS"},
  {"names": ["swapon"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13}
 ]}
"""


@pytest.mark.parametrize(
    "host",
    [
        HostConfig(network_mode="host"),
        HostConfig(network_mode="host", cap_add=["ALL"]),
        HostConfig(network_mode="host", security_opt=[f"seccomp={_CUSTOM}"]),
    ],
    ids=["default", "all", "custom"],
)
# Only crun keeps its program where it can be read.
@pytest.mark.parametrize("runtime_name", ["crun"])
async def test_our_program_is_cruns_own(workshop: Workshop, host: HostConfig) -> None:
    kept: dict[str, Any] = {}

    def without(spec: dict[str, Any]) -> None:
        kept.update(spec["linux"]["seccomp"])

    original = bundles._with_compiled_filter
    bundles._with_compiled_filter = lambda spec: spec
    try:
        bundle = await workshop.create("sleep", "9", host=host, change=without)
    finally:
        bundles._with_compiled_filter = original
    own = (workshop.runtime.root / bundle.path.name / "seccomp.bpf").read_bytes()
    assert own
    assert seccomp.compiled(kept) == own


async def test_one_filter_is_in_force_and_forbids(workshop: Workshop) -> None:
    script = "mount -t tmpfs x /tmp; grep Seccomp_filters /proc/self/status"
    _, out, err = await workshop.run("sh", "-c", script)
    assert b"permission denied" in err.lower() or b"not permitted" in err
    assert out.split() == [b"Seccomp_filters:", b"1"]
