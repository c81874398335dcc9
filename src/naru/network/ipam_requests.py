"""What users say about subnets, checked. Pure.

Spec: moby, api/types/network, ValidateIPAM, for the rules and the texts.
"""

from __future__ import annotations

from collections.abc import Iterable

from naru.errors import InvalidInputError
from naru.network.addresses import read_address, read_subnet
from naru.network.model import IpNetwork, Pool


def checked_pools(pools: Iterable[Pool]) -> tuple[Pool, ...]:
    """Return the pools with their texts in their shortest form.

    Raises:
        InvalidInputError: with everything that is wrong with any of them.
    """
    found, problems = [], []
    for pool in pools:
        wrong = _problems(pool)
        problems += wrong
        if not wrong:
            found.append(_normal(pool))
    if problems:
        raise InvalidInputError(f"invalid network config:\n{joined(problems)}")
    return tuple(found)


def joined(problems: list[str]) -> str:
    """Print problems as Docker does: one as it is, several as a list."""
    if len(problems) == 1:
        return problems[0]
    return "\n".join(f"* {problem}" for problem in problems)


def _problems(pool: Pool) -> list[str]:
    subnet = _network(pool.subnet)
    if subnet is None:
        return [f"invalid subnet {pool.subnet}: invalid CIDR block notation"]
    found = []
    if _host_bits(pool.subnet):
        found.append(f"invalid subnet {pool.subnet}: it should be {subnet}")
    found += _range_problems(pool.ip_range, subnet)
    if pool.gateway and (problem := _address_problem(pool.gateway, subnet)):
        found.append(f"invalid gateway {pool.gateway}: {problem}")
    for name, address in pool.auxiliary.items():
        if problem := _address_problem(address, subnet):
            found.append(f"invalid auxiliary address {name}: {problem}")
    return found


def _range_problems(text: str, subnet: IpNetwork) -> list[str]:
    if not text:
        return []
    ip_range = _network(text)
    if ip_range is None:
        return [f"invalid ip-range {text}: invalid CIDR block notation"]
    if ip_range.version != subnet.version:
        return [f"invalid ip-range {text}: parent subnet is an IPv{subnet.version} block"]
    found = []
    if ip_range.prefixlen < subnet.prefixlen:
        found.append(
            f"invalid ip-range {text}: CIDR block is bigger than its parent subnet {subnet}"
        )
    if _host_bits(text):
        found.append(f"invalid ip-range {text}: it should be {ip_range}")
    if not subnet.overlaps(ip_range):
        found.append(f"invalid ip-range {text}: parent subnet {subnet} doesn't contain ip-range")
    return found


def _address_problem(text: str, subnet: IpNetwork) -> str:
    try:
        address = read_address(text)
    except ValueError:
        return "invalid address"
    if address.version != subnet.version:
        return f"parent subnet is an IPv{subnet.version} block"
    if address not in subnet:
        return f"parent subnet {subnet} doesn't contain this address"
    return ""


def _network(text: str) -> IpNetwork | None:
    try:
        return read_subnet(text, strict=False)
    except ValueError:
        return None


def _host_bits(text: str) -> bool:
    """Say whether a CIDR names a host in the subnet rather than the subnet."""
    try:
        read_subnet(text)
    except ValueError:
        return True
    return False


def _normal(pool: Pool) -> Pool:
    return Pool(
        subnet=str(read_subnet(pool.subnet)),
        gateway=str(read_address(pool.gateway)) if pool.gateway else "",
        ip_range=str(read_subnet(pool.ip_range)) if pool.ip_range else "",
        auxiliary={name: str(read_address(text)) for name, text in pool.auxiliary.items()},
        is_chosen=True,
        shows_gateway=bool(pool.gateway),
    )
