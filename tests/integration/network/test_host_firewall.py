"""Published ports behind the host's own firewall: real clients, nft and iptables of a host.

Spec: ADR 33.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.own_host import host, in_own_host, start
from harness.requirements import requires
from harness.rig import Rig
from naru.errors import FaultError
from naru.linux import nftables
from naru.network.model import NetworkRequest, PortRequest

pytestmark = requires("root", "ip", "nsenter", "unshare", "iptables")

PORT, CLOSED, DATAGRAMS = 8080, 8081, 8053
STRICT = "sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.default.rp_filter=1"
HOST_TABLE = """
nft -f - <<END
table inet host {
	chain input {
		type filter hook input priority filter; policy drop;
		ct state established,related accept
		iifname lo accept
		meta l4proto ipv6-icmp accept
		jump allowed
	}
	chain allowed {
	}
}
END
"""
SERVER = """
import socket, threading
def serve(port):
    server = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    while True:
        client, peer = server.accept()
        client.sendall(f"tcp {peer[0].removeprefix('::ffff:')}".encode())
        client.close()
def echo(port):
    server = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    server.bind(("::", port))
    while True:
        data, peer = server.recvfrom(65535)
        server.sendto(f"udp {peer[0].removeprefix('::ffff:')}".encode(), peer)
for each, port in ((serve, 80), (serve, 81), (echo, 53)):
    threading.Thread(target=each, args=(port,)).start()
print("ready", flush=True)
"""


def _served(rig: Rig, *, network: str) -> None:
    """Start a container that publishes three ports."""
    box = rig.connect(
        PortRequest(80, host_port=PORT),
        PortRequest(81, host_port=CLOSED),
        PortRequest(53, "udp", host_port=DATAGRAMS),
        networks=[{"network": network}],
    )
    assert rig.start(box, SERVER).readline() == "ready\n"


def _outside(rig: Rig) -> tuple[str, str, str]:
    """Make another machine with IPv6, too; returns its name and the host's addresses for it."""
    name, _, host4 = rig.outside()
    host(f"ip addr add 2001:db8::1/64 dev {name} nodad")
    host(f"ip -n {name} addr add 2001:db8::2/64 dev eth0 nodad")
    return name, host4, "2001:db8::1"


def _is_closed(rig: Rig, where: str, address: str, port: int = PORT, *, udp: bool = False) -> bool:
    return rig.ask(where, address, port, udp=udp, patience_s=0.4).startswith("failed")


def _input_decides(rig: Rig) -> None:
    host(STRICT)
    start(rig, asks_host=True)
    rig.networks.create(NetworkRequest(name="six", ipv6=True))
    _served(rig, network="six")
    outside, host4, host6 = _outside(rig)
    answer4, answer6 = f"tcp {host4[:-1]}{int(host4[-1]) + 1}", "tcp 2001:db8::2"
    other = rig.connect(networks=[{"network": "six"}])

    assert rig.ask(outside, host4, PORT) == answer4, "a host without a firewall lets all in"
    assert rig.ask(outside, host6, PORT, patience_s=5) == answer6

    host(HOST_TABLE)
    for address in (host4, host6):
        assert _is_closed(rig, outside, address)
        assert _is_closed(rig, outside, address, DATAGRAMS, udp=True)
    # The host itself and containers are not outside.
    for address in ("127.0.0.1", host4):
        assert rig.ask(None, address, PORT).startswith("tcp ")
    assert rig.ask(other, host4, PORT).startswith("tcp ")

    host(f"nft add rule inet host allowed tcp dport {PORT} accept")
    host(f"nft add rule inet host allowed udp dport {DATAGRAMS} ip saddr {answer4[4:]} accept")
    assert rig.ask(outside, host4, PORT) == answer4, "and is told who asks"
    assert rig.ask(outside, host6, PORT) == answer6
    assert rig.ask(outside, host4, DATAGRAMS, udp=True) == answer4.replace("tcp", "udp")
    assert _is_closed(rig, outside, host6, DATAGRAMS, udp=True)
    assert _is_closed(rig, outside, host4, CLOSED)

    # A rule that is gone holds for the next connection.
    host("nft flush chain inet host allowed")
    assert _is_closed(rig, outside, host4)


def test_the_hosts_own_rules_decide_who_comes_in(tmp_path: Path) -> None:
    in_own_host(_input_decides, tmp_path)


