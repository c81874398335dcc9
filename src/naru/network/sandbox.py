"""Sandboxes in the kernel: a named network namespace with its loopback up."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from naru.linux.namespaces import create_netns
from naru.linux.netlink import RouteSocket
from naru.linux.sysctl import set_sysctl

_LOOPBACK_INDEX = 1


@dataclass(frozen=True, slots=True)
class OpenSandbox:
    """A namespace while its interfaces are made: `kernel` speaks inside, `netns_fd` names it."""

    kernel: RouteSocket
    netns_fd: int


@contextlib.contextmanager
def new_sandbox(path: Path) -> Iterator[OpenSandbox]:
    """Make the namespace named `path`; what the block raises does not remove it again.

    Raises:
        FaultError: the kernel refused, or the name is in use.
    """
    kernel = create_netns(path, _prepare_inside, _owner(path))
    with kernel:
        netns_fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield OpenSandbox(kernel, netns_fd)
        finally:
            os.close(netns_fd)


def _owner(path: Path) -> Path | None:
    """Return the user namespace of the sandbox's container, made before it, if it has one."""
    owner = path.parent.parent / "userns" / path.name
    return owner if owner.exists() else None


def _prepare_inside() -> RouteSocket:
    kernel = RouteSocket()
    kernel.set_up(_LOOPBACK_INDEX)
    # As in Docker, a namespace has IPv6 only when one of its networks does.
    if os.path.exists("/proc/sys/net/ipv6"):
        set_sysctl("net/ipv6/conf/all/disable_ipv6", "1")
    return kernel
