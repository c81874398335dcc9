"""Flows that the kernel remembers, as far as they must be forgotten.

A remembered UDP flow keeps the translation that it began with: after a port is published, or a
container is gone, its packets would go on to where they went before.

Spec: linux/netfilter/nfnetlink_conntrack.h.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Collection, Mapping

from naru.linux.netlink_socket import (
    NetlinkError,
    NetlinkSocket,
    attributes,
    nested_attribute,
)

_NETLINK_NETFILTER = 12
_CTNETLINK = 1 << 8
_GET, _DELETE = _CTNETLINK | 1, _CTNETLINK | 2
_TUPLE_ORIG, _TUPLE_REPLY = 1, 2
_TUPLE_IP, _TUPLE_PROTO = 1, 2
# The attribute of the source in a flow of each address family.
_IP_SOURCES = {2: 1, 10: 3}
_PROTO_NUMBER, _PROTO_DESTINATION_PORT = 1, 3
_UDP = 17
_HEADER = struct.Struct("=BBH")


def forget_udp_flows(*, host_ports: Collection[int], container_addresses: Collection[bytes]) -> int:
    """Forget the UDP flows to one of the ports, or answered by one of the addresses.

    The addresses are four or sixteen bytes each. Idempotent. Returns how many flows were forgotten; the
    cost grows with the number of flows on the machine.

    Raises:
        NetlinkError: the kernel refused.
    """
    forgotten = 0
    with NetlinkSocket(_NETLINK_NETFILTER) as kernel:
        for family in _IP_SOURCES:
            header = _HEADER.pack(family, 0, 0)
            for flow in kernel.dump("list flows", _GET, header):
                values = attributes(flow[_HEADER.size :])
                if _is_meant(values, family, host_ports, container_addresses):
                    _forget(kernel, header, values[_TUPLE_ORIG])
                    forgotten += 1
    return forgotten


def _is_meant(
    values: Mapping[int, bytes],
    family: int,
    host_ports: Collection[int],
    container_addresses: Collection[bytes],
) -> bool:
    protocol = attributes(attributes(values.get(_TUPLE_ORIG, b"")).get(_TUPLE_PROTO, b""))
    if protocol.get(_PROTO_NUMBER) != bytes([_UDP]):
        return False
    port = int.from_bytes(protocol.get(_PROTO_DESTINATION_PORT, b""), "big")
    addresses = attributes(attributes(values.get(_TUPLE_REPLY, b"")).get(_TUPLE_IP, b""))
    answering = addresses.get(_IP_SOURCES[family], b"")
    return port in host_ports or answering in container_addresses


def _forget(kernel: NetlinkSocket, header: bytes, original: bytes) -> None:
    try:
        kernel.change("forget flow", _DELETE, header + nested_attribute(_TUPLE_ORIG, original))
    except NetlinkError as error:
        if error.errno != errno.ENOENT:
            raise
