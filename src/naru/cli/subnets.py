"""`--subnet`, `--ip-range`, `--gateway` and `--aux-address`, put together by subnet.

Spec: docker/cli, cli/command/network/create.go, for the rules and the texts.
"""

from __future__ import annotations

import ipaddress

from naru.cli.failure import CommandFailedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


def consolidate(
    subnets: Sequence[str],
    ranges: Sequence[str],
    gateways: Sequence[str],
    auxiliary: Mapping[str, str],
) -> list[dict[str, Any]]:
    """Return one `IPAMConfig` for each subnet.

    Raises:
        CommandFailedError: something belongs to no subnet, or two things to one.
    """
    if len(subnets) < len(ranges) or len(subnets) < len(gateways):
        raise CommandFailedError("every ip-range or gateway must have a corresponding subnet")
    found: dict[str, dict[str, Any]] = {}
    for subnet in subnets:
        if any(_holds(subnet, other) or _holds(other, subnet) for other in found):
            raise CommandFailedError("multiple overlapping subnet configuration is not supported")
        found[subnet] = {"Subnet": subnet, "AuxiliaryAddresses": {}}
    for key, given, what, several in (
        ("IPRange", ranges, "range", "ranges ({}, {}) on"),
        ("Gateway", gateways, "gateway", "gateways ({}, {}) for"),
    ):
        for text in given:
            for subnet in _matching(found, text, what):
                before = found[subnet].get(key)
                if before:
                    raise CommandFailedError(
                        f"cannot configure multiple {several.format(text, before)} "
                        f"the same subnet ({subnet})"
                    )
                found[subnet][key] = text
    for name, text in auxiliary.items():
        for subnet in _matching(found, text, "aux-address"):
            found[subnet]["AuxiliaryAddresses"][name] = text
    return list(found.values())


def _matching(subnets: Mapping[str, object], text: str, what: str) -> list[str]:
    matching = [subnet for subnet in subnets if _holds(subnet, text)]
    if not matching:
        raise CommandFailedError(f"no matching subnet for {what} {text}")
    return matching


def _holds(subnet: str, text: str) -> bool:
    """Say whether a subnet has an address, or the first address of a range, in it."""
    try:
        network = ipaddress.ip_network(subnet, strict=False) if "/" in subnet else None
    except ValueError:
        network = None
    if network is None:
        raise CommandFailedError(f"invalid subnet: invalid CIDR address: {subnet}")
    address, slash, _ = text.partition("/")
    try:
        if slash:
            ipaddress.ip_network(text, strict=False)
        return ipaddress.ip_address(address) in network
    except ValueError as error:
        if slash:
            raise CommandFailedError(f"invalid CIDR address: {text}") from error
        return False
