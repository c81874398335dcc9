"""IPv6 clients of containers that have IPv4 alone: from the host, from other machines, from nowhere.

Spec: ADR 34.
"""

from __future__ import annotations

import contextlib
import json
import socket
from pathlib import Path

import pytest

from harness.own_host import host, in_own_host, start
from harness.requirements import requires
from harness.rig import Rig
from naru.errors import NotSupportedError
from naru.network.model import (
    EndpointRequest,
    NetworkRequest,
    PortRequest,
    PublishError,
    Sandbox,
    SandboxRequest,
)
from naru.network.options import OPTION_MODE4

pytestmark = requires("root", "ip", "nsenter", "unshare")

PORT, DATAGRAMS = 8080, 8053
# Says who asks, takes all there is, and gives it back backwards; of datagrams one by one.
SERVER = """
import socket, threading
def serve(client, peer):
    client.sendall(peer[0].encode() + b"\\n")
    client.sendall(client.makefile("rb").read()[::-1])
    client.close()
def streams():
    server = socket.create_server(("0.0.0.0", 80))
    while True:
        threading.Thread(target=serve, args=server.accept(), daemon=True).start()
threading.Thread(target=streams).start()
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.bind(("0.0.0.0", 53))
print("ready", flush=True)
while True:
    data, peer = datagrams.recvfrom(65535)
    datagrams.sendto(peer[0].encode() + b" " + data[::-1], peer)
"""
# Sends megabytes while it reads; prints who the server thinks it is, and whether all came back.
STREAM = """
import socket, sys, threading
data = bytes(range(251)) * int(sys.argv[3])
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=10) as link:
        def send():
            link.sendall(data)
            link.shutdown(socket.SHUT_WR)
        threading.Thread(target=send).start()
        answer = link.makefile("rb").read()
        peer, _, rest = answer.partition(b"\\n")
        print(peer.decode(), rest == data[::-1])
except OSError as error:
    print("failed", type(error).__name__)
"""
DATAGRAM = """
import socket, sys
client = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
client.settimeout(float(sys.argv[4]))
# Only who is connected refuses what comes from another address.
client.connect(socket.getaddrinfo(sys.argv[1], int(sys.argv[2]))[0][4])
data = bytes(range(251)) * int(sys.argv[3])
try:
    client.send(data)
    peer, _, rest = client.recv(65535).partition(b" ")
    print(peer.decode(), rest == data[::-1])
except OSError as error:
    print("failed", type(error).__name__)
"""
TO_ALL = """
import socket, sys, time
client = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
client.settimeout(0.5)
client.sendto(b"x", ("ff02::1", int(sys.argv[1]), 0, socket.if_nametoindex("eth0")))
try:
    print("answered", client.recvfrom(100))
except TimeoutError:
    print("silence")
"""
# One after the other, over many that stand.
MANY = """
import socket, sys
links = [socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=10) for _ in range(300)]
for number, link in enumerate(links):
    link.sendall(str(number).encode())
    link.shutdown(socket.SHUT_WR)
answers = [link.makefile("rb").read().split(b"\\n")[1] for link in links]
print(answers == [str(number).encode()[::-1] for number in range(300)])
"""


def _run(rig: Rig, where: str | Sandbox | None, code: str, *words: str) -> str:
    return rig.start(where, code, *words).readline().strip()


def _stream(rig: Rig, where: str | Sandbox | None, address: str, *, size: int = 1) -> str:
    return _run(rig, where, STREAM, address, str(PORT), str(size))


def _datagram(
    rig: Rig, where: str | Sandbox | None, address: str, *, size: int = 1, patience_s: float = 5
) -> str:
    return _run(rig, where, DATAGRAM, address, str(DATAGRAMS), str(size), str(patience_s))


def _served(rig: Rig, host_ip: str = "", network: str = "bridge") -> Sandbox:
    """Start a container that publishes two ports, and has IPv4 alone."""
    box = rig.connect(
        PortRequest(80, "tcp", host_ip, PORT, PORT),
        PortRequest(53, "udp", host_ip, DATAGRAMS, DATAGRAMS),
        network=network,
    )
    assert rig.start(box, SERVER).readline() == "ready\n"
    return box


