"""What the options of a bridge network do to real packets."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from harness.requirements import requires
from naru.errors import ForbiddenError, InvalidInputError
from naru.linux.netlink import RouteSocket
from naru.network import options as words
from naru.network.model import Network, NetworkRequest, PortRequest

if TYPE_CHECKING:
    from harness.rig import Rig

pytestmark = requires("root", "ip", "nsenter")


def _network(rig: Rig, name: str = "net", **request: Any) -> Network:
    return rig.networks.create(NetworkRequest(name=name, **request))


def _refused(answer: str) -> bool:
    return answer.startswith("failed")


def test_without_icc_only_links_reach_a_neighbour(rig: Rig) -> None:
    _network(rig, options={words.OPTION_ICC: "false"})
    server, stranger = rig.connect(network="net"), rig.connect(network="net")
    address = server.endpoints[0].ipv4
    linked = rig.connect(network="net", reaches=((address, "80/tcp"),))
    rig.serve(server, 80, "open")
    rig.serve(server, 81, "shut")
    assert _refused(rig.ask(stranger, address, 80, patience_s=0.5))
    assert rig.ask(linked, address, 80) == f"open {linked.endpoints[0].ipv4}"
    assert _refused(rig.ask(linked, address, 81, patience_s=0.5))
    rig.again().start()
    rig.networks.restore([box.container_id for box in (server, stranger, linked)])
    assert rig.ask(linked, address, 80).startswith("open")
    network_id = linked.endpoints[0].network_id
    rig.networks.relink(linked.container_id, network_id, ())
    assert _refused(rig.ask(linked, address, 80, patience_s=0.5))


def test_routed_mode_needs_no_translation_and_opens_published_ports_alone(rig: Rig) -> None:
    _network(rig, options={words.OPTION_MODE4: "routed"})
    outside, own, _ = rig.outside()
    box = rig.connect(PortRequest(80), network="net")
    rig.serve(box, 80, "open")
    rig.serve(box, 81, "shut")
    rig.serve(outside, 80, "outside")
    [endpoint] = box.endpoints
    assert rig.ask(outside, endpoint.ipv4, 80) == f"open {own}"
    assert _refused(rig.ask(outside, endpoint.ipv4, 81, patience_s=0.5))
    assert rig.ask(box, own, 80) == f"outside {endpoint.ipv4}"
    assert [port.host_port for port in box.published] == [0]
    other = _network(rig, "other")
    assert _refused(rig.ask(rig.connect(network=other.name), endpoint.ipv4, 81, patience_s=0.5))


def test_an_unprotected_network_is_reached_directly_and_hides_all_the_same(rig: Rig) -> None:
    _network(rig, options={words.OPTION_MODE4: "nat-unprotected"})
    outside, own, host = rig.outside()
    box = rig.connect(network="net")
    rig.serve(box, 81, "open")
    rig.serve(outside, 80, "outside")
    assert rig.ask(outside, box.endpoints[0].ipv4, 81) == f"open {own}"
    assert rig.ask(box, own, 80) == f"outside {host}"


def test_a_trusted_interface_reaches_published_ports_directly(rig: Rig) -> None:
    trusted, own, _ = rig.outside()
    other, _, _ = rig.outside()
    _network(rig, options={words.OPTION_TRUSTED: trusted})
    box = rig.connect(PortRequest(80), network="net")
    rig.serve(box, 80, "box")
    address = box.endpoints[0].ipv4
    assert rig.ask(trusted, address, 80) == f"box {own}"
    assert _refused(rig.ask(other, address, 80, patience_s=0.5))
    assert rig.ask(None, "127.0.0.1", box.published[0].host_port).startswith("box")


def test_an_isolated_network_has_no_host_in_it(rig: Rig) -> None:
    network = _network(rig, internal=True, options={words.OPTION_MODE4: "isolated"})
    with RouteSocket() as kernel:
        bridge = kernel.link(f"br-{network.id[:12]}")
        assert bridge is not None
        assert not [one for index, one in kernel.addresses() if index == bridge.index]
    one, other = rig.connect(network="net"), rig.connect(network="net")
    rig.serve(one, 80, "one")
    assert rig.ask(other, one.endpoints[0].ipv4, 80).startswith("one")


def test_addresses_of_the_host_may_be_chosen(rig: Rig) -> None:
    outside, own, host = rig.outside()
    second = host.rsplit(".", 1)[0] + ".251"
    subprocess.run(["ip", "addr", "add", f"{second}/32", "dev", outside], check=True)
    _network(rig, options={words.OPTION_SOURCE4: second, words.OPTION_HOST_IP: "127.0.0.1"})
    subprocess.run(["ip", "-n", outside, "route", "replace", second, "via", host], check=True)
    box = rig.connect(PortRequest(80), network="net")
    rig.serve(outside, 80, "outside")
    rig.serve(box, 80, "box")
    assert rig.ask(box, own, 80) == f"outside {second}"
    [port] = box.published
    assert port.host_ip == "127.0.0.1"
    assert rig.ask(None, "127.0.0.1", port.host_port).startswith("box")
    assert _refused(rig.ask(outside, host, port.host_port, patience_s=0.5))


def test_without_masquerading_a_container_shows_its_own_address(rig: Rig) -> None:
    _network(rig, options={words.OPTION_MASQUERADE: "false"})
    outside, own, _ = rig.outside()
    box = rig.connect(network="net")
    rig.serve(outside, 80, "outside")
    assert rig.ask(box, own, 80) == f"outside {box.endpoints[0].ipv4}"


def test_names_sizes_and_settings_of_interfaces(rig: Rig) -> None:
    bridge = f"nb{rig.config.bridge[2:]}"
    _network(
        rig,
        options={
            words.OPTION_BRIDGE: bridge,
            words.OPTION_MTU: "1280",
            words.OPTION_PREFIX: "lan",
        },
    )
    sysctls = {words.ENDPOINT_SYSCTLS: "net.ipv4.conf.IFNAME.log_martians=1"}
    box = rig.connect(network="net", driver_options=sysctls)
    named = rig.connect(network="net", driver_options={words.ENDPOINT_INTERFACE: "up7"})
    assert "mtu 1280" in rig.shell(box, "ip link show lan0")
    assert rig.shell(box, "cat /proc/sys/net/ipv4/conf/lan0/log_martians") == "1\n"
    assert "up7" in rig.shell(named, "ip link show up7")
    with RouteSocket() as kernel:
        link = kernel.link(bridge)
    assert link is not None
    assert link.mtu == 1280
    with pytest.raises(ForbiddenError, match="networks have same bridge name"):
        _network(rig, "again", options={words.OPTION_BRIDGE: bridge})
    with pytest.raises(InvalidInputError, match="unknown endpoint option"):
        rig.connect(network="net", driver_options={"com.docker.network.endpoint.nosuch": "1"})


def test_a_bridge_of_the_administrators_own_stays(rig: Rig) -> None:
    bridge = f"na{rig.config.bridge[2:]}"
    subprocess.run(["ip", "link", "add", bridge, "type", "bridge"], check=True)
    try:
        network = _network(rig, options={words.OPTION_BRIDGE: bridge})
        rig.networks.release(rig.connect(network="net").container_id)
        rig.networks.remove(network)
        with RouteSocket() as kernel:
            assert kernel.link(bridge) is not None
    finally:
        subprocess.run(["ip", "link", "del", bridge], check=True)


def test_the_way_out_is_the_one_with_the_highest_priority(rig: Rig) -> None:
    for name in ("a", "b"):
        _network(rig, name)
    one = rig.connect(networks=({"network": "a"}, {"network": "b", "gateway_priority": 7}))
    assert f"default via {one.endpoints[1].gateway} dev eth1" in rig.shell(one, "ip route")
    other = rig.connect(networks=({"network": "b"}, {"network": "a"}))
    assert f"default via {other.endpoints[1].gateway} dev eth1" in rig.shell(other, "ip route")
