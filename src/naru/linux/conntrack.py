"""Flows that the kernel remembers, as far as they must be forgotten.

A remembered UDP flow keeps the translation that it began with: after a port is published, or a
container is gone, its packets would go on to where they went before.

A TCP flow is remembered for two minutes after its end. Where the host stands in for a client,
that keeps a port of the host's from being used towards the same server. Who has the address of a
busy server next would be spoken to from ports chosen at random, some of which it has seen a moment
ago with later timestamps; it refuses these, and the client tries again after a second.

Spec: linux/netfilter/nfnetlink_conntrack.h.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Collection, Mapping

from naru.linux.netlink_socket import (
    NetlinkError,
    NetlinkSocket,
    attribute,
    attributes,
    nested_attribute,
    number_attribute,
)

_NETLINK_NETFILTER = 12
_CTNETLINK = 1 << 8
_GET, _DELETE = _CTNETLINK | 1, _CTNETLINK | 2
_TUPLE_ORIG, _TUPLE_REPLY, _FILTER = 1, 2, 25
_TUPLE_IP, _TUPLE_PROTO = 1, 2
# The attribute of the source in a flow of each address family.
_IP_SOURCES = {2: 1, 10: 3}
_FAMILIES = {4: 2, 16: 10}
_PROTO_NUMBER, _PROTO_DESTINATION_PORT = 1, 3
_FILTER_REPLY_FLAGS, _BY_IP_SOURCE = 2, 1 << 0
_UDP = 17
_HEADER = struct.Struct("=BBH")


def forget_udp_flows(host_ports: Collection[int]) -> int:
    """Forget the UDP flows to one of the ports; return how many there were. Idempotent.

    The cost grows with the number of flows on the machine.

    Raises:
        NetlinkError: the kernel refused.
    """
    forgotten = 0
    with NetlinkSocket(_NETLINK_NETFILTER) as kernel:
        for family in _IP_SOURCES:
            header = _HEADER.pack(family, 0, 0)
            for flow in kernel.dump("list flows", _GET, header):
                values = attributes(flow[_HEADER.size :])
                if _is_meant(values, host_ports):
                    _forget(kernel, header, values[_TUPLE_ORIG])
                    forgotten += 1
    return forgotten


def forget_flows_from(addresses: Collection[bytes]) -> int:
    """Forget all flows answered by one of the addresses; return how many there were. Idempotent.

    The addresses are four or sixteen bytes each. The kernel looks for them; the cost is some
    milliseconds, and 20 us for each that is found.

    Raises:
        NetlinkError: the kernel refused.
    """
    forgotten = 0
    with NetlinkSocket(_NETLINK_NETFILTER) as kernel:
        for address in addresses:
            family = _FAMILIES[len(address)]
            header = _HEADER.pack(family, 0, 0)
            source = nested_attribute(_TUPLE_IP, attribute(_IP_SOURCES[family], address))
            wanted = nested_attribute(_TUPLE_REPLY, source) + nested_attribute(
                _FILTER, number_attribute(_FILTER_REPLY_FLAGS, _BY_IP_SOURCE)
            )
            for flow in kernel.dump("list flows", _GET, header + wanted):
                _forget(kernel, header, attributes(flow[_HEADER.size :])[_TUPLE_ORIG])
                forgotten += 1
    return forgotten


def _is_meant(values: Mapping[int, bytes], host_ports: Collection[int]) -> bool:
    protocol = attributes(attributes(values.get(_TUPLE_ORIG, b"")).get(_TUPLE_PROTO, b""))
    if protocol.get(_PROTO_NUMBER) != bytes([_UDP]):
        return False
    return int.from_bytes(protocol.get(_PROTO_DESTINATION_PORT, b""), "big") in host_ports


def _forget(kernel: NetlinkSocket, header: bytes, original: bytes) -> None:
    try:
        kernel.change("forget flow", _DELETE, header + nested_attribute(_TUPLE_ORIG, original))
    except NetlinkError as error:
        if error.errno != errno.ENOENT:
            raise
