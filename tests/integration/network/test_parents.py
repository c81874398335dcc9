"""Networks on an interface of the host: macvlan and ipvlan, VLANs, and those that lead nowhere."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.requirements import requires
from naru.errors import FaultError, InvalidInputError, NotSupportedError
from naru.linux.netlink import NewLink, RouteSocket
from naru.network.model import Network, NetworkRequest, Pool
from naru.network.parent import make_link

if TYPE_CHECKING:
    from harness.rig import Rig

pytestmark = requires("root", "ip", "nsenter")


_IPVLAN = pytest.mark.kernel_link("ipvlan")


def _run(*commands: str) -> None:
    for command in commands:
        subprocess.run(command.split(), check=True)


def _parent(rig: Rig) -> tuple[str, str, Pool]:
    """Return an interface, the machine at its other end, and a subnet whose gateway that is."""
    name, _, _ = rig.outside()
    third = 100 + len(rig.outsides)
    _run(f"ip -n {name} addr add 10.251.{third}.1/24 dev eth0")
    pool = Pool(subnet=f"10.251.{third}.0/24", gateway=f"10.251.{third}.1", is_chosen=True)
    return name, name, pool


def _network(rig: Rig, driver: str, parent: str, *pools: Pool, **options: str) -> Network:
    told = {"parent": parent, **options} if parent else options
    return rig.networks.create(
        NetworkRequest(name=f"on-{parent}", driver=driver, pools=pools, options=told)
    )


def _exists(interface: str) -> bool:
    return Path("/sys/class/net", interface).exists()


@pytest.mark.parametrize(
    ("driver", "options"),
    [
        ("macvlan", {}),
        ("macvlan", {"macvlan_mode": "private"}),
        pytest.param("ipvlan", {}, marks=_IPVLAN),
        pytest.param("ipvlan", {"ipvlan_mode": "l2", "ipvlan_flag": "bridge"}, marks=_IPVLAN),
    ],
)
def test_containers_stand_on_the_hosts_interface(
    rig: Rig, driver: str, options: dict[str, Any]
) -> None:
    parent, outside, pool = _parent(rig)
    network = _network(rig, driver, parent, pool, **options)
    one, other = rig.connect(network=network.name), rig.connect(network=network.name)
    rig.serve(outside, 80, "outside")
    rig.serve(one, 80, "one")
    [endpoint] = one.endpoints
    assert rig.ask(one, pool.gateway, 80) == f"outside {endpoint.ipv4}"
    assert rig.ask(outside, endpoint.ipv4, 80) == f"one {pool.gateway}"
    answer = rig.ask(other, endpoint.ipv4, 80, patience_s=0.5)
    assert answer.startswith("failed" if "private" in options.values() else "one ")
    assert f"default via {pool.gateway} dev eth0" in rig.shell(one, "ip route")
    rig.networks.release(one.container_id)
    assert rig.connect(network=network.name).endpoints[0].ipv4 == endpoint.ipv4
    rig.networks.release(other.container_id)
    assert _exists(parent)


def test_an_interface_that_is_passed_through_is_one_containers(rig: Rig) -> None:
    parent, outside, pool = _parent(rig)
    network = _network(rig, "macvlan", parent, pool, macvlan_mode="passthru")
    only = rig.connect(network=network.name)
    rig.serve(outside, 80, "outside")
    assert rig.ask(only, pool.gateway, 80) == f"outside {only.endpoints[0].ipv4}"
    with pytest.raises(FaultError):
        rig.connect(network=network.name)
    rig.networks.release(only.container_id)
    other = rig.connect(network=network.name)
    assert rig.ask(other, pool.gateway, 80) == f"outside {other.endpoints[0].ipv4}"


@_IPVLAN
@pytest.mark.parametrize("mode", ["l3", "l3s"])
def test_an_ipvlan_of_layer_three_sends_everything_through_its_wire(rig: Rig, mode: str) -> None:
    parent, outside, pool = _parent(rig)
    network = _network(rig, "ipvlan", parent, pool, ipvlan_mode=mode)
    box, other = rig.connect(network=network.name), rig.connect(network=network.name)
    assert "default dev eth0 scope link" in rig.shell(box, "ip route")
    rig.serve(outside, 80, "outside")
    rig.serve(other, 80, "other")
    address = box.endpoints[0].ipv4
    assert rig.ask(box, other.endpoints[0].ipv4, 80) == f"other {address}"
    # Layer 3 answers no ARP: the outside has to be told where to send answers.
    link = Path("/sys/class/net", parent, "address").read_text().strip()
    _run(f"ip -n {outside} neigh replace {address} lladdr {link} dev eth0")
    assert rig.ask(box, pool.gateway, 80) == f"outside {address}"
    assert box.endpoints[0].mac_address == ""
    with pytest.raises(InvalidInputError, match="do not support custom mac address"):
        rig.connect(network=network.name, mac_address="02:00:00:00:00:01")


@pytest.mark.kernel_link("vlan")
def test_a_vlan_is_made_shared_and_removed(rig: Rig) -> None:
    parent, outside, _ = _parent(rig)
    _run(
        f"ip -n {outside} link add link eth0 name eth0.20 type vlan id 20",
        f"ip -n {outside} link set eth0.20 up",
        f"ip -n {outside} addr add 10.252.20.1/24 dev eth0.20",
    )
    vlan = f"{parent}.20"
    tagged = Pool(subnet="10.252.20.0/24", gateway="10.252.20.1", is_chosen=True)
    first = _network(rig, "macvlan", vlan, tagged)
    assert _exists(vlan)
    box = rig.connect(network=first.name)
    rig.serve(outside, 80, "tagged")
    assert rig.ask(box, "10.252.20.1", 80).startswith("tagged ")
    second = rig.networks.create(
        NetworkRequest(
            name="second",
            driver="macvlan",
            pools=(Pool(subnet="10.252.21.0/24", is_chosen=True),),
            options={"parent": vlan},
        )
    )
    rig.networks.release(box.container_id)
    rig.networks.remove(first)
    assert _exists(vlan), "another network stands on it"
    rig.networks.remove(rig.networks.resolve(second.id))
    assert not _exists(vlan)
    assert _exists(parent)


def test_a_network_without_a_parent_leads_nowhere(rig: Rig) -> None:
    pool = Pool(subnet="10.252.30.0/24", is_chosen=True)
    network = _network(rig, "macvlan", "", pool)
    dummy = f"dm-{network.id[:12]}"  # or a bridge without ports, where the kernel has no dummies
    assert _exists(dummy)
    one, other = rig.connect(network=network.name), rig.connect(network=network.name)
    rig.serve(one, 80, "one")
    assert rig.ask(other, one.endpoints[0].ipv4, 80).startswith("one ")
    assert "default" not in rig.shell(one, "ip route")
    for box in (one, other):
        rig.networks.release(box.container_id)
    rig.networks.remove(network)
    assert not _exists(dummy)


def test_the_next_engine_takes_them_over(rig: Rig) -> None:
    parent, outside, pool = _parent(rig)
    network = _network(rig, "macvlan", parent, pool)
    box = rig.connect(network=network.name)
    rig.shell(box, "ip link del eth0")
    rig.again().start()
    rig.networks.restore([box.container_id])
    rig.serve(outside, 80, "outside")
    assert rig.ask(box, pool.gateway, 80).startswith("outside ")
    rig.again().start()
    rig.networks.restore(())
    assert not box.netns_path.exists()
    assert rig.networks.resolve(network.id) == network


def test_a_kind_that_the_kernel_lacks_is_named(rig: Rig) -> None:
    with RouteSocket() as kernel, pytest.raises(NotSupportedError) as caught:
        make_link(kernel, NewLink("naru-x", "naru-nosuch-kind"))
    assert caught.value.message == "this kernel has no interfaces of kind naru-nosuch-kind"


@pytest.mark.parametrize(
    ("driver", "options", "message"),
    [
        ("macvlan", {"parent": "naru-nosuch"}, "invalid subinterface vlan name naru-nosuch, exa"),
        ("macvlan", {"parent": "nosuch.4095"}, "vlan id must be between 1-4094, received: 4095"),
        ("macvlan", {"parent": "nosuch.10"}, "interface nosuch of nosuch.10 does not exist"),
        ("macvlan", {"parent": "lo"}, "loopback interface is not a valid macvlan parent link"),
        ("macvlan", {"macvlan_mode": "x"}, "requested macvlan mode 'x' is not valid, 'bridge'"),
        ("ipvlan", {"ipvlan_mode": "x"}, "requested ipvlan mode 'x' is not valid, 'l2' mode"),
        ("ipvlan", {"ipvlan_flag": "x"}, "requested ipvlan flag 'x' is not valid"),
        ("ipvlan", {"macvlan_mode": "vepa"}, "unknown ipvlan option macvlan_mode"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(
    rig: Rig, driver: str, options: dict[str, str], message: str
) -> None:
    with pytest.raises((InvalidInputError, FaultError)) as caught:
        rig.networks.create(NetworkRequest(name="wrong", driver=driver, options=options))
    assert message in caught.value.message
    assert "wrong" not in {network.name for network in rig.networks.networks()}
    assert not rig.database.rows("SELECT * FROM networks WHERE name = 'wrong'")
