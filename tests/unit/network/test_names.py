"""What containers are called on a network."""

from __future__ import annotations

from pathlib import Path

from naru.network.names import NameRecord, NetworkNames, SandboxNames

ID = "0123456789ab" + "0" * 52


def test_names_come_in_dockers_order_and_once() -> None:
    record = NameRecord(ID, "web", "0123456789ab", ("www", "web"), "172.18.0.2", "")
    assert record.dns_names == ("web", "www", "0123456789ab")


def test_a_sandbox_on_internal_networks_alone_has_no_way_out() -> None:
    inner = NetworkNames("1", "inner", is_default=False, is_internal=True, members=())
    outer = NetworkNames("2", "outer", is_default=False, is_internal=False, members=())
    assert not SandboxNames(ID, Path("/x"), (inner,)).has_way_out
    assert SandboxNames(ID, Path("/x"), (inner, outer)).has_way_out
