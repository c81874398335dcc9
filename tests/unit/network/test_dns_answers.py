"""The embedded name server's own answers, as messages."""

from __future__ import annotations

from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.reversename
import pytest

from naru.network import dns_answers
from naru.network.dns_zone import Zone, zone_of
from naru.network.names import NameRecord, NetworkNames, SandboxNames


def _zone(*addresses: str) -> Zone:
    members = tuple(
        NameRecord(f"{number:064x}", f"web{number}", "", ("web",), address, "")
        for number, address in enumerate(addresses)
    )
    network = NetworkNames("id", "front", False, False, members)
    return zone_of(SandboxNames("asker", Path("/nowhere"), (network,)))


def _ask(name: str, kind: str, zone: Zone) -> dns.message.Message | None:
    query = dns_answers.parse_query(dns.message.make_query(name, kind).to_wire())
    assert query is not None
    found = dns_answers.answer(query, zone)
    return dns.message.from_wire(found.to_wire()) if found is not None else None


def _texts(message: dns.message.Message | None) -> list[str]:
    assert message is not None
    return sorted(item.to_text() for rrset in message.answer for item in rrset)


def test_addresses_are_answered_with_docker_s_time_to_live() -> None:
    found = _ask("web.", "A", _zone("10.0.0.2", "10.0.0.3"))
    assert _texts(found) == ["10.0.0.2", "10.0.0.3"]
    assert found is not None
    assert found.answer[0].ttl == 600
    assert found.flags & dns.flags.RA


def test_a_known_name_without_such_an_address_is_answered_empty() -> None:
    zone = _zone("10.0.0.2")
    for kind in ("AAAA", "MX", "SRV", "NS", "SOA", "HTTPS", "TYPE65280"):
        found = _ask("web.", kind, zone)
        assert _texts(found) == [], kind
        assert found is not None
        assert found.rcode() == dns.rcode.NOERROR


def test_whoever_asks_for_anything_gets_the_addresses() -> None:
    member = NameRecord("1" * 64, "web", "", (), "10.0.0.2", "fd00::2")
    network = NetworkNames("id", "front", False, False, (member,))
    zone = zone_of(SandboxNames("asker", Path("/nowhere"), (network,)))
    assert _texts(_ask("web.", "ANY", zone)) == ["10.0.0.2", "fd00::2"]
    assert _texts(_ask("web.", "AAAA", zone)) == ["fd00::2"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("example.com.", "A"), ("example.com.", "NS"), ("1.1.1.1.in-addr.arpa.", "PTR")],
)
def test_what_is_not_known_is_for_others(name: str, kind: str) -> None:
    assert _ask(name, kind, _zone("10.0.0.2")) is None


def test_addresses_lead_to_names() -> None:
    name = dns.reversename.from_address("10.0.0.2").to_text()
    assert _texts(_ask(name, "PTR", _zone("10.0.0.2"))) == ["web0.front."]


def test_the_order_of_addresses_changes() -> None:
    zone = _zone("10.0.0.2", "10.0.0.3", "10.0.0.4")
    orders = set()
    for _ in range(60):
        found = _ask("web.", "A", zone)
        assert found is not None
        orders.add(tuple(item.to_text() for item in found.answer[0]))
    assert len(orders) > 1


def test_what_does_not_fit_a_datagram_is_said_to_be_cut() -> None:
    zone = _zone(*(f"10.0.{n // 250}.{n % 250 + 1}" for n in range(300)))
    plain = dns.message.make_query("web.", "A")
    query = dns_answers.parse_query(plain.to_wire())
    assert query is not None
    response = dns_answers.answer(query, zone)
    assert response is not None
    whole = response.to_wire()
    cut = dns_answers.datagram(response, query)
    assert len(cut) <= 512 < len(whole)
    assert dns.message.from_wire(cut).flags & dns.flags.TC


def test_garbage_is_answered_once_at_most() -> None:
    assert dns_answers.parse_query(b"\x12\x34" + b"\xff" * 20) is None
    assert dns_answers.malformed(b"\x12") is None
    reply = dns_answers.malformed(b"\x12\x34\x01\x00" + b"\xff" * 8)
    assert reply is not None
    assert reply[:2] == b"\x12\x34"
    assert dns.message.from_wire(reply).rcode() == dns.rcode.FORMERR
    # Two servers that answer each other's answers would never stop.
    assert dns_answers.malformed(reply) is None
