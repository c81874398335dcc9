"""Fifty networks with four containers each: up, apart from each other, and down."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import leaks
from harness.engine import Engine
from harness.narud import EngineUnderTest
from harness.requirements import requires

pytestmark = requires("root")

_NETWORKS = 50
_PEERS = ("a", "b", "c", "d")


def _up(engine: Engine, number: int) -> str:
    """Make a network with its containers; return the address of the first."""
    network = f"many-{number}"
    engine.api("POST", "/networks/create", {"Name": network}).ok(201)
    for peer in _PEERS:
        engine.up(
            name=f"{network}-{peer}",
            host={"NetworkMode": network},
            NetworkingConfig={"EndpointsConfig": {network: {"Aliases": [peer]}}},
        )
    ends = engine.inspect(f"{network}-a")["NetworkSettings"]["Networks"]
    return str(ends[network]["IPAddress"])


def _look(engine: Engine, number: int, stranger: str) -> None:
    """Reach the three others by alias, and nobody of another network."""
    # Each of fifty networks knows the same four aliases; a stranger has another address.
    script = "for peer in b c d; do ping -c1 -W5 $peer >/dev/null || exit 1; done; "
    script += f"! ping -c1 -W1 {stranger} >/dev/null"
    engine.docker("exec", f"many-{number}-a", "sh", "-c", script).ok()


def _down(engine: Engine, number: int) -> None:
    for peer in _PEERS:
        path = f"/containers/many-{number}-{peer}"
        engine.api("DELETE", path, query={"force": 1}).ok(204)
    engine.api("DELETE", f"/networks/many-{number}").ok(204)


@pytest.mark.slow
def test_fifty_networks_come_up_apart_and_go_down(
    make_engine: Callable[..., EngineUnderTest],
) -> None:
    engine = make_engine()
    # The engine's own range has room for 32; what comes after is taken from the next one.
    engine.terminate()
    lower = next(engine.subnet.network.subnets(prefixlen_diff=1))
    second = list(lower.subnets(prefixlen_diff=1))[1]
    engine.flags.append(f"--default-address-pool=base={second},size=27")
    engine.start_engine()
    before = engine.footprint()
    numbers = range(_NETWORKS)
    with ThreadPoolExecutor(4) as pool:
        addresses = list(pool.map(lambda number: _up(engine, number), numbers))
        assert len(set(addresses)) == _NETWORKS
        strangers = [addresses[number - 1] for number in numbers]
        list(pool.map(lambda number: _look(engine, number, strangers[number]), numbers))
        # Who comes back finds everything as it was.
        engine.kill9()
        engine.start_engine()
        _look(engine, 7, strangers[7])
        list(pool.map(lambda number: _down(engine, number), numbers))
    leaks.assert_nothing_left(before, engine.footprint, what="fifty networks")


def test_a_range_that_is_used_up_is_told(make_engine: Callable[..., EngineUnderTest]) -> None:
    engine = make_engine()
    answers = [
        engine.api("POST", "/networks/create", {"Name": f"many-{number}"}) for number in range(33)
    ]
    assert [answer.status for answer in answers[:32]] == [201] * 32
    assert answers[32].status == 400
    assert answers[32].message == "all predefined address pools have been fully subnetted"
    for number in range(32):
        engine.api("DELETE", f"/networks/many-{number}").ok(204)