def _outside(rig: Rig) -> str:
    """Make another machine with IPv6: the host is 2001:db8::1 to it, and 2001:db8::9 as well."""
    name, _, _ = rig.outside()
    host(f"ip addr add 2001:db8::9/64 dev {name} nodad")
    host(f"ip addr add 2001:db8::1/64 dev {name} nodad")
    host(f"ip -n {name} addr add 2001:db8::2/64 dev eth0 nodad")
    return name


def _everything_gets_through(rig: Rig) -> None:
    start(rig)
    outside = _outside(rig)
    box = _served(rig)
    assert {(port.host_ip, port.host_port) for port in box.published} == {
        (address, port) for address in ("0.0.0.0", "::") for port in (PORT, DATAGRAMS)
    }
    fine = f"{rig.gateway} True"
    for where, address in ((outside, "2001:db8::1"), (outside, "2001:db8::9"), (None, "::1")):
        assert _stream(rig, where, address, size=60_000) == fine
        assert _datagram(rig, where, address, size=200) == fine
    link_local = host(f"ip -6 -o addr show dev {rig.outsides[0]} scope link").split()[3][:-3]
    assert _stream(rig, outside, f"{link_local}%eth0") == fine
    assert _datagram(rig, outside, f"{link_local}%eth0") == fine
    assert _run(rig, outside, MANY, "2001:db8::1", str(PORT)) == "True"
    assert _run(rig, outside, TO_ALL, str(DATAGRAMS)) == "silence", "nobody asked this host"


def test_streams_and_datagrams_get_through_whole(tmp_path: Path) -> None:
    in_own_host(_everything_gets_through, tmp_path)


def _ends_and_comes_back(rig: Rig) -> None:
    start(rig)
    box = _served(rig)
    other_box = rig.connect()
    with socket.create_connection(("::1", PORT), timeout=5) as link:
        assert link.recv(100)
        # Another port changes nothing for those that stand.
        ports = [PortRequest(80, "tcp", "", PORT, PORT), PortRequest(81, "tcp", "", 8081, 8081)]
        changed = rig.networks.republish(box.container_id, ports)
        assert ("::", 8081) in {(port.host_ip, port.host_port) for port in changed.published}
        assert _datagram(rig, None, "::1", patience_s=0.3).startswith("failed")
        link.sendall(b"on")
        link.shutdown(socket.SHUT_WR)
        assert link.recv(100) == b"no"
    # The next engine takes up where this one ends; it may be told to let it be.
    rig.networks.republish(box.container_id, ports[:1])
    start(rig)
    assert _stream(rig, None, "::1") == f"{rig.gateway} True"
    start(rig, relays_ports=False)
    assert _stream(rig, None, "::1") == "failed ConnectionRefusedError"
    kept = rig.networks.sandbox(box.container_id)
    assert kept is not None
    assert [port.host_ip for port in kept.published] == ["0.0.0.0"]
    with pytest.raises(NotSupportedError, match="has no IPv6"):
        rig.connect(PortRequest(80, "tcp", "::1", 9090))
    start(rig, relays_ports=True)
    assert _stream(rig, None, "::1") == f"{rig.gateway} True"
    # It ends with the container, and so do those that stand.
    with socket.create_connection(("::1", PORT), timeout=5) as link:
        assert link.recv(100)
        rig.networks.release(box.container_id)
        with contextlib.suppress(ConnectionResetError):
            assert link.recv(100) == b""
    with socket.create_server(("::", PORT), family=socket.AF_INET6):
        pass
    assert rig.networks.sandbox(other_box.container_id) == other_box


def test_relays_end_with_their_container_and_come_back_with_the_engine(tmp_path: Path) -> None:
    in_own_host(_ends_and_comes_back, tmp_path)


