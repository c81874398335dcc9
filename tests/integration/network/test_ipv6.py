"""IPv6 at parity: addresses, ways out, published ports, and nothing that was not asked for."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from harness.requirements import requires
from naru.errors import InvalidInputError
from naru.network.model import (
    EndpointRequest,
    Network,
    NetworkRequest,
    Pool,
    PortRequest,
    Sandbox,
    SandboxRequest,
)
from naru.network.options import OPTION_MODE6

if TYPE_CHECKING:
    from harness.rig import Rig

pytestmark = requires("root", "ip", "nsenter")

SERVER = """
import socket, sys
server = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6)
print("ready", flush=True)
while True:
    client, peer = server.accept()
    client.sendall(f"{sys.argv[2]} {peer[0]}".encode())
    client.close()
"""


def _serve(rig: Rig, where: Sandbox | str | None, port: int, answer: str) -> None:
    assert rig.start(where, SERVER, str(port), answer).readline() == "ready\n"


def _outside(rig: Rig) -> tuple[str, str, str]:
    """Make another machine with IPv6; returns its name, its address and the host's."""
    name, _, _ = rig.outside()
    number = len(rig.outsides)
    own, host = f"fd77:{number}::2", f"fd77:{number}::1"
    for command in (
        f"ip addr add {host}/64 dev {name} nodad",
        f"ip -n {name} addr add {own}/64 dev eth0 nodad",
        f"ip -n {name} route add default via {host}",
    ):
        subprocess.run(command.split(), check=True)
    return name, own, host


def _network(rig: Rig, name: str = "six", **more: Any) -> Network:
    return rig.networks.create(NetworkRequest(name=name, ipv6=True, **more))


def test_a_network_gets_a_subnet_of_the_engines_own(rig: Rig) -> None:
    first, second = _network(rig, "first"), _network(rig, "second")
    [one], [other] = first.pools_of(6), second.pools_of(6)
    assert one.subnet.startswith("fd")
    assert one.network.prefixlen == 64
    assert not one.network.overlaps(other.network)
    again = rig.again()
    again.start()
    again.restore(())
    assert again.resolve("first") == first


def test_neighbours_and_host_reach_each_other(rig: Rig) -> None:
    network = _network(rig)
    one, other = rig.connect(network="six"), rig.connect(network="six")
    [endpoint] = one.endpoints
    _serve(rig, one, 80, "one")
    assert rig.ask(other, endpoint.ipv6, 80) == f"one {other.endpoints[0].ipv6}"
    gateway = network.pools_of(6)[0].gateway
    assert rig.ask(None, endpoint.ipv6, 80) == f"one {gateway}"
    shown = rig.shell(one, "ip -6 addr show eth0; ip -6 route; sysctl net.ipv6.conf.eth0.accept_ra")
    assert f"inet6 {endpoint.ipv6}/64 scope global nodad" in shown
    assert f"default via {gateway} dev eth0" in shown
    assert "accept_ra = 0" in shown
    assert "::1" in rig.shell(one, "ip -6 addr show lo")


def test_what_goes_out_hides_behind_the_host_and_nothing_comes_in(rig: Rig) -> None:
    _network(rig)
    outside, address, host = _outside(rig)
    box = rig.connect(network="six")
    _serve(rig, outside, 80, "outside")
    _serve(rig, box, 80, "inside")
    assert rig.ask(box, address, 80) == f"outside {host}"
    assert rig.ask(outside, box.endpoints[0].ipv6, 80, patience_s=0.5).startswith("failed")


def test_a_published_port_is_reached_from_everywhere(rig: Rig) -> None:
    _network(rig)
    outside, address, host = _outside(rig)
    box = rig.connect(PortRequest(80), network="six")
    _serve(rig, box, 80, "box")
    four, six = sorted(box.published, key=lambda port: port.version)
    assert (four.host_ip, six.host_ip) == ("0.0.0.0", "::")
    assert four.host_port == six.host_port
    assert rig.ask(outside, host, six.host_port) == f"box {address}"
    assert rig.ask(None, host, six.host_port).startswith("box ")
    assert rig.ask(box, host, six.host_port).startswith("box "), "its own"
    neighbour, stranger = rig.connect(network="six"), rig.connect(network="six")
    assert rig.ask(neighbour, host, six.host_port).startswith("box ")
    _network(rig, "other")
    stranger = rig.connect(network="other")
    assert rig.ask(stranger, host, six.host_port).startswith("box ")
    rig.networks.release(box.container_id)
    assert rig.ask(outside, host, six.host_port, patience_s=0.5).startswith("failed")


