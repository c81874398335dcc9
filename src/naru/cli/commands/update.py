"""`update`."""

from __future__ import annotations

from naru.cli.batch import container_path, describe
from naru.cli.failure import CommandFailedError
from naru.errors import NaruError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from naru.cli.invocation import Invocation

_FIELDS = {
    "BlkioWeight": "blkio-weight",
    "CpuPeriod": "cpu-period",
    "CpuQuota": "cpu-quota",
    "CpuRealtimePeriod": "cpu-rt-period",
    "CpuRealtimeRuntime": "cpu-rt-runtime",
    "CpuShares": "cpu-shares",
    "CpusetCpus": "cpuset-cpus",
    "CpusetMems": "cpuset-mems",
    "KernelMemory": "kernel-memory",
    "Memory": "memory",
    "MemoryReservation": "memory-reservation",
    "MemorySwap": "memory-swap",
    "NanoCpus": "cpus",
    "PidsLimit": "pids-limit",
}


def update(invocation: Invocation) -> int:
    """Change limits and restart policies of containers, one after the other."""
    options = invocation.options
    if not any(options.changed(name) for name in (*_FIELDS.values(), "restart")):
        raise CommandFailedError("you must provide one or more flags when using this command")
    body: dict[str, Any] = {
        field: options[name] for field, name in _FIELDS.items() if options[name]
    }
    if options["restart"]:
        from naru.cli.container_options.limits import read_restart_policy

        body["RestartPolicy"] = read_restart_policy(options["restart"])
    warnings: list[str] = []
    problems: list[str] = []
    for name in invocation.args:
        try:
            answer = invocation.client.post(container_path(name, "/update"), None, body)
        except (NaruError, CommandFailedError) as error:
            problems.append(describe(error))
        else:
            invocation.print(name)
            warnings += answer.get("Warnings") or ()
    if warnings:
        invocation.print("\n".join(warnings))
    if problems:
        raise CommandFailedError("\n".join(problems))
    return 0