def _nobody_who_must_not(rig: Rig) -> None:
    start(rig, asks_host=True)
    outside = _outside(rig)
    # Of one address, only that one.
    loopback = _served(rig, "::1")
    assert _stream(rig, None, "::1") == f"{rig.gateway} True"
    assert _stream(rig, outside, "2001:db8::1") == "failed ConnectionRefusedError"
    rig.networks.release(loopback.container_id)
    ipv4 = _served(rig, "0.0.0.0")
    assert _stream(rig, None, "::1") == "failed ConnectionRefusedError", "of IPv4, no IPv6"
    rig.networks.release(ipv4.container_id)
    # From a network without a way out there is none through here.
    rig.networks.create(NetworkRequest(name="in", ipv6=True, internal=True))
    rig.networks.create(NetworkRequest(name="six", ipv6=True))
    host_inside = rig.networks.resolve("in").pools_of(6)[0].gateway
    inner, six = rig.connect(network="in"), rig.connect(network="six")
    for address in ("", "2001:db8::1"):
        one = _served(rig, address)
        assert _stream(rig, six, "2001:db8::1") == f"{rig.gateway} True"
        rig.shell(inner, f"ip -6 route replace default via {host_inside}")
        for place in {address or host_inside, "2001:db8::1"}:
            assert _run(rig, inner, DATAGRAM, place, str(DATAGRAMS), "1", "0.3").startswith(
                "failed"
            )
            assert rig.ask(inner, place, PORT, patience_s=0.3).startswith("failed")
        rig.networks.release(one.container_id)
    # What the host's own firewall keeps out stays out, and it alone decides.
    _served(rig)
    host("nft add table inet host")
    host("nft add chain inet host input '{ type filter hook input priority 0; }'")
    rule = "nft add rule inet host input ip6 saddr 2001:db8::2 meta l4proto {tcp, udp} th dport"
    host(f"{rule} {{ {PORT}, {DATAGRAMS} }} reject")
    assert _stream(rig, outside, "2001:db8::1") == "failed ConnectionRefusedError"
    assert _datagram(rig, outside, "2001:db8::1", patience_s=0.5).startswith("failed")
    host("nft flush chain inet host input")
    assert _stream(rig, outside, "2001:db8::1") == f"{rig.gateway} True"


def test_relays_let_nobody_in_who_is_to_stay_out(tmp_path: Path) -> None:
    in_own_host(_nobody_who_must_not, tmp_path)


def _moves(rig: Rig) -> None:
    start(rig)
    rig.networks.create(NetworkRequest(name="a6", ipv6=True))
    rig.networks.create(NetworkRequest(name="a4"))
    box = _served(rig, network="a4")
    gateway = rig.networks.gateway("a4")
    assert _stream(rig, None, "::1") == f"{gateway} True"
    ports = (
        PortRequest(80, "tcp", "", PORT, PORT),
        PortRequest(53, "udp", "", DATAGRAMS, DATAGRAMS),
    )
    # With IPv6 of its own, the kernel takes over; the server here knows none.
    six = SandboxRequest(
        container_id=box.container_id,
        container_name="box",
        endpoints=(EndpointRequest(network="a6"),),
        ports=ports,
    )
    rig.networks.connect(six)
    assert "relayed6" not in _elements()
    assert _stream(rig, None, "::1") == "failed ConnectionRefusedError"
    # Without it again, the relay does, to the address that it has now.
    rig.networks.disconnect(box.container_id, rig.networks.resolve("a6").id, ports)
    assert "relayed6" in _elements()
    assert _stream(rig, None, "::1") == f"{gateway} True"
    assert _datagram(rig, None, "::1") == f"{gateway} True"
    rig.networks.disconnect(box.container_id, rig.networks.resolve("a4").id, ports)
    assert _stream(rig, None, "::1") == "failed ConnectionRefusedError"
    # Who is reached at an address of its own needs no port of the host.
    rig.networks.create(NetworkRequest(name="routed", options={OPTION_MODE4: "routed"}))
    routed = rig.connect(PortRequest(80), network="routed")
    assert [port.host_ip for port in routed.published] == ["0.0.0.0"]
    # No relay for what it cannot carry.
    assert {port.host_ip for port in rig.connect(PortRequest(9, "sctp")).published} == {"0.0.0.0"}


def _elements() -> str:
    """Return the names of sets that have elements."""
    listed = host("nft -j list table inet t")
    return " ".join(
        one["set"]["name"]
        for one in json.loads(listed)["nftables"]
        if one.get("set", {}).get("elem")
    )


def test_relays_follow_where_the_container_is(tmp_path: Path) -> None:
    in_own_host(_moves, tmp_path)


def _no_ipv6(rig: Rig) -> None:
    host("sysctl -qw net.ipv6.conf.all.disable_ipv6=1")
    start(rig)
    box = rig.connect(PortRequest(80, host_port=PORT))
    assert [port.host_ip for port in box.published] == ["0.0.0.0"]
    with pytest.raises(PublishError, match=r"listen tcp6 \[::1\]:80: bind: cannot assign"):
        rig.connect(PortRequest(80, "tcp", "::1", 80))


def test_a_host_without_ipv6_publishes_none(tmp_path: Path) -> None:
    in_own_host(_no_ipv6, tmp_path)
