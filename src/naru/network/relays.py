"""Ports of the host's IPv6 addresses that lead to containers which have IPv4 alone.

The kernel translates no IPv6 to IPv4, so a thread of the engine does: it takes connections and
datagrams on the sockets that hold those ports, and carries them on. It ends with the engine, and
the next one's begins anew; see ADR 34. Safe for many threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from naru.aio import LoopThread
from naru.errors import FaultError
from naru.network.datagram_relay import DatagramRelay
from naru.network.host_ports import HostPorts, drop_all, take_all
from naru.network.model import PublishedPort
from naru.network.relay_room import datagram_room, stream_room
from naru.network.stream_relay import StreamRelay, Target, new_piece


class Relays:
    """All relays of one engine."""

    def __init__(self, ports: HostPorts) -> None:
        self._ports = ports
        self._thread: LoopThread | None = None
        self._relays: dict[PublishedPort, StreamRelay | DatagramRelay] = {}
        self._streams, self._datagrams = stream_room(), datagram_room()
        self._piece = new_piece()

    def start(self) -> None:
        """Start the thread. Idempotent."""
        if self._thread is None:
            self._thread = LoopThread("naru-relays")
            self._thread.start()

    def change(
        self, before: Mapping[PublishedPort, Target], after: Mapping[PublishedPort, Target]
    ) -> None:
        """Lead the ports of `after` to their targets, and others of `before` nowhere any more.

        Those that are the same in both go on. When this returns, the others carry nothing more.
        Takes some 0.1 ms where there is something to change. Ports that are not held, because
        another program has them, are left out.

        Raises:
            FaultError: the kernel refused.
        """
        gone = [port for port, target in before.items() if after.get(port) != target]
        new = {port: target for port, target in after.items() if before.get(port) != target}
        if not gone and not new:
            return
        if self._thread is None:
            raise RuntimeError("relays are changed before they are started")
        try:
            self._thread.ask(partial(self._change, gone, new))
        except OSError as error:
            raise FaultError(f"relay {', '.join(map(_name, new))}: {error}") from error

    def close(self) -> None:
        """End all relays and the thread. Idempotent."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.close(self._end)

    # In the loop.

    def _change(self, gone: Iterable[PublishedPort], new: Mapping[PublishedPort, Target]) -> None:
        for port in gone:
            self._end_one(port)
        for port, target in new.items():
            self._end_one(port)
            held = self._ports.socket_of(port)
            if held is None:
                continue
            relay = (
                DatagramRelay(held, target, self._datagrams)
                if port.protocol == "udp"
                else StreamRelay(held, target, self._streams, self._piece)
            )
            self._relays[port] = relay
            relay.begin()
            take_all(held)

    def _end_one(self, port: PublishedPort) -> None:
        relay = self._relays.pop(port, None)
        if relay is None:
            return
        held = self._ports.socket_of(port)
        if held is not None:
            # It is a promise again, and no more than that.
            drop_all(held)
        relay.end()

    async def _end(self) -> None:
        for port in list(self._relays):
            self._end_one(port)


def _name(port: PublishedPort) -> str:
    return f"{port.host_port}/{port.protocol}"
