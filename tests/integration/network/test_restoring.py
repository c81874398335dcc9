"""What the next engine makes of what this one left, wherever it was killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from harness.ports import free_port
from harness.requirements import requires
from harness.waiting import eventually
from naru.errors import InvalidInputError
from naru.linux import nftables
from naru.linux.netlink import RouteSocket
from naru.network.model import PortRequest
from naru.network.plan import link_name

if TYPE_CHECKING:
    from harness.rig import Rig

pytestmark = requires("root", "ip", "nsenter")

# An engine's networks in a process of their own, so that it can be killed on any line.
ENGINE = """
import sys
from pathlib import Path
from naru.clock import SystemClock
from naru.db.database import Database
from naru.network.model import NetworkConfig, PortRequest, SandboxRequest
from naru.network.networks import Networks
root, bridge, bip, table, port = sys.argv[1:]
config = NetworkConfig(exec_root=Path(root), bridge=bridge, bip=bip, table=table)
networks = Networks(config, Database(f"{root}/naru.db"), SystemClock())
networks.start()
networks.restore(())
ports = (PortRequest(80, host_port=int(port)), PortRequest(53, "udp", host_port=int(port)))
networks.open(SandboxRequest(container_id="c" * 64, container_name="c", ports=ports))
networks.release("c" * 64)
networks.close()
"""
STEPS = [
    "connect.after_lease",
    "connect.after_netns",
    "connect.after_link",
    "connect.before_nft",
    "connect.after_nft",
    "release.noted",
    "release.half",
    "release.unnamed",
    "release.gone",
]


def _wires(rig: Rig) -> set[str]:
    with RouteSocket() as kernel:
        bridge = kernel.link(rig.config.bridge)
        return {link.name for link in kernel.links() if bridge and link.master == bridge.index}


def _elements(rig: Rig) -> list[object]:
    objects = nftables.list_table("inet", rig.config.table) or []
    maps = [entry["map"] for entry in objects if "map" in entry]
    return [
        one for each in maps if each["name"].startswith("published") for one in each.get("elem", [])
    ]


@pytest.mark.parametrize("step", STEPS)
def test_an_engine_killed_at_any_step_leaves_nothing(unstarted: Rig, step: str) -> None:
    rig, port = unstarted, free_port()
    killed = subprocess.run(
        [sys.executable, "-c", ENGINE, str(rig.root), rig.config.bridge, str(rig.config.bip),
         rig.config.table, str(port)],
        env={**os.environ, "NARU_FAULT": f"network.{step}=kill"},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    rig.networks.start()
    rig.networks.restore(())
    eventually(lambda: not _wires(rig), "no wire is left")
    assert not list((rig.root / "netns").iterdir())
    assert not _elements(rig)
    assert not rig.database.rows("SELECT * FROM endpoints")
    assert not rig.database.rows("SELECT * FROM published_ports")
    rig.connect(PortRequest(80, host_port=port))


def test_running_containers_keep_everything(rig: Rig) -> None:
    kept, dropped = rig.connect(PortRequest(80), PortRequest(53, "udp")), rig.connect()
    rig.serve(kept, 80, "still here")
    port = kept.published[0].host_port
    table = nftables.list_table("inet", rig.config.table)
    rig.again()
    assert rig.ask(None, "127.0.0.1", port).startswith("still here"), "while no engine runs"
    rig.networks.start()
    assert rig.ask(None, "127.0.0.1", port).startswith("still here"), "before containers are known"
    rig.networks.restore([kept.container_id])
    assert rig.ask(None, "127.0.0.1", port).startswith("still here")
    assert nftables.list_table("inet", rig.config.table) == table, "the table was not touched"
    assert rig.networks.sandbox(kept.container_id) == kept
    assert rig.networks.sandbox(dropped.container_id) is None
    eventually(lambda: len(_wires(rig)) == 1, "the other wire is gone")
    assert [path.name for path in (rig.root / "netns").iterdir()] == [kept.container_id]
    with pytest.raises(OSError, match="in use"), socket.socket() as other:
        other.bind(("0.0.0.0", port))
    assert rig.connect().endpoints[0].ipv4 != kept.endpoints[0].ipv4


def test_restore_twice_is_harmless(rig: Rig) -> None:
    box = rig.connect(PortRequest(80))
    rig.again().start()
    rig.networks.restore([box.container_id])
    rig.networks.restore([box.container_id])
    assert rig.networks.sandbox(box.container_id) == box
    rig.networks.release(box.container_id)
    assert not rig.database.rows("SELECT * FROM published_ports")


def test_rules_that_somebody_changed_are_put_right(rig: Rig) -> None:
    box = rig.connect(PortRequest(80))
    rig.serve(box, 80, "right")
    before = nftables.structure_text("inet", rig.config.table)
    nftables.run(f"flush chain inet {rig.config.table} forward")
    nftables.run(f"add element inet {rig.config.table} published {{ tcp . 9 : 10.9.9.9 . 9 }}")
    rig.again().start()
    rig.networks.restore([box.container_id])
    assert nftables.structure_text("inet", rig.config.table) == before
    assert len(_elements(rig)) == 1
    nftables.run(f"flush map inet {rig.config.table} published")
    nftables.run(f"add element inet {rig.config.table} published {{ tcp . 9 : 10.9.9.9 . 9 }}")
    rig.again().start()
    rig.networks.restore([box.container_id])
    assert rig.ask(None, "127.0.0.1", box.published[0].host_port).startswith("right")
    assert len(_elements(rig)) == 1


def test_a_wire_that_came_off_is_put_back(rig: Rig) -> None:
    box = rig.connect()
    rig.serve(box, 80, "back")
    wire = link_name(box.endpoints[0].endpoint_id)
    subprocess.run(["ip", "link", "set", wire, "nomaster"], check=True)
    rig.again().start()
    rig.networks.restore([box.container_id])
    assert rig.ask(None, box.endpoints[0].ipv4, 80).startswith("back")


def test_an_interface_that_belongs_to_nobody_is_removed(rig: Rig) -> None:
    wire = f"vethx{os.getpid()}"
    subprocess.run(
        f"ip link add {wire} master {rig.config.bridge} type veth peer name {wire}p".split(),
        check=True,
    )
    rig.again().start()
    rig.networks.restore(())
    assert wire not in _wires(rig)


def test_a_start_after_a_reboot_is_a_clean_one(rig: Rig) -> None:
    box = rig.connect(PortRequest(80))
    network = rig.networks.resolve("bridge")
    rig.networks.close()
    subprocess.run(["umount", str(box.netns_path)], check=True)
    box.netns_path.unlink()
    subprocess.run(["ip", "link", "del", rig.config.bridge], check=True)
    nftables.run(f"delete table inet {rig.config.table}")
    rig.again().start()
    rig.networks.restore(())
    assert rig.networks.resolve("bridge") == network
    assert not _elements(rig)
    assert not rig.database.rows("SELECT * FROM endpoints")
    again = rig.connect(PortRequest(80))
    rig.serve(again, 80, "reborn")
    assert rig.ask(None, "127.0.0.1", again.published[0].host_port).startswith("reborn")


def test_the_bridge_keeps_its_address_while_containers_run(rig: Rig) -> None:
    box = rig.connect()
    bip = rig.config.bip
    assert bip is not None
    head, _, last = bip.partition("/")[0].rpartition(".")
    other = f"{head}.{int(last) + 8}/24"
    rig.again(bip=other).start()
    rig.networks.restore([box.container_id])
    assert rig.gateway == box.endpoints[0].gateway
    rig.networks.release(box.container_id)
    rig.again().start()
    rig.networks.restore(())
    assert rig.gateway == other.partition("/")[0]
    with RouteSocket() as kernel:
        bridge = kernel.link(rig.config.bridge)
        assert bridge is not None
        own = [str(address) for index, address in kernel.addresses() if index == bridge.index]
    assert own == [other]


def test_the_subnet_that_was_chosen_is_kept(unstarted: Rig) -> None:
    rig = unstarted
    rig.again(bip=None).start()
    chosen = rig.networks.resolve("bridge")
    with RouteSocket() as kernel:
        others = [
            address.network
            for index, address in kernel.addresses()
            if str(address.ip) != chosen.gateway and index != 1
        ]
    assert not any(chosen.pools[0].network.overlaps(other) for other in others)
    subprocess.run(["ip", "link", "del", rig.config.bridge], check=True)
    rig.again().start()
    assert rig.networks.resolve("bridge") == chosen


def test_containers_of_the_default_bridge_may_be_kept_to_a_part_of_it(unstarted: Rig) -> None:
    rig = unstarted
    head = str(rig.config.bip).rpartition(".")[0]
    rig.again(fixed_cidr=f"{head}.128/25").start()
    rig.networks.restore(())
    box = rig.connect()
    assert box.endpoints[0].ipv4 == f"{head}.128"
    rig.networks.release(box.container_id)
    rig.again(fixed_cidr="192.0.2.0/24")
    with pytest.raises(InvalidInputError, match=r"is not inside the bridge's subnet"):
        rig.networks.start()
    rig.again(fixed_cidr=None).start()


def test_an_engine_without_a_bridge_has_no_default_network(unstarted: Rig) -> None:
    rig = unstarted
    name = rig.config.bridge
    rig.again(bridge="none").start()
    rig.networks.restore(())
    assert {network.name for network in rig.networks.networks()} == {"host", "none"}
    assert rig.connect(network="none").endpoints[0].ipv4 == ""
    rig.networks.teardown()
    rig.again(bridge=name)
