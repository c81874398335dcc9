"""Netlink on the wire: messages, attributes, requests and their acknowledgements.

Owns the framing that every netlink family shares; `linux.netlink` and `linux.conntrack` own the
words of theirs. Synchronous and without threads: a request to the kernel is answered within
microseconds, before `sendto` has returned.

Spec: netlink(7).
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from naru.errors import FaultError

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_ERRNO = struct.Struct("=i")
_NESTED = 0x8000
_TYPE_MASK = 0x3FFF
_BUFFER_BYTES = 1 << 16

NLMSG_ERROR = 2
NLMSG_DONE = 3
NLM_F_REQUEST = 0x1
NLM_F_ACK = 0x4
NLM_F_DUMP = 0x300
NLM_F_REPLACE = 0x100
NLM_F_EXCL = 0x200
NLM_F_CREATE = 0x400
_NLM_F_DUMP_INTR = 0x10
_DUMP_ATTEMPTS = 5


class NetlinkError(FaultError):
    """The kernel refused a request; `errno` says why."""

    def __init__(self, what: str, number: int) -> None:
        super().__init__(f"{what}: {os.strerror(number)}")
        self.errno = number


def attribute(kind: int, value: bytes) -> bytes:
    """Return one attribute, padded to four bytes."""
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(-length % 4)


def text_attribute(kind: int, value: str) -> bytes:
    """Return an attribute that holds a NUL-ended string."""
    return attribute(kind, value.encode() + b"\0")


def number_attribute(kind: int, value: int) -> bytes:
    """Return an attribute that holds a 32-bit number of the machine's byte order."""
    return attribute(kind, struct.pack("=I", value))


def nested_attribute(kind: int, *members: bytes) -> bytes:
    """Return an attribute that holds attributes."""
    return attribute(kind | _NESTED, b"".join(members))


def attributes(data: bytes) -> dict[int, bytes]:
    """Return the attributes in `data` by their kind; of two of one kind, the last."""
    found, position = {}, 0
    while position + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, position)
        if length < _ATTRIBUTE.size:
            break
        found[kind & _TYPE_MASK] = data[position + _ATTRIBUTE.size : position + length]
        position += length + (-length % 4)
    return found


class NetlinkSocket:
    """One conversation with the kernel about the network namespace that it was opened in.

    It keeps speaking of that namespace wherever it is used, so one opened by a thread inside a
    container's namespace serves threads outside. Not for two threads at once.
    """

    def __init__(self, family: int) -> None:
        self._sequence = 0
        try:
            self._socket = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, family
            )
        except OSError as error:
            # The kernel has no such family, or nobody may speak it.
            raise NetlinkError(f"open netlink family {family}", error.errno or 0) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the conversation. Harmless when called twice."""
        self._socket.close()

    def change(self, what: str, message: int, body: bytes, flags: int = 0) -> None:
        """Ask for a change and wait until the kernel has made it.

        `what` is how an error begins, such as `add link veth0`.

        Raises:
            NetlinkError: the kernel refused.
        """
        sequence = self._send(message, NLM_F_REQUEST | NLM_F_ACK | flags, body)
        for kind, _, answer in self._receive(sequence):
            if kind == NLMSG_ERROR:
                _raise_refusal(what, answer)
                return

    def query(self, what: str, message: int, body: bytes) -> bytes:
        """Return the body of the one object asked for.

        Raises:
            NetlinkError: there is none, or the kernel refused.
        """
        sequence = self._send(message, NLM_F_REQUEST, body)
        kind, _, answer = next(self._receive(sequence))
        if kind == NLMSG_ERROR:
            _raise_refusal(what, answer)
        return answer

    def dump(self, what: str, message: int, body: bytes) -> list[bytes]:
        """Return the bodies of all objects of a kind.

        A dump that a change interrupted may lack objects, so it is taken again.

        Raises:
            NetlinkError: the kernel refused, or never held still.
        """
        for _ in range(_DUMP_ATTEMPTS):
            found, interrupted = [], False
            sequence = self._send(message, NLM_F_REQUEST | NLM_F_DUMP, body)
            for kind, flags, answer in self._receive(sequence):
                interrupted = interrupted or bool(flags & _NLM_F_DUMP_INTR)
                if kind == NLMSG_DONE:
                    break
                if kind == NLMSG_ERROR:
                    _raise_refusal(what, answer)
                found.append(answer)
            if not interrupted:
                return found
        raise NetlinkError(what, errno.EINTR)

    def _send(self, message: int, flags: int, body: bytes) -> int:
        self._sequence += 1
        header = _HEADER.pack(_HEADER.size + len(body), message, flags, self._sequence, 0)
        try:
            self._socket.sendto(header + body, (0, 0))
        except OSError as error:
            raise NetlinkError("send to netlink", error.errno or 0) from error
        return self._sequence

    def _receive(self, sequence: int) -> Iterator[tuple[int, int, bytes]]:
        """Yield (kind, flags, body) of the answers to one request, without an end of its own."""
        while True:
            try:
                data = self._socket.recv(_BUFFER_BYTES)
            except OSError as error:
                raise NetlinkError("receive from netlink", error.errno or 0) from error
            position = 0
            while position + _HEADER.size <= len(data):
                length, kind, flags, answered, _ = _HEADER.unpack_from(data, position)
                if answered == sequence:
                    yield kind, flags, data[position + _HEADER.size : position + length]
                position += length + (-length % 4)


def _raise_refusal(what: str, answer: bytes) -> None:
    number = -_ERRNO.unpack_from(answer)[0]
    if number:
        raise NetlinkError(what, number)
