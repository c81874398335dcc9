"""Filters of events, as Docker matches them."""

from __future__ import annotations

from typing import Any

import pytest

from naru.api.filters import Filters
from naru.engine.events.filters import EventFilter
from naru.errors import InvalidInputError


def _event(kind: str, action: str, actor: str, /, **attributes: str) -> dict[str, Any]:
    return {
        "Type": kind,
        "Action": action,
        "Actor": {"ID": actor, "Attributes": attributes},
        "scope": "local",
    }


_START = _event("container", "start", "abc123", name="web", image="busybox:1", kind="x")
_PULL = _event("image", "pull", "busybox:1", name="busybox")
_HEALTH = _event("container", "health_status: healthy", "abc123", name="web", image="busybox")
_CONNECT = _event("network", "connect", "def456", name="bridge", container="abc123")


@pytest.mark.parametrize(
    ("filters", "event", "is_wanted"),
    [
        ({}, _START, True),
        ({"type": ["container"]}, _START, True),
        ({"type": ["image", "network"]}, _START, False),
        ({"event": ["start"]}, _START, True),
        ({"event": ["star"]}, _START, False),
        ({"event": ["health_status"]}, _HEALTH, True),
        ({"event": ["health_status: healthy"]}, _HEALTH, True),
        ({"event": ["health_status: unhealthy"]}, _HEALTH, False),
        ({"event": ["health_status", "sta"]}, _START, True),
        ({"container": ["web"]}, _START, True),
        ({"container": ["abc"]}, _START, True),
        ({"container": ["eb"]}, _START, False),
        ({"container": ["abc123"]}, _CONNECT, False),
        ({"network": ["bri"]}, _CONNECT, True),
        ({"container": ["web"], "network": ["bridge"]}, _START, False),
        ({"image": ["busybox"]}, _START, True),
        ({"image": ["busybox:1"]}, _START, True),
        ({"image": ["busy"]}, _START, False),
        ({"image": ["busybox:1"]}, _PULL, True),
        ({"image": ["busybox"]}, _PULL, True),
        ({"image": ["docker.io/library/busybox"]}, _PULL, False),
        ({"label": ["kind"]}, _START, True),
        ({"label": ["kind=x", "name"]}, _START, True),
        ({"label": ["kind=y"]}, _START, False),
        ({"scope": ["local"]}, _START, True),
        ({"scope": ["swarm"]}, _START, False),
        ({"daemon": ["x"]}, _START, False),
        ({"node": ["x"], "type": ["container"]}, _START, False),
    ],
)
def test_filters_let_through_what_docker_does(
    filters: dict[str, list[str]], event: dict[str, Any], is_wanted: bool
) -> None:
    assert EventFilter(Filters(filters)).lets_through(event) == is_wanted


def test_unknown_filters_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="invalid filter 'colour'"):
        EventFilter(Filters({"colour": ["red"]}))
