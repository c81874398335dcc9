"""docker-compose brings up an application of three services, made from Debian's packages."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import leaks, narud
from harness.narud import EngineUnderTest
from harness.requirements import requires
from harness.waiting import eventually

_HERE = Path(__file__).parent
_TREE = _HERE.parents[1] / "build" / "application.tar"
pytestmark = requires("root", "docker", "docker-compose", str(_TREE))


class Shop:
    """The application in the folder `shop`, as one project of compose."""

    def __init__(self, engine: EngineUnderTest, project: str) -> None:
        self.engine = engine
        self.project = project

    def compose(self, *words: str) -> str:
        """Run docker-compose; return what it printed."""
        done = subprocess.run(
            ["docker-compose", "--ansi=never", f"--project-name={self.project}", *words],
            cwd=_HERE / "shop",
            # Later releases would ask for BuildKit, which is none of the engine's.
            env=self.engine.environ | {"DOCKER_BUILDKIT": "0"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"docker-compose {words}: {done.stdout}"
        return done.stdout

    def visit(self, front: str = "") -> tuple[int, str]:
        """Ask the front for its page: the number of the visit, and who answered.

        A service that compose calls up may need a moment until it listens.
        """
        front = front or self.front()
        pages: list[str] = []

        def answers() -> bool:
            with contextlib.suppress(OSError), urllib.request.urlopen(front, timeout=10) as page:
                pages.append(page.read().decode())
            return bool(pages)

        eventually(answers, "the front answers")
        count, instance = pages[0].split()
        return int(count), instance

    def front(self) -> str:
        """Return the URL of the front."""
        return f"http://{self.compose('port', 'web', '80').strip()}/"

    def inspect(self, service: str, number: int = 1) -> dict[str, Any]:
        """Return all that the engine knows of a service's container."""
        path = f"/containers/{self.project}_{service}_{number}/json"
        found: dict[str, Any] = self.engine.api("GET", path).json()
        return found


@pytest.fixture(scope="module")
def stocked_engine() -> Iterator[EngineUnderTest]:
    """Give an engine that has the packages as the image `base`."""
    engine = narud.started()
    try:
        engine.docker("import", str(_TREE), "base").ok()
        yield engine
    finally:
        engine.destroy()


@pytest.fixture(scope="module")
def shop(stocked_engine: EngineUnderTest) -> Iterator[Shop]:
    """Give the application, up, to tests that leave it as it is."""
    shop = Shop(stocked_engine, "shop")
    shop.compose("up", "-d")
    yield shop
    shop.compose("down", "-v", "-t", "1")


def test_services_start_when_what_they_need_is_healthy(shop: Shop) -> None:
    label = f"com.docker.compose.project={shop.project}"
    # Docker's command cuts relative times to whole seconds.
    times = "--since=1h", f"--until={time.time():.9f}"
    lines = shop.engine.docker("events", *times, f"--filter=label={label}", "--format={{json .}}")
    told = []
    for event in map(json.loads, lines.ok().lines()):
        attributes = event["Actor"]["Attributes"]
        told.append((attributes["com.docker.compose.service"], event["Action"]))
    first = {each: told.index(each) for each in told if each[1] != "exec_start"}
    assert first["db", "health_status: healthy"] < first["app", "start"]
    assert first["app", "health_status: healthy"] < first["web", "start"]
    before = shop.visit()[0]
    assert shop.visit()[0] == before + 1
    shown = shop.compose("ps")
    assert shown.count("Up (healthy)") == 2
    assert "->80/tcp" in shown


def test_services_reach_only_those_on_their_networks(shop: Shop) -> None:
    assert shop.compose("exec", "-T", "app", "redis-cli", "-h", "db", "ping") == "PONG\n"
    database = next(iter(shop.inspect("db")["NetworkSettings"]["Networks"].values()))
    unknown = shop.engine.docker("exec", "shop_web_1", "busybox", "nslookup", "db")
    assert unknown.code != 0
    far = ["busybox", "timeout", "2", "redis-cli", "-h", database["IPAddress"], "ping"]
    assert shop.engine.docker("exec", "shop_web_1", *far).code != 0
    assert database["Gateway"] == ""


def test_each_of_three_instances_takes_its_turn(shop: Shop) -> None:
    shop.compose("up", "-d", "--scale", "app=3")
    expected = {shop.inspect("app", number)["Config"]["Hostname"] for number in (1, 2, 3)}
    seen: set[str] = set()
    front = shop.front()

    def all_seen() -> bool:
        seen.add(shop.visit(front)[1])
        return seen == expected

    eventually(all_seen, "every instance answers", timeout_s=60)
    shop.compose("up", "-d", "--scale", "app=1")
    assert shop.compose("ps", "-q", "app").count("\n") == 1


def test_data_outlives_down_and_ends_with_its_volume(stocked_engine: EngineUnderTest) -> None:
    shop = Shop(stocked_engine, "kept")
    shop.compose("build")
    before = stocked_engine.footprint()
    shop.compose("up", "-d")
    assert shop.visit()[0] == 1
    shop.compose("restart", "-t", "1")
    assert shop.visit()[0] == 2
    shop.compose("down", "-t", "1")
    shop.compose("up", "-d")
    assert shop.visit()[0] == 3
    shop.compose("down", "-v", "-t", "1")
    leaks.assert_nothing_left(before, stocked_engine.footprint, what="compose down -v")
    shop.compose("up", "-d")
    assert shop.visit()[0] == 1
    shop.compose("down", "-v", "-t", "1")


def test_logs_come_from_all_services(shop: Shop) -> None:
    shop.visit()
    logs = shop.compose("logs", "--no-color")
    assert '"GET / HTTP/1.1" 200' in logs
    assert "Ready to accept connections" in logs
    label = f"com.docker.compose.project={shop.project}"
    listed = shop.engine.api(
        "GET", "/containers/json", query={"filters": json.dumps({"label": [label]})}
    ).json()
    services = {each["Labels"]["com.docker.compose.service"] for each in listed}
    assert services == {"web", "app", "db"}
