"""Laws of the grammar of published ports."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from naru.api.host_config import PortBinding
from naru.errors import InvalidInputError
from naru.network.model import PROTOCOLS
from naru.network.port_requests import parse_port_range, parse_port_requests

_numbers = st.integers(1, 65535)
_protocols = st.sampled_from(PROTOCOLS)
_ranges = st.tuples(_numbers, _numbers).map(sorted)


@given(st.dictionaries(st.text(max_size=12), st.lists(
    st.builds(PortBinding, host_ip=st.none() | st.text(max_size=20),
              host_port=st.none() | st.text(max_size=12)), max_size=3) | st.none(), max_size=4),
    st.lists(st.text(max_size=12), max_size=4), st.booleans())  # fmt: skip
def test_anything_at_all_is_read_or_refused(
    bindings: dict[str, list[PortBinding] | None], exposed: list[str], publish_all: bool
) -> None:
    try:
        found = parse_port_requests(exposed, bindings, publish_all=publish_all)
    except InvalidInputError:
        return
    for request in found:
        assert 1 <= request.container_port <= 65535
        assert 0 <= request.host_port <= request.host_port_end <= 65535


@given(_numbers, _protocols, _ranges)
def test_what_is_printed_is_read_back(port: int, protocol: str, bounds: list[int]) -> None:
    text = "-".join(map(str, bounds))
    binding = PortBinding(host_ip="10.0.0.1", host_port=text)
    (found,) = parse_port_requests((), {f"{port}/{protocol}": [binding]})
    assert (found.container_port, found.protocol) == (port, protocol)
    assert [found.host_port, found.host_port_end] == bounds


@given(st.lists(st.tuples(_numbers, _protocols), max_size=8, unique=True))
def test_publish_all_publishes_each_exposed_port_once(ports: list[tuple[int, str]]) -> None:
    exposed = [f"{number}/{protocol}" for number, protocol in ports]
    found = parse_port_requests(exposed * 2, {}, publish_all=True)
    assert sorted((one.container_port, one.protocol) for one in found) == sorted(ports)


@given(_ranges.filter(lambda bounds: bounds[1] - bounds[0] < 500), _protocols)
def test_a_range_has_all_its_ports(bounds: list[int], protocol: str) -> None:
    found = parse_port_range(f"{bounds[0]}-{bounds[1]}/{protocol}")
    assert [number for number, _ in found] == list(range(bounds[0], bounds[1] + 1))
