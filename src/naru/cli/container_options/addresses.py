"""Internet and hardware addresses, and the options that are little more: DNS, hosts, links."""

from __future__ import annotations

import _socket

from naru.cli.container_options.go_texts import go_quote
from naru.errors import InvalidInputError

_MAX_DOMAIN = 255


def canonical_ip(text: str) -> str | None:
    """Return an address in its shortest form; None when it is none."""
    for family in (_socket.AF_INET, _socket.AF_INET6):
        try:
            packed = _socket.inet_pton(family, text)
        except (OSError, ValueError):
            continue
        if family == _socket.AF_INET6 and packed.startswith(b"\0" * 10 + b"\xff\xff"):
            return _socket.inet_ntop(_socket.AF_INET, packed[12:])
        return _socket.inet_ntop(family, packed)
    return None


def check_mac(text: str) -> str:
    """Refuse what is no hardware address: 6, 8 or 20 bytes, divided by `:`, `-` or dots."""
    stripped = text.strip()
    for divider, width in ((":", 2), ("-", 2), (".", 4)):
        groups = stripped.split(divider)
        if len(groups) * width // 2 in (6, 8, 20) and all(
            len(group) == width and all(char in "0123456789abcdefABCDEF" for char in group)
            for group in groups
        ):
            return stripped
    raise InvalidInputError(f"{text} is not a valid mac address")


def check_dns_server(text: str) -> str:
    """Return a name server's address."""
    address = canonical_ip(text.strip())
    if address is None:
        raise InvalidInputError(f"IP address is not correctly formatted: {text}")
    return address


def check_dns_search(text: str) -> str:
    """Return a search domain; `.` stands for none at all."""
    domain = text.strip()
    if domain == ".":
        return domain
    labels = domain.removesuffix(".").split(".")
    if (
        len(domain) >= _MAX_DOMAIN
        or not any(char.isalpha() for char in domain)
        or not all(_is_domain_label(label) for label in labels)
    ):
        raise InvalidInputError(f"{domain} is not a valid domain")
    return domain


def _is_domain_label(label: str) -> bool:
    plain = label.replace("-", "0")
    return (
        plain.isascii()
        and plain.isalnum()
        and not label.startswith("-")
        and not label.endswith("-")
    )


def check_extra_host(text: str) -> str:
    """Return `name:address` of `name=address` or `name:address`; brackets fall off."""
    name, divider, address = text.partition("=")
    if not divider:
        name, divider, address = text.partition(":")
    if not divider or not name or ":" in name:
        raise InvalidInputError(f"bad format for add-host: {go_quote(text)}")
    if address != "host-gateway":
        if len(address) > 2 and address[0] == "[" and address[-1] == "]":
            address = address[1:-1]
        if canonical_ip(address.strip()) is None:
            raise InvalidInputError(f"invalid IP address in add-host: {go_quote(address)}")
    return f"{name}:{address}"


def check_link(text: str) -> str:
    """Refuse what is not `name` or `name:alias`."""
    if not text:
        raise InvalidInputError("empty string specified for links")
    if text.count(":") > 1:
        raise InvalidInputError(f"bad format for links: {text}")
    return text