def test_a_port_may_be_published_on_one_address(rig: Rig) -> None:
    _network(rig)
    outside, _, host = _outside(rig)
    box = rig.connect(PortRequest(80, host_ip=host), network="six")
    _serve(rig, box, 80, "box")
    [port] = box.published
    assert port.host_ip == host
    assert rig.ask(outside, host, port.host_port).startswith("box ")


def test_networks_are_isolated_and_internal_ones_have_no_way_out(rig: Rig) -> None:
    _network(rig, "one")
    _network(rig, "inner", internal=True)
    outside, address, _ = _outside(rig)
    box, inner = rig.connect(network="one"), rig.connect(network="inner")
    neighbour = rig.connect(network="inner")
    for where, answer in ((box, "box"), (inner, "inner"), (outside, "outside")):
        _serve(rig, where, 80, answer)
    assert rig.ask(neighbour, inner.endpoints[0].ipv6, 80).startswith("inner")
    assert "default" not in rig.shell(inner, "ip -6 route")
    for target in (address, box.endpoints[0].ipv6):
        assert rig.ask(inner, target, 80, patience_s=0.5).startswith("failed")
    assert rig.ask(box, inner.endpoints[0].ipv6, 80, patience_s=0.5).startswith("failed")


def test_a_network_may_have_ipv6_alone(rig: Rig) -> None:
    network = _network(rig, ipv4=False)
    assert [pool.version for pool in network.pools] == [6]
    box = rig.connect(PortRequest(80), network="six")
    assert box.endpoints[0].ipv4 == ""
    assert [port.host_ip for port in box.published] == ["::"]
    assert "inet " not in rig.shell(box, "ip addr show eth0")


def test_routed_ports_are_reached_at_the_containers_address(rig: Rig) -> None:
    _network(rig, options={OPTION_MODE6: "routed"})
    outside, address, host = _outside(rig)
    box = rig.connect(PortRequest(80), network="six")
    _serve(rig, box, 80, "open")
    _serve(rig, box, 81, "shut")
    target = box.endpoints[0].ipv6
    assert rig.ask(outside, target, 80) == f"open {address}"
    assert rig.ask(outside, target, 81, patience_s=0.5).startswith("failed")
    _serve(rig, outside, 80, "outside")
    assert rig.ask(box, address, 80) == f"outside {target}", "without translation"
    published = {port.host_ip: port.host_port for port in box.published}
    assert published["::"] == 0
    assert published["0.0.0.0"] > 0
    assert rig.ask(outside, host, published["0.0.0.0"], patience_s=0.5).startswith("failed")


def test_addresses_may_be_chosen(rig: Rig) -> None:
    pool = Pool(subnet="fd99::/64", gateway="fd99::9", ip_range="fd99::100/120", is_chosen=True)
    _network(rig, pools=(pool,))
    asked = EndpointRequest(network="six", ipv6_address="fd99::77", link_local=("fe80::77",))
    box = rig.networks.open(
        SandboxRequest(container_id="a" * 64, container_name="a", endpoints=(asked,))
    )
    assert box.endpoints[0].ipv6 == "fd99::77"
    assert "fe80::77/64" in rig.shell(box, "ip -6 addr show eth0")
    assert rig.connect(network="six").endpoints[0].ipv6 == "fd99::100"
    with pytest.raises(InvalidInputError, match="no configured subnet or ip-range contain"):
        rig.connect(network="six", ipv6_address="fd98::1")
    with pytest.raises(InvalidInputError, match=r"invalid IPv6 address: 10\.0\.0\.1"):
        rig.connect(network="six", ipv6_address="10.0.0.1")


def test_the_default_bridge_may_have_ipv6(unstarted: Rig) -> None:
    rig = unstarted
    rig.again(ipv6=True, fixed_cidr_v6="fd98:7::/64").start()
    rig.networks.restore(())
    box = rig.connect(PortRequest(80))
    [endpoint] = box.endpoints
    assert (endpoint.ipv6, endpoint.ipv6_gateway) == ("fd98:7::2", "fd98:7::1")
    assert {port.host_ip for port in box.published} == {"0.0.0.0", "::"}
    _serve(rig, box, 80, "box")
    assert rig.ask(None, "fd98:7::2", 80).startswith("box")
    rig.again(ipv6=False).start()
    rig.networks.restore([box.container_id])
    assert rig.networks.sandbox(box.container_id) == box, "not while containers use it"
    rig.networks.release(box.container_id)
    rig.again().start()
    rig.networks.restore(())
    assert rig.connect().endpoints[0].ipv6 == ""
