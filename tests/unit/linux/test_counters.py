"""Counters of the machine and of interfaces."""

from __future__ import annotations

import os

from naru.linux import counters

_STAT = (
    "cpu  100 20 30 4000 50 6 7 800 9 10\n"
    "cpu0 50 10 15 2000 25 3 3 400 4 5\n"
    "cpu1 50 10 15 2000 25 3 4 400 5 5\n"
    "intr 12345 0 0\nctxt 99\n"
)
_NET_DEV = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:   99999      99    0    0    0     0          0         0    99999      99    0    0    0     0       0          0
  eth0: 5338      36    1    2    0     0          0         0     648       8    3    4    0     0       0          0
"""


def test_time_of_guests_is_not_counted_twice() -> None:
    total_ns, online = counters.machine_cpu(_STAT)
    assert total_ns == 4213 * 10**9 // os.sysconf("SC_CLK_TCK")
    assert online == 2


def test_loopback_is_not_traffic() -> None:
    found = counters.parse_interfaces(_NET_DEV)
    assert found == {"eth0": counters.InterfaceCounters(5338, 36, 1, 2, 648, 8, 3, 4)}


def test_a_process_that_is_gone_has_no_interfaces() -> None:
    assert counters.interfaces_of(2**22 + 1) == {}
