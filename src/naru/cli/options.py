"""Checks of single options while the command line is read.

The parser calls them with the text given, keeps what they return, and turns what they raise
into docker's `invalid argument … for … flag: …`. What each option means is in
`naru.cli.container_options`; its modules load when such an option stands on the line.
"""

from __future__ import annotations

from naru.cli.command_table import load_reference
from naru.errors import InvalidInputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_STREAMS = ("stdin", "stdout", "stderr")


def _check_stream(text: str) -> str:
    if text.lower() not in _STREAMS:
        raise InvalidInputError("valid streams are STDIN, STDOUT and STDERR")
    return text.lower()


def _later(reference: str) -> Callable[[str], object]:
    """Return a check that is imported when it is used."""

    def check(text: str) -> object:
        return load_reference(f"naru.cli.container_options.{reference}")(text)

    return check


CHECKS: dict[str, Callable[[str], object]] = {
    "add-host": _later("addresses:check_extra_host"),
    "attach": _check_stream,
    "blkio-weight-device": _later("devices:parse_weight"),
    "device-cgroup-rule": _later("devices:check_cgroup_rule"),
    "device-read-bps": _later("devices:parse_bytes_rate"),
    "device-read-iops": _later("devices:parse_operations_rate"),
    "device-write-bps": _later("devices:parse_bytes_rate"),
    "device-write-iops": _later("devices:parse_operations_rate"),
    "dns": _later("addresses:check_dns_server"),
    "dns-search": _later("addresses:check_dns_search"),
    "env": _later("environment:check_variable"),
    "gpus": _later("devices:parse_gpus"),
    "kernel-memory": _later("limits:parse_bytes"),
    "label": _later("environment:check_label"),
    "link": _later("addresses:check_link"),
    "memory": _later("limits:parse_bytes"),
    "memory-reservation": _later("limits:parse_bytes"),
    "memory-swap": _later("limits:parse_swap_size"),
    "mount": _later("mounts:parse_mount"),
    "network": _later("networks:parse_network"),
    "shm-size": _later("limits:parse_bytes"),
    "sysctl": _later("limits:check_sysctl"),
    "ulimit": _later("limits:parse_ulimit"),
}
