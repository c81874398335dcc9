"""Questions of names answered from a zone, as DNS messages. Pure but for chance.

Owns what the embedded name server says itself; what it does not know is asked elsewhere.

Spec: RFC 1035 and 6891; times to live and codes are those of Docker's embedded DNS.
"""

from __future__ import annotations

import contextlib
import random
import struct
from collections.abc import Sequence

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.reversename
import dns.rrset
from dns.message import Message
from dns.name import Name
from dns.rrset import RRset

from naru.network.dns_zone import Zone

TTL_S = 600
# What every UDP client takes, and what we believe at most of those who say they take more.
_PLAIN_SIZE = 512
_LARGEST_SIZE = 4096
_HEADER = struct.Struct("!HHHHHH")
_RESPONSE = 0x8000
_PARSING = (dns.exception.DNSException, ValueError, IndexError, struct.error)


def parse_query(data: bytes) -> Message | None:
    """Read a question; None of what is none, or not one alone."""
    try:
        message = dns.message.from_wire(data)
    except _PARSING:
        return None
    is_query = not message.flags & dns.flags.QR and len(message.question) == 1
    return message if is_query else None


def answer(query: Message, zone: Zone) -> Message | None:
    """Return what the zone says, or None where somebody else must be asked.

    A name that is known has an answer to any question, even if it is that there is nothing of
    this kind. What containers are called is no business of other servers; and these would say
    that there is no such name, which caches in containers take for an answer to all kinds.
    """
    question = query.question[0]
    if question.rdclass != dns.rdataclass.IN:
        return None
    if question.rdtype == dns.rdatatype.PTR:
        return _pointer(query, zone)
    known = zone.look_up(question.name.to_text(omit_final_dot=True))
    if known is None:
        return None
    response = _response(query)
    for kind, addresses in ((dns.rdatatype.A, known.ipv4), (dns.rdatatype.AAAA, known.ipv6)):
        if addresses and question.rdtype in (kind, dns.rdatatype.ANY):
            response.answer.append(_addresses(question.name, kind, addresses))
    return response


def failure(query: Message) -> Message:
    """Return the answer that nobody could be asked."""
    response = _response(query)
    response.set_rcode(dns.rcode.SERVFAIL)
    return response


def malformed(data: bytes) -> bytes | None:
    """Return the answer to what is no question; None where even its number is missing.

    A response is answered by nobody, or two servers might talk for ever.
    """
    if len(data) < _HEADER.size:
        return None
    number, flags, *_ = _HEADER.unpack_from(data)
    if flags & _RESPONSE:
        return None
    return _HEADER.pack(number, _RESPONSE | int(dns.rcode.FORMERR), 0, 0, 0, 0)


def datagram(response: Message, query: Message) -> bytes:
    """Return a response as it fits into one datagram for the client; TC says when it does not."""
    size = max(_PLAIN_SIZE, min(query.payload, _LARGEST_SIZE)) if query.edns >= 0 else _PLAIN_SIZE
    try:
        return response.to_wire(max_size=size)
    except dns.exception.TooBig:
        response.answer.clear()
        response.flags |= dns.flags.TC
        return response.to_wire(max_size=size)


def _response(query: Message) -> Message:
    return dns.message.make_response(query, recursion_available=True)


def _addresses(name: Name, kind: dns.rdatatype.RdataType, addresses: Sequence[str]) -> RRset:
    """Return the addresses in a new order each time: several share the load."""
    shuffled = random.sample(addresses, len(addresses))
    return dns.rrset.from_text_list(name, TTL_S, dns.rdataclass.IN, kind, shuffled)


def _pointer(query: Message, zone: Zone) -> Message | None:
    name = query.question[0].name
    try:
        address = dns.reversename.to_address(name)
    except _PARSING:
        return None
    target = zone.pointer(address)
    if target is None:
        return None
    response = _response(query)
    # A network may be called what no name in a message can be; its address has no name then.
    with contextlib.suppress(*_PARSING):
        labels = [*(label.encode() for label in target.split(".")), b""]
        text = Name(labels).to_text()
        response.answer.append(
            dns.rrset.from_text(name, TTL_S, dns.rdataclass.IN, dns.rdatatype.PTR, text)
        )
    return response
