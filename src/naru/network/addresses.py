"""Addresses and subnets in what users send, read strictly. Pure.

Python reads a scope behind an IPv6 address (`fe80::1%anything`) and prints it again; here it is
refused, for nothing of what users send may reach the firewall's text unread.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from naru.network.model import Address, IpNetwork


def read_address(text: str) -> Address:
    """Read an address.

    Raises:
        ValueError: it is none, or has a scope.
    """
    _refuse_scope(text)
    return ip_address(text)


def read_subnet(text: str, *, strict: bool = True) -> IpNetwork:
    """Read a subnet with its prefix length; unless `strict`, bits of a host may be set.

    Raises:
        ValueError: it is none, or has a scope or no prefix length.
    """
    _refuse_scope(text)
    if "/" not in text:
        raise ValueError(f"{text} has no prefix length")
    return ip_network(text, strict=strict)


def _refuse_scope(text: str) -> None:
    if "%" in text:
        raise ValueError(f"{text} has a scope")
