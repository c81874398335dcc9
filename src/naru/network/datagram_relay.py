"""Datagrams to one port of the host, carried on to a container and answered from there. Loop only.

The container sees each sender as a port of its own, which is kept while anything is heard of it.
Answers leave by the address that the sender knows. Of more senders than there is room for, those
are forgotten of whom nothing was heard for the longest time.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import OrderedDict
from functools import partial
from ipaddress import IPv6Address

from naru.network.relay_room import Room
from naru.network.stream_relay import Target

_LARGEST = 65535
_BATCH = 32
# As long as Docker's proxy.
_IDLE_S = 90.0
_MOST_SENDERS = 1000
# RFC 3542, section 6: the address that a datagram came to, and the interface.
_PACKET_INFO = struct.Struct("=16sI")
_Address = tuple[str, int, int, int]
_Key = tuple[_Address, bytes]


class _Sender:
    """Somebody who sends to one address of the host's, and the socket that stands for them."""

    def __init__(self, target: Target) -> None:
        self.heard_at = 0.0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self.socket.setblocking(False)
            self.socket.connect(target)
        except OSError:
            self.socket.close()
            raise


class DatagramRelay:
    """Takes what comes to `port` to `target`, and answers back. The port's socket stays open."""

    def __init__(
        self, port: socket.socket, target: Target, room: Room, idle_s: float = _IDLE_S
    ) -> None:
        """Forget a sender of whom nothing was heard for `idle_s`, nor anything said to."""
        self._port = port
        self._target = target
        self._room = room
        self._idle_s = idle_s
        self._loop = asyncio.get_running_loop()
        # Whoever was heard of last stands last.
        self._senders: OrderedDict[_Key, _Sender] = OrderedDict()
        self._expiry: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Take datagrams from now on."""
        self._port.setblocking(False)
        self._port.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        self._loop.add_reader(self._port, self._read)

    def end(self) -> None:
        """Take no more, and forget everybody. Idempotent."""
        self._loop.remove_reader(self._port)
        while self._senders:
            self._forget_oldest()
        if self._expiry is not None:
            self._expiry.cancel()

    def _read(self) -> None:
        for _ in range(_BATCH):
            try:
                data, control, _, address = self._port.recvmsg(
                    _LARGEST, socket.CMSG_SPACE(_PACKET_INFO.size)
                )
            except OSError:
                return
            came_to = _packet_info(control)
            if came_to is None:
                continue
            sender = self._sender((address, came_to))
            # What cannot be passed on is lost, as datagrams are.
            with contextlib.suppress(OSError):
                if sender is not None:
                    sender.socket.send(data)

    def _sender(self, key: _Key) -> _Sender | None:
        sender = self._senders.get(key)
        if sender is None:
            if len(self._senders) >= _MOST_SENDERS or not self._room.take(1):
                if not self._senders:
                    return None
                self._forget_oldest()
                self._room.take(1)
            try:
                sender = _Sender(self._target)
            except OSError:
                self._room.give_back(1)
                return None
            self._senders[key] = sender
            self._loop.add_reader(sender.socket, partial(self._answer, key, sender))
        self._heard(key, sender)
        return sender

    def _answer(self, key: _Key, sender: _Sender) -> None:
        address, came_to = key
        control = [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, came_to)]
        for _ in range(_BATCH):
            try:
                data = sender.socket.recv(_LARGEST)
            except OSError:
                # Nothing more; or nobody listens in the container, which a next one may do.
                return
            self._heard(key, sender)
            with contextlib.suppress(OSError):
                self._port.sendmsg([data], control, 0, address)

    def _heard(self, key: _Key, sender: _Sender) -> None:
        sender.heard_at = self._loop.time()
        self._senders.move_to_end(key)
        if self._expiry is None:
            self._expiry = self._loop.call_later(self._idle_s, self._expire)

    def _expire(self) -> None:
        self._expiry = None
        while self._senders:
            oldest = next(iter(self._senders.values()))
            left_s = oldest.heard_at + self._idle_s - self._loop.time()
            if left_s > 0:
                self._expiry = self._loop.call_later(left_s, self._expire)
                return
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        _, sender = self._senders.popitem(last=False)
        self._loop.remove_reader(sender.socket)
        sender.socket.close()
        self._room.give_back(1)


def _packet_info(control: list[tuple[int, int, bytes]]) -> bytes | None:
    """Return what says to send from where a datagram came to; None if nobody can."""
    for level, kind, data in control:
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
            packed, interface = _PACKET_INFO.unpack(data[: _PACKET_INFO.size])
            address = IPv6Address(packed)
            if address.is_multicast:
                return None
            # Any other address is sent from by whatever interface leads to the sender.
            return _PACKET_INFO.pack(packed, interface if address.is_link_local else 0)
    return None
