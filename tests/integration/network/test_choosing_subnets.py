"""Subnets that the engine chooses: beside what the host reaches, and never for want of trying."""

from __future__ import annotations

from pathlib import Path

from harness.own_host import host, in_own_host, start
from harness.requirements import requires
from harness.rig import Rig
from naru.network.ipam import parse_address_pool
from naru.network.model import NetworkRequest, Pool

pytestmark = requires("root", "ip", "nsenter", "unshare")


def _made(rig: Rig, name: str) -> str:
    return rig.networks.create(NetworkRequest(name=name)).pools[0].subnet


def _beside_routes(rig: Rig) -> None:
    host("ip link add wire type veth peer name end; ip link set wire up; ip link set end up")
    host("ip addr add 172.18.5.1/24 dev wire")
    # A VPN: everything in two halves, one of them without a router, and somebody's network.
    host("ip route add 0.0.0.0/1 via 172.18.5.2")
    host("ip route add 128.0.0.0/1 dev wire")
    host("ip route add 172.17.0.0/16 via 172.18.5.2")
    start(rig, bip=None)
    assert rig.networks.gateway("bridge") == "172.19.0.1"
    assert _made(rig, "one") == "172.20.0.0/16"
    # All that is private lies behind a router: better there than nowhere.
    host("ip route add 172.16.0.0/12 via 172.18.5.2")
    host("ip route add 192.168.0.0/16 via 172.18.5.2")
    assert _made(rig, "two") == "172.17.0.0/16"
    assert _made(rig, "three") == "172.21.0.0/16", "what is on a wire is never taken"


def _from_pools_of_ones_own(rig: Rig) -> None:
    pools = ("base=10.77.0.0/16,size=24", "base=fd77::/16,size=64")
    start(rig, bip=None, ipv6=True, address_pools=tuple(map(parse_address_pool, pools)))
    [bridge] = [network for network in rig.networks.networks() if network.is_default]
    assert [pool.subnet for pool in bridge.pools] == ["10.77.0.0/24", "fd77::/64"]
    made = rig.networks.create(NetworkRequest(name="one", ipv6=True))
    assert [pool.subnet for pool in made.pools] == ["10.77.1.0/24", "fd77:0:0:1::/64"]


def test_subnets_of_both_versions_come_from_the_pools_that_are_configured(tmp_path: Path) -> None:
    in_own_host(_from_pools_of_ones_own, tmp_path)


def _a_configuration_takes_nothing(rig: Rig) -> None:
    start(rig, bip=None)
    assert rig.networks.gateway("bridge") == "172.17.0.1"
    pools = (Pool(subnet="172.17.0.0/16", is_chosen=True),)
    wanted = NetworkRequest(name="only", driver="null", pools=pools, is_configuration=True)
    rig.networks.create(wanted)
    # As after a boot.
    host("ip link del br0")
    start(rig)
    assert rig.networks.gateway("bridge") == "172.17.0.1"


def test_a_configuration_does_not_move_the_default_network(tmp_path: Path) -> None:
    in_own_host(_a_configuration_takes_nothing, tmp_path)


def test_a_vpn_that_takes_everything_leaves_room_for_networks(tmp_path: Path) -> None:
    in_own_host(_beside_routes, tmp_path)
