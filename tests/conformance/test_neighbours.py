"""Two engines of ours and a real dockerd on one host: each works, and none disturbs another."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness import dockerd
from harness.engine import Engine
from harness.narud import EngineUnderTest
from harness.requirements import requires
from harness.waiting import eventually

pytestmark = requires("root", "dockerd", "iptables-save")

_HOST_ADDRESS = "192.0.2.1"
_OUTSIDER = "192.0.2.2"
_FETCH = """
import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode())
"""
_SERVE = ["sh", "-c", "hostname > /index.html; exec httpd -f -p 80 -h /"]


@dataclass(frozen=True)
class House:
    """A network namespace that stands for the host, and one for a machine on its network."""

    host: Path
    outside: Path

    def at_host(self, *argv: str) -> str:
        """Run a program on the host."""
        return _run(self.host, argv)

    def from_outside(self, *argv: str) -> str:
        """Run a program on the other machine."""
        return _run(self.outside, argv)


def _run(netns: Path, argv: Sequence[str]) -> str:
    words = ["nsenter", f"--net={netns}", *argv]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"{argv}: {done.stderr}"
    return done.stdout


class HousedEngine(EngineUnderTest):
    """An engine of ours on the host of a house."""

    def __init__(self, house: House) -> None:
        super().__init__()
        self._house = house

    @property
    def argv(self) -> list[str]:
        return ["nsenter", f"--net={self._house.host}", *super().argv]


@pytest.fixture
def house() -> Iterator[House]:
    names = [f"nt{os.getpid()}{letter}" for letter in "ho"]
    host, outside = (Path("/run/netns", name) for name in names)
    server = None
    try:
        for name in names:
            subprocess.run(["ip", "netns", "add", name], check=True)
            subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        link = ["link", "add", "lan0", "type", "veth", "peer", "name", "lan0", "netns", names[1]]
        subprocess.run(["ip", "-n", names[0], *link], check=True)
        for name, address in zip(names, (_HOST_ADDRESS, _OUTSIDER), strict=True):
            subprocess.run(
                ["ip", "-n", name, "addr", "add", f"{address}/24", "dev", "lan0"], check=True
            )
            subprocess.run(["ip", "-n", name, "link", "set", "lan0", "up"], check=True)
        serve = [sys.executable, "-m", "http.server", "-b", _OUTSIDER, "8000", "-d", "/run/netns"]
        server = subprocess.Popen(
            ["nsenter", f"--net={outside}", *serve],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        yield House(host, outside)
    finally:
        if server is not None:
            server.kill()
            server.wait()
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


@dataclass(frozen=True)
class Resident:
    """An engine with a web server that it publishes."""

    engine: Engine
    container: str
    port: str

    def assert_works(self, house: House) -> None:
        """Reach the server from everywhere, and the outside from its container."""
        for address in (f"{_HOST_ADDRESS}:{self.port}", f"127.0.0.1:{self.port}"):
            assert _fetch(house.at_host, address) == self.container[:12]
        assert _fetch(house.from_outside, f"{_HOST_ADDRESS}:{self.port}") == self.container[:12]

    def assert_reaches_out(self) -> None:
        """Fetch something from outside, in the container. Needs the engine."""
        page = _get(f"{_OUTSIDER}:8000", patience_s=20)
        self.engine.docker("exec", self.container, *page).ok()


def _fetch(run: Callable[..., str], address: str) -> str:
    """Return the page at an address as `run` gets it; try again while nothing answers."""

    def probe() -> str:
        return run(sys.executable, "-c", _FETCH, f"http://{address}/").strip()

    return eventually(probe, f"{address} answers")


def _get(address: str, *, patience_s: int = 2) -> list[str]:
    # A time limit of wget's own crashes some builds of busybox.
    return ["timeout", str(patience_s), "wget", "-qO", "/dev/null", f"http://{address}/"]


def _settle(engine: Engine) -> Resident:
    container = engine.docker("run", "-d", "-p", "80", "busybox", *_SERVE).ok().out.strip()
    port = engine.docker("port", container, "80").ok().lines()[0].rpartition(":")[2]
    return Resident(engine, container, port)


def _rules_of_docker(house: House) -> list[str]:
    saved = house.at_host("iptables-save").splitlines()
    # Counters and times go on.
    return [line.partition("[")[0] for line in saved if not line.startswith("#")]


def test_engines_come_and_go_beside_each_other(house: House) -> None:
    with contextlib.ExitStack() as stack:
        ours = [HousedEngine(house), HousedEngine(house)]
        for engine in ours:
            stack.callback(engine.destroy)
        ours[0].start_engine().ensure_busybox()
        docker = stack.enter_context(dockerd.running(netns=house.host))
        docker.ensure_busybox()
        ours[1].start_engine().ensure_busybox()
        residents = [_settle(engine) for engine in (*ours, docker)]
        rules = _rules_of_docker(house)

        def assert_all_work(*, engines: bool = True) -> None:
            for resident in residents:
                resident.assert_works(house)
                if engines:
                    resident.assert_reaches_out()

        assert_all_work()
        for engine in ours:
            engine.kill9()
        assert_all_work(engines=False)
        for engine in ours:
            engine.start_engine()
        assert_all_work()
        assert _rules_of_docker(house) == rules
        docker.docker("network", "create", "others").ok()
        docker.docker("network", "rm", "others").ok()
        assert_all_work()
        # Nobody gets into a network of ours by the way of another engine's.
        address = ours[0].inspect(residents[0].container)["NetworkSettings"]["IPAddress"]
        for stranger in residents[1:]:
            assert stranger.engine.docker("exec", stranger.container, *_get(address)).code == 143
        leaving = residents.pop(0)
        ours[0].docker("rm", "-f", leaving.container).ok()
        ours[0].terminate()
        assert_all_work()
        assert _rules_of_docker(house) == rules
