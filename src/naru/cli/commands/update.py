"""`update`."""

from __future__ import annotations

from naru.cli.batch import container_path, describe
from naru.cli.failure import CommandFailedError
from naru.errors import InvalidInputError, NaruError

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


_PORTS = ("publish-add", "publish-rm")


def update(invocation: Invocation) -> int:
    """Change limits, restart policies and ports of containers, one after the other."""
    options = invocation.options
    if not any(options.changed(name) for name in (*_FIELDS.values(), "restart", *_PORTS)):
        raise CommandFailedError("you must provide one or more flags when using this command")
    body: dict[str, Any] = {
        field: options[name] for field, name in _FIELDS.items() if options[name]
    }
    if options["restart"]:
        from naru.cli.container_options.limits import read_restart_policy

        body["RestartPolicy"] = read_restart_policy(options["restart"])
    body |= _ports(invocation)
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


def _ports(invocation: Invocation) -> dict[str, Any]:
    """Return what the body says of ports."""
    options = invocation.options
    if not any(options[name] for name in _PORTS):
        return {}
    from naru.cli.commands.container_creation import usage_failure
    from naru.cli.container_options.ports import read_published
    from naru.cli.engine_kind import require_naru

    try:
        added = read_published(options["publish-add"])
    except InvalidInputError as error:
        raise usage_failure(invocation, error.message) from error
    for name in _PORTS:
        if options[name]:
            require_naru(invocation, f"--{name}")
    found = {"PublishAdd": added, "PublishRemove": options["publish-rm"]}
    return {field: value for field, value in found.items() if value}
