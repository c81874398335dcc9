"""Limits of a container: memory, processors, processes, block devices. Pure.

The spec's fields speak version 1 of control groups; runtimes translate for version 2.

Spec: runtime-spec v1.0.2, config-linux.md, Control groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from naru.api.host_config import Resources, ThrottleDevice
from naru.errors import InvalidInputError
from naru.oci.runtime_spec import Json
from naru.specgen.facts import DeviceNode, HostFacts

_CPU_PERIOD: Final = 100_000
_NANO: Final = 10**9
_THROTTLES: Final = {
    "throttleReadBpsDevice": "blkio_device_read_bps",
    "throttleWriteBpsDevice": "blkio_device_write_bps",
    "throttleReadIOPSDevice": "blkio_device_read_iops",
    "throttleWriteIOPSDevice": "blkio_device_write_iops",
}


def resources(asked: Resources, facts: HostFacts) -> Json:
    """Return the limits, less the devices; what is not limited is left out.

    Raises:
        InvalidInputError: a block device that is not there.
    """
    found: Json = {}
    for name, part in (
        ("memory", _memory(asked, facts)),
        ("cpu", _cpu(asked)),
        ("blockIO", _block_io(asked, facts)),
    ):
        if part:
            found[name] = part
    if asked.pids_limit is not None and asked.pids_limit > 0:
        found["pids"] = {"limit": asked.pids_limit}
    return found


def _memory(asked: Resources, facts: HostFacts) -> Json:
    memory: Json = {}
    if asked.memory > 0:
        memory["limit"] = asked.memory
    if asked.memory_reservation > 0:
        memory["reservation"] = asked.memory_reservation
    if asked.memory_swap and facts.swap_limit:
        memory["swap"] = asked.memory_swap
    # Only version 1 has the two.
    if asked.memory_swappiness is not None and asked.memory_swappiness >= 0:
        memory["swappiness"] = asked.memory_swappiness
    if asked.oom_kill_disable:
        memory["disableOOMKiller"] = True
    return memory


def _cpu(asked: Resources) -> Json:
    cpu: Json = {}
    if asked.cpu_shares > 0:
        cpu["shares"] = asked.cpu_shares
    if asked.nano_cpus > 0:
        cpu["period"] = _CPU_PERIOD
        cpu["quota"] = asked.nano_cpus * _CPU_PERIOD // _NANO
    if asked.cpu_period:
        cpu["period"] = asked.cpu_period
    # Less than nothing is Docker's word for no limit; runtimes differ in what they make of it.
    if asked.cpu_quota > 0:
        cpu["quota"] = asked.cpu_quota
    if asked.cpu_realtime_period:
        cpu["realtimePeriod"] = asked.cpu_realtime_period
    if asked.cpu_realtime_runtime:
        cpu["realtimeRuntime"] = asked.cpu_realtime_runtime
    if asked.cpuset_cpus:
        cpu["cpus"] = asked.cpuset_cpus
    if asked.cpuset_mems:
        cpu["mems"] = asked.cpuset_mems
    return cpu


def _block_io(asked: Resources, facts: HostFacts) -> Json:
    block_io: Json = {}
    if asked.blkio_weight:
        block_io["weight"] = asked.blkio_weight
    if asked.blkio_weight_device:
        block_io["weightDevice"] = [
            {**_numbers(device.path, facts), "weight": device.weight}
            for device in asked.blkio_weight_device
        ]
    for name, attribute in _THROTTLES.items():
        throttled: Sequence[ThrottleDevice] | None = getattr(asked, attribute)
        if throttled:
            block_io[name] = [
                {**_numbers(device.path, facts), "rate": device.rate} for device in throttled
            ]
    return block_io


def _numbers(path: str, facts: HostFacts) -> Json:
    node = _block_device(path, facts)
    return {"major": node.major, "minor": node.minor}


def _block_device(path: str, facts: HostFacts) -> DeviceNode:
    found = facts.find_devices(path)
    if len(found) != 1 or found[0].path != path or not found[0].type:
        raise InvalidInputError(f"no such device: {path}")
    return found[0]
