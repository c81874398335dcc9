"""The host as a router between its bridges and the world."""

from __future__ import annotations

import os
from pathlib import Path

from naru.linux.sysctl import set_sysctl, sysctl

_CONF = Path("/proc/sys/net/ipv6/conf")
_FORWARD4 = "net/ipv4/ip_forward"


def is_ipv4_router() -> bool:
    """Say whether the host forwards IPv4 at this moment; anyone may change that."""
    return sysctl(_FORWARD4) == "1"


def become_ipv4_router() -> None:
    """Forward IPv4 between interfaces.

    Raises:
        FaultError: the kernel refused.
    """
    set_sysctl(_FORWARD4, "1")


def become_ipv6_router() -> None:
    """Forward IPv6 between interfaces. Idempotent.

    A router ignores the announcements of other routers, by which many a host has its own
    address and way out; interfaces that listened to them go on doing so.

    Raises:
        FaultError: the kernel refused.
    """
    if not _CONF.exists() or (_CONF / "all/forwarding").read_text().strip() == "1":
        return
    for name in os.listdir(_CONF):
        if name == "all":
            continue
        try:
            listens = (_CONF / name / "accept_ra").read_text().strip() == "1"
        except OSError:
            continue
        if listens:
            set_sysctl(f"net/ipv6/conf/{name}/accept_ra", "2")
    set_sysctl("net/ipv6/conf/all/forwarding", "1")
    set_sysctl("net/ipv6/conf/default/forwarding", "1")
