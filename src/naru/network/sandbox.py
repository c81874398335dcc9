"""Sandboxes in the kernel: a named network namespace with its loopback up."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from naru.linux.namespaces import create_netns, in_netns
from naru.linux.netlink import RouteSocket
from naru.linux.sysctl import set_sysctl

_LOOPBACK_INDEX = 1
_IPV6 = "/proc/sys/net/ipv6"


@dataclass(frozen=True, slots=True)
class OpenSandbox:
    """A namespace while its interfaces are made: `kernel` speaks inside, `netns_fd` names it."""

    path: Path
    kernel: RouteSocket
    netns_fd: int

    def run(self, inside: Callable[[], None]) -> None:
        """Run something by a thread within the namespace.

        Raises:
            FaultError: the namespace is gone, or what `inside` raises.
        """
        in_netns(self.path, inside)


@contextlib.contextmanager
def new_sandbox(path: Path) -> Iterator[OpenSandbox]:
    """Make the namespace named `path`; what the block raises does not remove it again.

    Raises:
        FaultError: the kernel refused, or the name is in use.
    """
    with _opened(path, create_netns(path, _prepare_inside, _owner(path))) as sandbox:
        yield sandbox


@contextlib.contextmanager
def existing_sandbox(path: Path) -> Iterator[OpenSandbox]:
    """Open the namespace named `path`.

    Raises:
        FaultError: there is none.
    """
    with _opened(path, in_netns(path, RouteSocket)) as sandbox:
        yield sandbox


@contextlib.contextmanager
def _opened(path: Path, kernel: RouteSocket) -> Iterator[OpenSandbox]:
    with kernel:
        netns_fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield OpenSandbox(path, kernel, netns_fd)
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
    if os.path.exists(_IPV6):
        set_sysctl("net/ipv6/conf/all/disable_ipv6", "1")
    return kernel


def allow_ipv6(interface: str) -> None:
    """Let an interface of the calling thread's namespace, and its loopback, have IPv6.

    Routers that announce themselves are not listened to: the network is ours, and so is the
    route out of it.

    Raises:
        FaultError: the kernel refused.
    """
    for name in ("lo", interface):
        set_sysctl(f"net/ipv6/conf/{name}/disable_ipv6", "0")
    # Nor does it wait until it is sure that its own link-local address is nobody else's.
    for setting in ("accept_ra", "accept_dad"):
        set_sysctl(f"net/ipv6/conf/{interface}/{setting}", "0")


def set_interface_sysctls(interface: str, sysctls: tuple[tuple[str, str], ...]) -> None:
    """Set what the user asked for of an interface of the calling thread's namespace.

    Raises:
        FaultError: the kernel has no such setting, or refused the value.
    """
    for path, value in sysctls:
        set_sysctl(path.replace("IFNAME", interface), value)
