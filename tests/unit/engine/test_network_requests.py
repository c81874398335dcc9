"""What a request for a network means."""

from __future__ import annotations

from typing import Any

import pytest

from naru.api.networks import IPAM, ConfigReference, IPAMConfig, NetworkCreateRequest
from naru.api.version import MAXIMUM, ApiVersion
from naru.engine.networks import network_request
from naru.errors import ForbiddenError, InvalidInputError, NotFoundError
from naru.network.model import NetworkRequest
from naru.network.options import OPTION_ENABLE6


def _request(version: ApiVersion = MAXIMUM, **body: Any) -> NetworkRequest:
    return network_request(NetworkCreateRequest(**{"name": "n", **body}), version)


def _ipam(*subnets: str) -> IPAM:
    return IPAM(config=[IPAMConfig(subnet=subnet) for subnet in subnets])


def test_nothing_said_means_a_bridge_with_ipv4() -> None:
    request = _request()
    assert (request.driver, request.ipv4, request.ipv6, request.pools) == (
        "bridge",
        True,
        False,
        (),
    )


def test_ipv4_may_be_switched_off_in_versions_that_know_it() -> None:
    assert not _request(enable_ipv4=False).ipv4
    assert _request((1, 47), enable_ipv4=False).ipv4


def test_ipv6_is_on_when_said_or_when_a_subnet_of_it_is_named() -> None:
    assert _request(enable_ipv6=True).ipv6
    assert _request(options={OPTION_ENABLE6: "true"}).ipv6
    assert not _request(options={OPTION_ENABLE6: "true"}, enable_ipv6=False).ipv6
    assert _request(ipam=_ipam("fd00::/64")).ipv6
    assert not _request(ipam=_ipam("fd00::/64"), enable_ipv6=False).ipv6


def test_options_of_address_management_are_kept_as_they_are() -> None:
    assert _request().ipam_options is None
    assert _request(ipam=IPAM(options={})).ipam_options == {}


def test_a_configuration_has_no_driver_until_a_network_is_made_from_it() -> None:
    kept = _request(config_only=True, driver="macvlan", ipam=_ipam("10.0.0.0/24"))
    assert (kept.driver, kept.is_configuration, len(kept.pools)) == ("null", True, 1)
    made = _request(config_from=ConfigReference(network="x"), driver="macvlan")
    assert (made.driver, made.is_configuration, made.configured_by) == ("macvlan", False, "x")
    assert _request(config_from=ConfigReference()).configured_by == ""


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"name": "bridge"}, ForbiddenError),
        ({"name": "default"}, ForbiddenError),
        ({"name": " "}, InvalidInputError),
        ({"driver": "overlay"}, ForbiddenError),
        ({"ingress": True}, ForbiddenError),
        ({"scope": "swarm"}, ForbiddenError),
        ({"scope": "nosuch"}, InvalidInputError),
        ({"config_only": True, "scope": "local"}, ForbiddenError),
        ({"config_only": True, "attachable": True}, ForbiddenError),
        ({"config_from": ConfigReference(network="x"), "labels": {"a": "b"}}, ForbiddenError),
        ({"ipam": IPAM(driver="nosuch")}, NotFoundError),
        ({"ipam": _ipam("10.0.0.1/24")}, InvalidInputError),
    ],
)
def test_what_cannot_be_is_refused(body: dict[str, Any], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        _request(**body)
