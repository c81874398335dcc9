"""Measure engines that speak the Docker Engine API, side by side and in turn.

    bench/engine.py naru=/run/naru.sock docker=/run/docker.sock [--runs 7] [--case run …]

Each engine needs an image `busybox:latest`. Cases run interleaved, so that a machine that slows
down does so for all; the first engine is set against the others by the median of the ratios of
neighbouring runs. Times are wall-clock milliseconds as a client sees them.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import socket
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any
from urllib.parse import quote

API = "/v1.41"
PARALLEL = 4
LINES = 200_000


class Connection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=300)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Client:
    """One connection to one engine."""

    def __init__(self, path: str) -> None:
        self._connection = Connection(path)

    def call(self, method: str, path: str, body: Any = None, *, auth: str = "") -> bytes:
        """Return the answer's body; anything but success is an error."""
        text = json.dumps(body) if body is not None else None
        headers = {"Content-Type": "application/json"} if text else {}
        return self._ask(method, path, text, headers | ({"X-Registry-Auth": auth} if auth else {}))

    def send(self, method: str, path: str, archive: IO[bytes]) -> bytes:
        """Do as `call` does with a tar as the body."""
        return self._ask(method, path, archive, {"Content-Type": "application/x-tar"})

    def _ask(
        self, method: str, path: str, body: str | IO[bytes] | None, headers: dict[str, str]
    ) -> bytes:
        self._connection.request(method, API + path, body, headers)
        answer = self._connection.getresponse()
        data = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {data.decode(errors='replace')}")
        return data

    def create(self, *command: str, **host: Any) -> str:
        """Make a container and return its id."""
        body = {"Image": "busybox:latest", "Cmd": list(command), "HostConfig": host}
        return str(json.loads(self.call("POST", "/containers/create", body))["Id"])

    def run(self, *command: str, **host: Any) -> None:
        """Create, start, await and remove a container."""
        container = self.create(*command, **host)
        self.call("POST", f"/containers/{container}/start")
        self.call("POST", f"/containers/{container}/wait")
        self.remove(container)

    def up(self) -> str:
        """Return a container that runs."""
        container = self.create("sleep", "1000")
        self.call("POST", f"/containers/{container}/start")
        return container

    def remove(self, container: str) -> None:
        """Remove a container, running or not."""
        self.call("DELETE", f"/containers/{container}?force=1&v=1")


