"""What a container's networks answer to a question of names."""

from __future__ import annotations

from pathlib import Path

from naru.network.dns_zone import Addresses, zone_of
from naru.network.names import NameRecord, NetworkNames, SandboxNames


def _member(name: str, ipv4: str = "", ipv6: str = "", *aliases: str) -> NameRecord:
    return NameRecord(f"{name}{'0' * 60}"[:64], name, "", aliases, ipv4, ipv6)


def _network(
    name: str,
    *members: NameRecord,
    links: tuple[tuple[str, str], ...] = (),
    is_default: bool = False,
) -> NetworkNames:
    return NetworkNames(f"id-{name}", name, is_default, False, members, links)


def _names(*networks: NetworkNames) -> SandboxNames:
    return SandboxNames("asker", Path("/nowhere"), networks)


def test_names_aliases_and_short_ids_are_known() -> None:
    web = _member("web", "10.0.0.2", "fd00::2", "www")
    zone = zone_of(_names(_network("front", web)))
    for name in ("web", "WEB.", "www", web.short_id, "web.front", "WWW.Front."):
        assert zone.look_up(name) == Addresses(("10.0.0.2",), ("fd00::2",)), name
    assert zone.look_up("web.back") is None
    assert zone.look_up("") is None


def test_an_alias_of_several_has_all_their_addresses() -> None:
    members = [_member("a", "10.0.0.2", "", "all"), _member("b", "10.0.0.3", "", "all")]
    found = zone_of(_names(_network("front", *members))).look_up("all")
    assert found is not None
    assert set(found.ipv4) == {"10.0.0.2", "10.0.0.3"}
    assert found.ipv6 == ()


def test_the_first_network_that_has_a_name_counts() -> None:
    front = _network("front", _member("web", "10.0.0.2"))
    back = _network("back", _member("web", "10.1.0.2"), _member("db", "10.1.0.3"))
    zone = zone_of(_names(front, back))
    assert zone.look_up("web") == Addresses(("10.0.0.2",), ())
    assert zone.look_up("web.back") == Addresses(("10.1.0.2",), ())
    assert zone.look_up("db") == Addresses(("10.1.0.3",), ())


def test_a_link_comes_before_all_names() -> None:
    db, other = _member("db", "10.1.0.3"), _member("store", "10.0.0.9")
    back = _network("back", db, links=(("store", db.container_id), ("base", "db"), ("x", "gone")))
    zone = zone_of(_names(_network("front", other), back))
    assert zone.look_up("store") == Addresses(("10.1.0.3",), ())
    assert zone.look_up("base") == Addresses(("10.1.0.3",), ())
    assert zone.look_up("x") is None


def test_the_default_network_has_no_names() -> None:
    zone = zone_of(_names(_network("bridge", _member("web", "10.0.0.2"), is_default=True)))
    assert zone.look_up("web") is None
    assert zone.pointer("10.0.0.2") is None


def test_addresses_lead_back_to_names() -> None:
    zone = zone_of(_names(_network("front", _member("web", "10.0.0.2", "fd00:0::2"))))
    assert zone.pointer("10.0.0.2") == "web.front"
    assert zone.pointer("fd00::2") == "web.front"
    assert zone.pointer("10.0.0.3") is None
