"""Published ports agree with what asks for them, from wherever one starts."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import assume, given
from hypothesis import strategies as st

from naru.network.model import PROTOCOLS, PortRequest, PublishedPort
from naru.network.port_matching import hosts_of, port_difference

_NUMBERS = st.integers(min_value=8000, max_value=8004)
_HOSTS = st.sampled_from(["", "0.0.0.0", "127.0.0.1", "::", "::1"])
_PROTOCOL = st.sampled_from(PROTOCOLS)
_CONTAINER_PORTS = st.integers(min_value=80, max_value=82)


@st.composite
def _requests(draw: st.DrawFn) -> PortRequest:
    first = draw(st.one_of(st.just(0), _NUMBERS))
    last = first + draw(st.integers(min_value=0, max_value=2)) if first else 0
    return PortRequest(draw(_CONTAINER_PORTS), draw(_PROTOCOL), draw(_HOSTS), first, last)


_PUBLISHED = st.builds(
    PublishedPort, _CONTAINER_PORTS, _PROTOCOL, _HOSTS.filter(bool), _NUMBERS | st.just(0)
)
_DEFAULTS = st.sampled_from([("0.0.0.0",), ("127.0.0.1", "::1"), ("127.0.0.1",)])


def _in_order(requests: Sequence[PortRequest]) -> list[PortRequest]:
    """Order them as `parse_port_requests` does: those with a number of their own first."""
    return sorted(
        dict.fromkeys(requests), key=lambda r: (r.host_port == 0, r.host_port_end != r.host_port)
    )


# Two requests for one port of a container may be met by each other's; there are examples of those.
_DISTINCT = st.lists(
    _requests(), max_size=5, unique_by=lambda one: (one.container_port, one.protocol)
)


@given(_DISTINCT, st.lists(_PUBLISHED, max_size=6, unique=True), _DEFAULTS)
def test_what_is_changed_once_needs_no_other_change(
    requests: list[PortRequest], published: list[PublishedPort], defaults: tuple[str, ...]
) -> None:
    wanted = _in_order(requests)

    def hosts(request: PortRequest) -> list[str]:
        return hosts_of(request, defaults, (4, 6))

    missing, surplus = port_difference(wanted, published, hosts)
    kept = [port for port in published if port not in surplus]
    # No port is had twice, so one that is asked for by its number is not free for others.
    numbered = {one.host_port for one in wanted if one.host_port == one.host_port_end}
    numbers = iter(range(40_000, 50_000))
    new = []
    for one in missing:
        free = iter(set(range(one.host_port, one.host_port_end + 1)) - numbered)
        is_fixed = one.host_port == one.host_port_end
        number = one.host_port if is_fixed else next(free, 0)
        assume(number or not one.host_port)
        number = number or next(numbers)
        new += [PublishedPort(one.container_port, one.protocol, h, number) for h in hosts(one)]
    assert len({*kept, *surplus}) == len(published)
    again, beyond = port_difference(wanted, [*kept, *new], hosts)
    assert (again, beyond) == ((), ())


@given(st.lists(_requests(), max_size=5), st.lists(_PUBLISHED, max_size=6, unique=True))
def test_what_is_to_go_goes(requests: list[PortRequest], published: list[PublishedPort]) -> None:
    missing, surplus = port_difference(
        _in_order(requests), published, lambda one: hosts_of(one, ("0.0.0.0",), (4, 6)), published
    )
    assert set(surplus) == set(published)
    assert len(missing) == len(_in_order(requests))
