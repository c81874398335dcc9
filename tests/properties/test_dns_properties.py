"""Whatever a container sends to its name server."""

from __future__ import annotations

from pathlib import Path

import dns.message
from hypothesis import given
from hypothesis import strategies as st

from naru.network import dns_answers
from naru.network.dns_zone import zone_of
from naru.network.names import NameRecord, NetworkNames, SandboxNames

_NAMES = st.text(min_size=1, max_size=40)
_ZONE = zone_of(
    SandboxNames(
        "asker",
        Path("/nowhere"),
        (
            NetworkNames(
                "id",
                "front",
                False,
                False,
                (NameRecord("a" * 64, "web", "", (), "10.0.0.2", "fd00::2"),),
            ),
        ),
    )
)


def _is_harmless(data: bytes) -> None:
    query = dns_answers.parse_query(data)
    if query is None:
        reply = dns_answers.malformed(data)
        assert reply is None or reply[:2] == data[:2]
        return
    response = dns_answers.answer(query, _ZONE) or dns_answers.failure(query)
    reply = dns_answers.datagram(response, query)
    assert reply[:2] == data[:2]
    assert reply[2] & 0x80


@given(st.binary(max_size=600))
def test_bytes_of_any_kind_are_harmless(data: bytes) -> None:
    _is_harmless(data)


@given(st.sampled_from(["A", "AAAA", "PTR", "MX", "TXT", "ANY"]), st.data())
def test_questions_with_some_bytes_changed_are_harmless(kind: str, data: st.DataObject) -> None:
    wire = bytearray(dns.message.make_query("web.front.", kind, use_edns=True).to_wire())
    for _ in range(data.draw(st.integers(0, 4))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    _is_harmless(bytes(wire))


@given(_NAMES, _NAMES)
def test_names_of_any_kind_lead_back_from_their_addresses(name: str, network: str) -> None:
    """Networks may be called anything; a question for an address must not fail for that."""
    member = NameRecord("b" * 64, name, "", (), "10.0.0.7", "")
    names = NetworkNames("id", network, False, False, (member,))
    zone = zone_of(SandboxNames("asker", Path("/nowhere"), (names,)))
    query = dns.message.make_query("7.0.0.10.in-addr.arpa.", "PTR")
    response = dns_answers.answer(query, zone)
    if response is not None:
        assert dns_answers.datagram(response, query)
