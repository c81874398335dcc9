"""Ports of the host that are promised to containers.

A promise is a bound socket that the engine holds: no other program can take the port, and one
that another program has is refused with the kernel's reason. The socket never answers, for
packets reach the container by translation, or a relay takes it over; it drops what arrives before
either is in place, so that a client's next attempt gets through instead of being refused.

The order of free ports is Docker's: from the bottom of the kernel's range upward, and on from
the last one given.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import socket
import struct
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from naru.errors import reason_of
from naru.network.model import (
    PortRequest,
    Protocol,
    PublishedPort,
    PublishError,
    Version,
)
from naru.network.port_matching import version_of

_PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_DEFAULT_RANGE = (49153, 65535)
_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27
# One classic BPF instruction: return 0, keep no byte of the packet.
_DROP_ALL = ctypes.create_string_buffer(struct.pack("=HBBI", 0x06, 0, 0, 0))
_FILTER_PROGRAM = struct.pack("@HP", 1, ctypes.addressof(_DROP_ALL))
_KINDS: dict[Protocol, tuple[int, int]] = {
    "tcp": (socket.SOCK_STREAM, socket.IPPROTO_TCP),
    "udp": (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
    "sctp": (socket.SOCK_STREAM, socket.IPPROTO_SCTP),
}
_Key = tuple[Protocol, str, int]


@dataclass(frozen=True, slots=True)
class _Refused:
    """Why one port cannot be had."""

    message: str
    is_in_use: bool


class HostPorts:
    """All promises of one engine. Safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[_Key, socket.socket | None] = {}
        self._last_free: dict[tuple[Protocol, str], int] = {}

    def reserve(
        self,
        requests: Sequence[PortRequest],
        hosts_of: Callable[[PortRequest], Sequence[str]],
        *,
        routed: Collection[Version] = (),
    ) -> tuple[PublishedPort, ...]:
        """Promise a port for each request. Atomic: all of them, or none.

        `hosts_of` gives the addresses of a request. Of versions that are `routed` no port of the
        host is taken.

        Raises:
            PublishError: one is taken, in Docker's words.
            NaruError: what `hosts_of` raises.
        """
        published: list[PublishedPort] = []
        try:
            for request in requests:
                hosts = hosts_of(request)
                direct = [host for host in hosts if version_of(host) in routed]
                hosts = [host for host in hosts if host not in direct]
                port = self._reserve_one(request, hosts) if hosts else 0
                published += [
                    PublishedPort(request.container_port, request.protocol, host, number)
                    for host, number in [*((h, port) for h in hosts), *((h, 0) for h in direct)]
                ]
        except BaseException:
            self.release(published)
            raise
        return tuple(published)

    def restore(self, published: Iterable[PublishedPort]) -> list[str]:
        """Promise again what was promised by an engine before this one. Idempotent.

        The promise counts even where another program has bound the port meanwhile; what the
        kernel said about those is returned.
        """
        refusals = []
        for port in published:
            if port.host_port == 0:
                continue
            key = _key(port)
            with self._lock:
                if self._held.get(key) is not None:
                    continue
                self._held[key] = None
                bound = _bind(*key)
                if isinstance(bound, _Refused):
                    refusals.append(bound.message)
                else:
                    self._held[key] = bound
        return refusals

    def socket_of(self, port: PublishedPort) -> socket.socket | None:
        """Return the socket that holds a port, or None where there is none."""
        with self._lock:
            return self._held.get(_key(port))

    def release(self, published: Iterable[PublishedPort]) -> None:
        """Take promises back. Idempotent."""
        for port in published:
            with self._lock:
                held = self._held.pop(_key(port), None)
            if held is not None:
                held.close()

    def close(self) -> None:
        """Let go of all sockets; nothing else can be promised afterwards."""
        with self._lock:
            held, self._held = self._held, {}
        for bound in held.values():
            if bound is not None:
                bound.close()

    def _reserve_one(self, request: PortRequest, hosts: Sequence[str]) -> int:
        """Take the first port that is free on all of `hosts`."""
        refused = None
        for port in self._candidates(request, hosts[0]):
            with self._lock:
                keys: list[_Key] = [(request.protocol, host, port) for host in hosts]
                if any(key in self._held for key in keys):
                    continue
                found = _bind_all(keys)
                if not isinstance(found, _Refused):
                    self._held.update(found)
                    if request.host_port == 0:
                        self._last_free[request.protocol, hosts[0]] = port
                    return port
            refused = found
            if not refused.is_in_use:
                break
        if refused is not None:
            raise PublishError(refused.message)
        if 0 < request.host_port == max(request.host_port, request.host_port_end):
            raise PublishError(
                f"Bind for {_shown(hosts[0])}:{request.host_port} failed: port is already allocated"
            )
        raise PublishError("all ports are allocated")

    def _candidates(self, request: PortRequest, host_ip: str) -> Iterator[int]:
        if request.host_port:
            yield from range(request.host_port, max(request.host_port, request.host_port_end) + 1)
            return
        first, last = _free_range()
        start = self._last_free.get((request.protocol, host_ip), last) + 1
        if not first <= start <= last:
            start = first
        yield from range(start, last + 1)
        yield from range(first, start)


def drop_all(held: socket.socket) -> None:
    """Have a socket receive nothing."""
    held.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, _FILTER_PROGRAM)


def take_all(held: socket.socket) -> None:
    """Have a socket receive what comes, after `drop_all`."""
    held.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)


def has_loopback6() -> bool:
    """Say whether this host speaks IPv6: one that was told not to has no `::1`."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as one:
            one.bind(("::1", 0))
    except OSError:
        return False
    return True


def _key(port: PublishedPort) -> _Key:
    return port.protocol, port.host_ip, port.host_port


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _bind_all(keys: Sequence[_Key]) -> dict[_Key, socket.socket | None] | _Refused:
    """Bind one port on several addresses: on all of them, or on none."""
    found: dict[_Key, socket.socket | None] = {}
    for key in keys:
        bound = _bind(*key)
        if isinstance(bound, _Refused):
            for other in found.values():
                if other is not None:
                    other.close()
            return bound
        found[key] = bound
    return found


def _bind(protocol: Protocol, host_ip: str, port: int) -> socket.socket | _Refused | None:
    """Return a bound socket, or why there is none; None when the kernel lacks the protocol."""
    kind, number = _KINDS[protocol]
    version = version_of(host_ip)
    where = f"{protocol}{version} {_shown(host_ip)}:{port}"
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    try:
        bound = socket.socket(family, kind | socket.SOCK_CLOEXEC, number)
    except OSError as error:
        if error.errno == errno.EPROTONOSUPPORT:
            return None
        raise PublishError(f"listen {where}: {reason_of(error)}") from error
    try:
        drop_all(bound)
        if version == 6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if protocol != "udp":
            # Leftovers of a server's closed connections do not count as use of the port.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host_ip, port))
        if protocol != "udp":
            bound.listen(1)
    except OSError as error:
        bound.close()
        return _Refused(
            f"listen {where}: bind: {reason_of(error)}", error.errno == errno.EADDRINUSE
        )
    return bound


def _free_range() -> tuple[int, int]:
    with contextlib.suppress(OSError, ValueError):
        first, last = _PORT_RANGE.read_text(encoding="ascii").split()
        return int(first), int(last)
    return _DEFAULT_RANGE
