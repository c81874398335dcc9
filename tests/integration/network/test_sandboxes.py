"""What a container finds in its network namespace, and how it comes and goes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from harness.ports import free_port
from harness.requirements import requires
from harness.waiting import eventually
from naru import faults
from naru.errors import FaultError, InvalidInputError, NotFoundError
from naru.linux.netlink import RouteSocket
from naru.network.model import PortRequest, SandboxRequest
from naru.network.plan import link_name

if TYPE_CHECKING:
    from harness.rig import Rig

pytestmark = requires("root", "ip", "nsenter")


def _links(rig: Rig) -> set[str]:
    with RouteSocket() as kernel:
        bridge = kernel.link(rig.config.bridge)
        assert bridge is not None
        return {link.name for link in kernel.links() if link.master == bridge.index}


def test_a_container_has_its_address_and_a_way_out(rig: Rig) -> None:
    box = rig.connect()
    (endpoint,) = box.endpoints
    addresses = rig.shell(box, "ip -o -4 addr; ip route; ip link show eth0")
    assert f"inet {endpoint.ipv4}/{endpoint.prefix_length} " in addresses
    assert "inet 127.0.0.1/8" in addresses
    assert f"default via {rig.gateway} dev eth0" in addresses
    assert endpoint.mac_address in addresses
    assert endpoint.gateway == rig.gateway


def test_a_container_has_no_ipv6(rig: Rig) -> None:
    box = rig.connect()
    assert "inet6" not in rig.shell(box, "ip addr")
    assert rig.shell(box, "cat /proc/sys/net/ipv6/conf/all/disable_ipv6") == "1\n"


def test_network_none_has_loopback_alone(rig: Rig) -> None:
    box = rig.connect(PortRequest(80), network="none")
    assert rig.shell(box, "ls /sys/class/net || true; ip -o link").count("lo") >= 1
    assert "eth0" not in rig.shell(box, "ip -o link")
    assert box.endpoints[0].ipv4 == ""
    assert box.published == ()
    rig.networks.release(box.container_id)
    assert not box.netns_path.exists()


def test_neighbours_and_host_reach_each_other(rig: Rig) -> None:
    first, second = rig.connect(), rig.connect()
    rig.serve(first, 80, "first")
    address = first.endpoints[0].ipv4
    assert rig.ask(second, address, 80) == f"first {second.endpoints[0].ipv4}"
    assert rig.ask(None, address, 80) == f"first {rig.gateway}"


def test_without_icc_neighbours_do_not_reach_each_other(unstarted: Rig) -> None:
    rig = unstarted
    rig.again(icc=False).start()
    rig.networks.restore(())
    first, second = rig.connect(), rig.connect()
    rig.serve(first, 80, "first")
    assert rig.ask(second, first.endpoints[0].ipv4, 80, patience_s=0.5).startswith("failed")
    rig.shell(second, f"ip route add {first.endpoints[0].ipv4}/32 via {rig.gateway}")
    assert rig.ask(second, first.endpoints[0].ipv4, 80, patience_s=0.5).startswith("failed")
    assert rig.ask(None, first.endpoints[0].ipv4, 80).startswith("first")


def test_networks_are_found_by_name_id_and_start_of_an_id(rig: Rig) -> None:
    networks = {network.name: network for network in rig.networks.networks()}
    assert {name: one.driver for name, one in networks.items()} == {
        "bridge": "bridge",
        "host": "host",
        "none": "null",
    }
    bridge = networks["bridge"]
    assert bridge.is_builtin
    assert bridge.options["com.docker.network.bridge.name"] == rig.config.bridge
    for text in ("bridge", "default", "", bridge.id, bridge.id[:12]):
        assert rig.networks.resolve(text) == bridge
    with pytest.raises(NotFoundError, match=r"^network zz not found$"):
        rig.networks.resolve("zz")


def test_a_container_that_restarts_gets_a_new_sandbox_at_once(rig: Rig) -> None:
    request = SandboxRequest(
        container_id="d" * 64, container_name="d", ports=(PortRequest(80, host_port=free_port()),)
    )
    for _ in range(5):
        box = rig.networks.open(request)
        rig.serve(box, 80, "again")
        assert rig.ask(None, "127.0.0.1", box.published[0].host_port).startswith("again")
        rig.networks.release(box.container_id)


def test_connect_twice_gives_the_same_sandbox(rig: Rig) -> None:
    request = SandboxRequest(container_id="a" * 64, container_name="a", ports=(PortRequest(80),))
    assert rig.networks.open(request) == rig.networks.open(request)
    assert rig.networks.sandbox("a" * 64) == rig.networks.open(request)


def test_release_leaves_nothing_and_is_harmless_twice(rig: Rig) -> None:
    box = rig.connect(PortRequest(80), PortRequest(53, "udp"))
    wire = link_name(box.endpoints[0].endpoint_id)
    assert wire in _links(rig)
    rig.networks.release(box.container_id)
    rig.networks.release(box.container_id)
    assert rig.networks.sandbox(box.container_id) is None
    assert not box.netns_path.exists()
    eventually(lambda: wire not in _links(rig), "the wire is gone")
    eventually(lambda: not rig.database.rows("SELECT * FROM endpoints"), "no row")
    assert not rig.database.rows("SELECT * FROM published_ports")


def test_an_address_is_not_given_away_while_a_process_stays_in_the_namespace(rig: Rig) -> None:
    box = rig.connect()
    rig.serve(box, 80, "stays")
    rig.networks.release(box.container_id)
    next_box = rig.connect()
    wire = link_name(box.endpoints[0].endpoint_id)
    # The engine cuts it after a third of a second, which a busy machine may have spent by now.
    assert next_box.endpoints[0].ipv4 != box.endpoints[0].ipv4 or wire not in _links(rig)
    eventually(lambda: wire not in _links(rig), "the wire is cut")
    eventually(
        lambda: box.endpoints[0].ipv4 not in {e["ipv4"] for e in _endpoint_rows(rig)},
        "the address is free",
    )


def _endpoint_rows(rig: Rig) -> list[dict[str, object]]:
    return [dict(row) for row in rig.database.rows("SELECT * FROM endpoints")]


def test_twenty_containers_connect_at_once(rig: Rig) -> None:
    gate = threading.Barrier(20)

    def connect(_: int) -> str:
        gate.wait()
        return rig.connect(PortRequest(80)).container_id

    with ThreadPoolExecutor(20) as pool:
        ids = list(pool.map(connect, range(20)))
    sandboxes = [rig.networks.sandbox(one) for one in ids]
    assert len({s.endpoints[0].ipv4 for s in sandboxes if s}) == 20
    assert len({s.published[0].host_port for s in sandboxes if s}) == 20
    rig.serve(sandboxes[7], 80, "seventh")
    assert sandboxes[7] is not None
    assert rig.ask(None, "127.0.0.1", sandboxes[7].published[0].host_port).startswith("seventh")
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(rig.networks.release, ids))
    eventually(lambda: not _links(rig), "all wires are gone")


def test_a_mac_address_asked_for_is_given(rig: Rig) -> None:
    box = rig.connect(mac_address="02-AA-00-00-00-07")
    assert box.endpoints[0].mac_address == "02:aa:00:00:00:07"
    assert "02:aa:00:00:00:07" in rig.shell(box, "ip link show eth0")


def test_the_wrong_is_refused_and_leaves_nothing(rig: Rig) -> None:
    with pytest.raises(NotFoundError, match=r"^network nonesuch not found$"):
        rig.connect(network="nonesuch")
    with pytest.raises(InvalidInputError, match=r"^invalid MAC address: zz$"):
        rig.connect(mac_address="zz")
    with pytest.raises(InvalidInputError, match=r"user specified IP address is supported on"):
        rig.connect(ipv4_address="10.1.2.3")
    assert not _endpoint_rows(rig)
    assert not list((rig.root / "netns").iterdir())
    assert rig.connect().endpoints[0].ipv4 == _first_address(rig)


def _first_address(rig: Rig) -> str:
    head, _, last = rig.gateway.rpartition(".")
    return f"{head}.{int(last) + 1}"


@pytest.mark.parametrize(
    "step", ["after_lease", "after_netns", "after_link", "before_nft", "after_nft"]
)
def test_a_connect_that_fails_leaves_nothing(rig: Rig, step: str) -> None:
    faults.arm(f"network.connect.{step}", "raise")
    with pytest.raises(FaultError, match="fault injected"):
        rig.connect(PortRequest(80, host_port=free_port()))
    eventually(lambda: not _links(rig), "no wire")
    eventually(lambda: not _endpoint_rows(rig), "no row")
    assert not list((rig.root / "netns").iterdir())
    assert rig.connect(PortRequest(80)).endpoints[0].ipv4 == _first_address(rig)


def test_a_full_subnet_says_so(unstarted: Rig) -> None:
    rig = unstarted
    gateway = str(rig.config.bip).partition("/")[0]
    rig.again(bip=f"{gateway}/30").start()
    rig.networks.restore(())
    rig.connect()
    with pytest.raises(FaultError, match=r"no available IPv4 addresses on this network's address"):
        rig.connect()