def timed(work: Callable[[], object]) -> float:
    """Return how many milliseconds `work` takes."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def run(path: str) -> float:
    """One `run --rm true` with a network."""
    client = Client(path)
    return timed(lambda: client.run("true"))


def run_nonet(path: str) -> float:
    """The same without a network."""
    client = Client(path)
    return timed(lambda: client.run("true", NetworkMode="none"))


def start(path: str) -> float:
    """From `start` to its answer."""
    client = Client(path)
    container = client.create("sleep", "1000")
    took = timed(lambda: client.call("POST", f"/containers/{container}/start"))
    client.remove(container)
    return took


def execute(path: str) -> float:
    """One `exec true` in a running container."""
    client = Client(path)
    container = client.up()

    def once() -> None:
        body = {"Cmd": ["true"], "AttachStdout": True, "AttachStderr": True}
        answer = client.call("POST", f"/containers/{container}/exec", body)
        client.call("POST", f"/exec/{json.loads(answer)['Id']}/start", {"Detach": False})

    once()
    took = timed(once)
    client.remove(container)
    return took


def parallel(path: str) -> float:
    """Twenty runs over four connections."""
    clients = [Client(path) for _ in range(PARALLEL)]

    def share(client: Client) -> None:
        for _ in range(5):
            client.run("true")

    with ThreadPoolExecutor(PARALLEL) as pool:
        return timed(lambda: list(pool.map(share, clients)))


def logs(path: str) -> float:
    """Write 200,000 lines and read them back, none lost."""
    client = Client(path)
    line = "a line as long as lines of logs often are, give or take a word or two"
    container = client.create("sh", "-c", f"yes '{line}' | head -n {LINES}")

    def once() -> None:
        client.call("POST", f"/containers/{container}/start")
        client.call("POST", f"/containers/{container}/wait")
        log = client.call("GET", f"/containers/{container}/logs?stdout=1&stderr=1")
        # Engines bound their logs by default, so the newest lines are what must be whole.
        whole = line.encode() + b"\n"
        if log.count(whole) != log.count(b"\n") or log.count(whole) < LINES // 2:
            raise RuntimeError(f"{log.count(whole)} of {LINES} lines came back whole")

    took = timed(once)
    client.remove(container)
    return took


# 3,000 small files, 40 MB in one, and 390 hard links more.
_GROW = (
    "mkdir /d; i=0; while [ $i -lt 3000 ]; do echo $i > /d/$i; i=$((i+1)); done;"
    " dd if=/dev/urandom of=/big bs=1000000 count=40; cp -a /bin /bin2"
)


def of_grown(work: Callable[[Client, str], object]) -> Callable[[str], float]:
    """Return a case: the time that `work` takes with a container that has written 60 MB."""

    def case(path: str) -> float:
        client = Client(path)
        container = client.create("sh", "-c", _GROW)
        client.call("POST", f"/containers/{container}/start")
        client.call("POST", f"/containers/{container}/wait")
        took = timed(lambda: work(client, container))
        images = f'/images/json?all=1&filters={{"label":["bench={container}"]}}'
        for image in json.loads(client.call("GET", quote(images, safe="/?=&"))):
            client.call("DELETE", f"/images/{image['Id']}?force=1")
        client.remove(container)
        return took

    return case


def diff(client: Client, container: str) -> None:
    """What the container changed."""
    client.call("GET", f"/containers/{container}/changes")


def export(client: Client, container: str) -> None:
    """All its files as a tar."""
    client.call("GET", f"/containers/{container}/export")


def commit(client: Client, container: str) -> str:
    """An image of it."""
    change = quote(f"LABEL bench={container}")
    answer = client.call("POST", f"/commit?container={container}&changes={change}")
    return str(json.loads(answer)["Id"])


def save(path: str) -> float:
    """That image as an archive."""
    took = 0.0

    def work(client: Client, container: str) -> None:
        nonlocal took
        image = commit(client, container)
        took = timed(lambda: client.call("GET", f"/images/{image}/get"))

    of_grown(work)(path)
    return took


def load(path: str) -> float:
    """That archive into an engine that has nothing of it but the lowest layer."""
    took = 0.0

    def work(client: Client, container: str) -> None:
        nonlocal took
        image = commit(client, container)
        archive = client.call("GET", f"/images/{image}/get")
        client.call("DELETE", f"/images/{image}?force=1")
        took = timed(lambda: client.send("POST", "/images/load?quiet=1", io.BytesIO(archive)))

    of_grown(work)(path)
    return took


def import_tree(path: str) -> float:
    """The files of it all, imported as an image of one layer."""
    took = 0.0

    def work(client: Client, container: str) -> None:
        nonlocal took
        tree = client.call("GET", f"/containers/{container}/export")
        change = quote(f"LABEL bench={container}")
        query = f"/images/create?fromSrc=-&changes={change}"
        took = timed(lambda: client.send("POST", query, io.BytesIO(tree)))

    of_grown(work)(path)
    return took


CASES: dict[str, Callable[[str], float]] = {
    "run": run,
    "run_nonet": run_nonet,
    "start": start,
    "exec": execute,
    "parallel20": parallel,
    "logs": logs,
    "diff": of_grown(diff),
    "export": of_grown(export),
    "commit": of_grown(commit),
    "save": save,
    "load": load,
    "import": import_tree,
}


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("engines", nargs="+", metavar="NAME=SOCKET")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--case", action="append", choices=CASES)
    arguments = parser.parse_args()
    chosen = {case: CASES[case] for case in arguments.case or CASES}
    compare(arguments.engines, chosen, arguments.runs)


def compare(
    entries: list[str], cases: Mapping[str, Callable[[str], float]], runs: int, unit: str = "ms"
) -> None:
    """Print a row for each case: medians in `unit`, then ratios of the first engine to others.

    `entries` are NAME=SOCKET. The cases' engines take turns; a first round is not counted.
    """
    engines = dict(entry.split("=", 1) for entry in entries)
    first, *others = engines
    print("".join(f"{word:>16}" for word in ("case", *engines, *(f"{first}/{o}" for o in others))))
    for case, measure in cases.items():
        found: dict[str, list[float]] = {name: [] for name in engines}
        for number in range(runs + 1):
            for name, path in engines.items():
                figure = measure(path)
                if number:  # the first round warms up
                    found[name].append(figure)
        medians = [f"{statistics.median(found[name]):.1f} {unit}" for name in engines]
        ratios = [
            f"{statistics.median(map(float.__truediv__, found[first], found[other])):.2f}"
            for other in others
        ]
        print("".join(f"{word:>16}" for word in (case, *medians, *ratios)))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
