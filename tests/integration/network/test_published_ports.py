"""Published ports, from everywhere that they must be reachable from, and from where not."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.ports import free_port
from harness.requirements import requires
from harness.waiting import eventually
from naru.errors import InvalidInputError
from naru.linux import nftables
from naru.network.model import PortRequest, Protocol, PublishError

if TYPE_CHECKING:
    from harness.rig import Rig

pytestmark = requires("root", "ip", "nsenter")


# Sends from one and the same port, twenty times a second.
PERSISTENT_CLIENT = """
import socket, sys, time
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(0.05)
client.connect((sys.argv[1], int(sys.argv[2])))
for _ in range(2000):
    try:
        client.send(b"x")
        print(client.recv(100).decode())
    except OSError:
        print("nothing")
    time.sleep(0.05)
"""


def test_a_port_is_reachable_from_everywhere(rig: Rig) -> None:
    port = free_port()
    server, client = rig.connect(PortRequest(80, host_port=port)), rig.connect()
    rig.serve(server, 80, "hello")
    outside, outside_address, host_address = rig.outside()
    assert rig.ask(None, "127.0.0.1", port) == f"hello {rig.gateway}"
    assert rig.ask(None, host_address, port) == f"hello {host_address}"
    assert rig.ask(outside, host_address, port) == f"hello {outside_address}"
    assert rig.ask(client, rig.gateway, port).startswith("hello")
    assert rig.ask(client, host_address, port).startswith("hello")
    assert rig.ask(server, rig.gateway, port).startswith("hello"), "hairpin to itself"
    assert rig.ask(server, host_address, port).startswith("hello")


def test_a_udp_port_is_reachable_from_everywhere(rig: Rig) -> None:
    port = free_port(socket.SOCK_DGRAM)
    server, client = rig.connect(PortRequest(53, "udp", host_port=port)), rig.connect()
    rig.serve(server, 53, "datagram", udp=True)
    outside, outside_address, host_address = rig.outside()
    assert rig.ask(None, "127.0.0.1", port, udp=True) == f"datagram {rig.gateway}"
    assert rig.ask(outside, host_address, port, udp=True) == f"datagram {outside_address}"
    assert rig.ask(client, host_address, port, udp=True).startswith("datagram")


def test_what_is_not_published_is_not_reachable_from_outside(rig: Rig) -> None:
    server = rig.connect(PortRequest(80, host_port=free_port()))
    rig.serve(server, 80, "published")
    rig.serve(server, 81, "hidden")
    outside, _, _ = rig.outside()
    address = server.endpoints[0].ipv4
    assert rig.ask(outside, address, 81, patience_s=0.5).startswith("failed")
    assert rig.ask(outside, address, 80, patience_s=0.5).startswith("failed"), "not past the host"
    assert rig.ask(None, address, 81).startswith("hidden"), "the host itself may"


def test_a_port_on_loopback_is_the_hosts_alone(rig: Rig) -> None:
    port = free_port()
    server, client = rig.connect(PortRequest(80, "tcp", "127.0.0.1", port)), rig.connect()
    rig.serve(server, 80, "private")
    outside, _, host_address = rig.outside()
    assert rig.ask(None, "127.0.0.1", port).startswith("private")
    assert rig.ask(outside, host_address, port, patience_s=0.5).startswith("failed")
    rig.shell(outside, f"ip route add 127.0.0.1/32 via {host_address} table main || true")
    rig.shell(
        outside, "sysctl -qw net.ipv4.conf.all.route_localnet=1; ip addr del 127.0.0.1/8 dev lo"
    )
    assert rig.ask(outside, "127.0.0.1", port, patience_s=0.5).startswith("failed")
    assert rig.ask(client, rig.gateway, port, patience_s=0.5).startswith("failed")


def test_a_container_cannot_reach_the_hosts_loopback(rig: Rig) -> None:
    port = free_port()
    rig.serve(None, port, "secret")
    box = rig.connect()
    rig.shell(
        box,
        "sysctl -qw net.ipv4.conf.all.route_localnet=1; ip addr del 127.0.0.1/8 dev lo; "
        f"ip route del local 127.0.0.0/8 table local 2>/dev/null; "
        f"ip route add 127.0.0.0/8 via {rig.gateway}",
    )
    assert rig.ask(box, "127.0.0.1", port, patience_s=0.5).startswith("failed")


def test_one_address_of_the_host_is_published_alone(rig: Rig) -> None:
    port = free_port()
    _, _, host_address = rig.outside()
    server = rig.connect(PortRequest(80, "tcp", host_address, port))
    rig.serve(server, 80, "one")
    assert rig.ask(None, host_address, port).startswith("one")
    assert rig.ask(None, "127.0.0.1", port, patience_s=0.5) == "failed ConnectionRefusedError"


def test_containers_reach_other_machines_as_the_host(rig: Rig) -> None:
    box = rig.connect()
    outside, outside_address, host_address = rig.outside()
    assert rig.ask(box, outside_address, 1, patience_s=1) == "failed ConnectionRefusedError"
    rig.serve(outside, 7000, "outside")
    assert rig.ask(box, outside_address, 7000) == f"outside {host_address}"


def test_random_ports_are_the_kernels_and_differ(rig: Rig) -> None:
    text = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text()
    first, last = map(int, text.split())
    box = rig.connect(*(PortRequest(port) for port in range(80, 90)))
    numbers = [port.host_port for port in box.published]
    assert len(set(numbers)) == 10
    assert all(first <= number <= last for number in numbers)


def test_a_range_gives_the_firstfree_port(rig: Rig) -> None:
    port = free_port(count=3)
    with socket.create_server(("127.0.0.1", port)):
        first = rig.connect(PortRequest(80, host_port=port, host_port_end=port + 2))
    second = rig.connect(PortRequest(80, host_port=port, host_port_end=port + 2))
    third = rig.connect(PortRequest(80, host_port=port, host_port_end=port + 2))
    assert [box.published[0].host_port for box in (first, second, third)] == [
        port + 1,
        port,
        port + 2,
    ]
    with pytest.raises(PublishError, match=r": all ports are allocated$"):
        rig.connect(PortRequest(80, host_port=port, host_port_end=port + 2))


def test_a_port_of_another_container_is_refused_in_dockers_words(rig: Rig) -> None:
    port = free_port()
    box = rig.connect(PortRequest(80, host_port=port))
    text = (
        r"^driver failed programming external connectivity on endpoint web \([0-9a-f]{64}\): "
        rf"Bind for 0\.0\.0\.0:{port} failed: port is already allocated$"
    )
    with pytest.raises(PublishError, match=text):
        rig.connect(PortRequest(80, host_port=port), name="web")
    rig.networks.release(box.container_id)
    assert rig.connect(PortRequest(80, host_port=port)).published[0].host_port == port


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_port_of_another_program_is_refused_in_dockers_words(
    rig: Rig, protocol: Protocol
) -> None:
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    port = free_port(kind)
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", port))
        if protocol == "tcp":
            other.listen()
        text = rf": listen {protocol}4 0\.0\.0\.0:{port}: bind: address already in use$"
        with pytest.raises(PublishError, match=text):
            rig.connect(PortRequest(80, protocol, host_port=port))
    assert not rig.database.rows("SELECT * FROM endpoints")


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_another_program_cannot_take_a_published_port(rig: Rig, kind: socket.SocketKind) -> None:
    port = free_port(kind)
    protocol: Protocol = "tcp" if kind is socket.SOCK_STREAM else "udp"
    rig.connect(PortRequest(80, protocol, host_port=port))
    with socket.socket(socket.AF_INET, kind) as other:
        if protocol == "tcp":
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="Address already in use"):
            other.bind(("0.0.0.0", port))


def test_an_address_that_the_host_lacks_is_refused(rig: Rig) -> None:
    with pytest.raises(PublishError, match=r"203.0.113.9:8080: bind: cannot assign requested"):
        rig.connect(PortRequest(80, "tcp", "203.0.113.9", 8080))
    with pytest.raises(InvalidInputError, match=r"invalid IP address: nope"):
        rig.connect(PortRequest(80, "tcp", "nope", 8080))


def test_all_ports_of_a_container_are_published_or_none(rig: Rig) -> None:
    port = free_port(count=2)
    with socket.create_server(("0.0.0.0", port + 1)), pytest.raises(PublishError):
        rig.connect(
            PortRequest(80, host_port=port),
            PortRequest(81, host_port=port + 1),
        )
    with socket.create_server(("0.0.0.0", port)):
        pass


def test_a_client_that_sent_before_reaches_the_container_afterwards(rig: Rig) -> None:
    port = free_port(socket.SOCK_DGRAM)
    outside, _, host_address = rig.outside()
    lines = rig.start(outside, PERSISTENT_CLIENT, host_address, str(port))
    assert lines.readline() == "nothing\n"
    first = rig.connect(PortRequest(53, "udp", host_port=port))
    rig.serve(first, 53, "first", udp=True)
    assert any(line.startswith("first") for line in lines)
    rig.networks.release(first.container_id)
    second = rig.connect(PortRequest(53, "udp", host_port=port))
    rig.serve(second, 53, "second", udp=True)
    assert any(line.startswith("second") for line in lines)


def test_a_table_that_somebody_flushed_comes_back_with_the_next_container(rig: Rig) -> None:
    first = rig.connect(PortRequest(80))
    rig.serve(first, 80, "first")
    nftables.run(f"delete table inet {rig.config.table}")
    rig.connect(PortRequest(81))
    assert rig.ask(None, "127.0.0.1", first.published[0].host_port).startswith("first")
    nftables.run(f"delete table inet {rig.config.table}")
    rig.networks.release(first.container_id)
    eventually(lambda: nftables.structure_text("inet", rig.config.table), "the table is back")