def _iptables_decides(rig: Rig) -> None:
    start(rig, asks_host=True)
    _served(rig, network="bridge")
    outside, host4, _ = _outside(rig)
    # As ufw has it: what is not allowed is dropped, one thing is rejected.
    host("iptables -P INPUT DROP")
    host("iptables -A INPUT -m conntrack --ctstate INVALID -j DROP")
    host("iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT")
    host(f"iptables -A INPUT -p tcp --dport {CLOSED} -j REJECT --reject-with tcp-reset")
    assert _is_closed(rig, outside, host4)
    assert rig.ask(outside, host4, CLOSED) == "failed ConnectionRefusedError"
    host(f"iptables -A INPUT -p tcp --dport {PORT} -j ACCEPT")
    assert rig.ask(outside, host4, PORT).startswith("tcp ")
    # What is let in still has to be let through, where the host's policy says so.
    assert rig.networks.hindrances() == []
    host("iptables -P FORWARD DROP")
    assert _is_closed(rig, outside, host4)
    [warning] = rig.networks.hindrances()
    for command in re.findall("'(iptables .*?)'", warning):
        host(command)
    assert rig.ask(outside, host4, PORT).startswith("tcp ")
    assert rig.networks.hindrances() == []
    # So must what the host sends by itself, for the first packet of each connection.
    host("iptables -P OUTPUT DROP")
    assert _is_closed(rig, outside, host4)
    assert len(rig.networks.hindrances()) == 1
    host("iptables -A OUTPUT -o br0-out -j ACCEPT")
    assert rig.ask(outside, host4, PORT).startswith("tcp ")
    assert rig.networks.hindrances() == []
    rules = host("iptables-save")
    start(rig, asks_host=False)
    assert rig.ask(outside, host4, CLOSED).startswith("tcp "), "the policy is open again"
    assert not nftables.structure_text("ip", "t")
    assert "br0-in" not in host("ip link")
    assert host("iptables-save").splitlines()[1:-1] == rules.splitlines()[1:-1], "untouched"


def test_rules_of_iptables_count_as_well_and_stay_untouched(tmp_path: Path) -> None:
    in_own_host(_iptables_decides, tmp_path)


def _isolation_stays(rig: Rig) -> None:
    start(rig, asks_host=True, icc=False)
    rig.networks.create(NetworkRequest(name="inner", internal=True))
    _served(rig, network="bridge")
    outside, host4, _ = _outside(rig)
    neighbour = rig.connect()
    shut_in = rig.connect(networks=[{"network": "inner"}])
    for box in (neighbour, shut_in):
        for address in (host4, rig.gateway, rig.networks.gateway("inner")):
            assert rig.ask(box, address, PORT, patience_s=0.3).startswith("failed"), address
    assert rig.ask(outside, host4, PORT).startswith("tcp ")


def test_containers_that_may_not_meet_do_not_meet_through_the_host(tmp_path: Path) -> None:
    in_own_host(_isolation_stays, tmp_path)


def _mended(rig: Rig) -> None:
    start(rig, asks_host=True)
    _served(rig, network="bridge")
    outside, host4, _ = _outside(rig)
    host(HOST_TABLE)
    host(f"nft add rule inet host allowed tcp dport {PORT} accept")
    tables = "nft list table inet t; nft list table ip t; nft list table ip6 t"
    before = sorted(host(tables).splitlines())
    for damage in (
        "nft flush chain ip t turnstile",
        "nft delete table ip t",
        "nft flush chain inet t turnstile",
        "nft flush set inet t asked",
        "ip link del br0-in",
        "ip addr flush dev br0-in; ip link set br0-out down",
    ):
        host(damage)
        assert _is_closed(rig, outside, host4), f"{damage}: nobody comes in unasked"
        start(rig, asks_host=True)
        assert rig.ask(outside, host4, PORT).startswith("tcp "), damage
        assert _is_closed(rig, outside, host4, CLOSED)
    assert sorted(host(tables).splitlines()) == before


def _names_are_taken(rig: Rig) -> None:
    host("ip link add br0-out type bridge")
    with pytest.raises(FaultError, match="interface br0-out is there already"):
        start(rig, asks_host=True)
    start(rig, asks_host=False)
    assert "br0-out" in host("ip link"), "it is somebody else's"


def test_an_interface_of_somebody_elses_stays(tmp_path: Path) -> None:
    in_own_host(_names_are_taken, tmp_path)


def test_what_somebody_broke_lets_nobody_in_and_is_mended(tmp_path: Path) -> None:
    in_own_host(_mended, tmp_path)


def _open_to_all(rig: Rig) -> None:
    start(rig)
    _served(rig, network="bridge")
    outside, host4, _ = _outside(rig)
    host(HOST_TABLE)
    assert rig.ask(outside, host4, PORT).startswith("tcp "), "as with Docker"
    host(
        "nft add table inet router; "
        "nft add chain inet router through '{ type filter hook forward priority 0; policy drop; }'"
    )
    assert _is_closed(rig, outside, host4)
    [warning] = rig.networks.hindrances()
    for command in re.findall("'(nft .*?)'", warning):
        host(command)
    assert rig.ask(outside, host4, PORT).startswith("tcp ")
    assert rig.networks.hindrances() == []
    rig.networks.create(NetworkRequest(name="later"))
    assert rig.networks.hindrances() == [], "networks to come are let through as well"


def test_an_open_policy_needs_the_host_to_forward_and_says_so(tmp_path: Path) -> None:
    in_own_host(_open_to_all, tmp_path)
