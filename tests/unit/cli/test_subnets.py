"""Subnets, ranges and gateways of `network create`, put together."""

from __future__ import annotations

import pytest

from naru.cli.failure import CommandFailedError
from naru.cli.subnets import consolidate


def test_each_thing_finds_its_subnet() -> None:
    found = consolidate(
        ["10.0.0.0/24", "fd00::/64"],
        ["10.0.0.128/25"],
        ["fd00::9"],
        {"a": "10.0.0.7", "b": "fd00::7"},
    )
    assert found == [
        {"Subnet": "10.0.0.0/24", "AuxiliaryAddresses": {"a": "10.0.0.7"}, "IPRange": "10.0.0.128/25"},
        {"Subnet": "fd00::/64", "AuxiliaryAddresses": {"b": "fd00::7"}, "Gateway": "fd00::9"},
    ]  # fmt: skip
    assert consolidate([], [], [], {}) == []


@pytest.mark.parametrize(
    ("subnets", "ranges", "gateways", "auxiliary", "message"),
    [
        ([], [], ["10.0.0.1"], {}, "every ip-range or gateway must have a corresponding subnet"),
        (["10.0.0.0/24", "10.0.0.0/25"], [], [], {}, "multiple overlapping subnet configuration"),
        (["10.0.0.0/24"], ["10.1.0.0/25"], [], {}, "no matching subnet for range 10.1.0.0/25"),
        (["10.0.0.0/24"], [], ["10.1.0.1"], {}, "no matching subnet for gateway 10.1.0.1"),
        (["10.0.0.0/24"], [], [], {"a": ""}, "no matching subnet for aux-address "),
        (["10.0.0.0/33"], ["10.1.0.0/25"], [], {}, "invalid subnet: invalid CIDR address: 10.0"),
        (
            ["10.0.0.0/24", "10.1.0.0/24"],
            [],
            ["10.0.0.1", "10.0.0.2"],
            {},
            "cannot configure multiple gateways (10.0.0.2, 10.0.0.1) for the same subnet",
        ),
    ],
)
def test_what_fits_nowhere_is_refused_in_dockers_words(
    subnets: list[str],
    ranges: list[str],
    gateways: list[str],
    auxiliary: dict[str, str],
    message: str,
) -> None:
    with pytest.raises(CommandFailedError) as caught:
        consolidate(subnets, ranges, gateways, auxiliary)
    assert message in caught.value.message
