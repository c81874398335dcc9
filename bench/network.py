"""Measure the networks of engines, side by side and in turn.

    bench/network.py naru=/run/naru.sock docker=/run/docker.sock [--netns NAME] [--case make …]

Each engine needs an image `busybox:latest`; iperf3 and python3 are lent by this machine. The
engines share one network namespace: this one, or the named one. Of cases in ms and in us less is
better, of those in Gbit/s and per second more. Otherwise as `engine.py`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from engine import Client, compare, timed

_LENT = [
    "/usr:/usr:ro",
    "/usr/lib:/lib:ro",
    "/usr/lib64:/lib64:ro",
    "/etc/alternatives:/etc/alternatives:ro",
]
_SECONDS = 3
_PORT = 5201
# Takes connections and closes them, as fast as one process can.
_ACCEPTOR = """
import socket
server = socket.create_server(("0.0.0.0", 5201), backlog=1024)
while True:
    server.accept()[0].close()
"""
# Opens connections one after the other for some seconds; prints how many a second.
_CONNECTOR = """
import socket, sys, time
host, port, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
end, count = time.monotonic() + seconds, 0
while time.monotonic() < end:
    with socket.create_connection((host, port)) as link:
        link.recv(1)
    count += 1
print(count / seconds)
"""
# Asks for a name again and again; prints the median in microseconds.
_ASKER = """
import socket, statistics, struct, time
question = b"".join(bytes([len(p)]) + p for p in (b"peer",)) + b"\\0" + struct.pack(">HH", 1, 1)
times = []
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
    asker.connect(("127.0.0.11", 53))
    asker.settimeout(5)
    for number in range(1000):
        began = time.perf_counter()
        asker.send(struct.pack(">HHHHHH", number, 0x100, 1, 0, 0, 0) + question)
        answer = asker.recv(512)
        times.append(time.perf_counter() - began)
        assert answer[:2] == struct.pack(">H", number) and answer[7] == 1, answer
print(statistics.median(times) * 1e6)
"""

_prefix: list[str] = []


def _outside(*argv: str) -> str:
    """Run a program where the engines are, outside of their containers."""
    return subprocess.run([*_prefix, *argv], check=True, capture_output=True, text=True).stdout


@contextlib.contextmanager
def _network(client: Client) -> Iterator[str]:
    name = f"bench-{secrets.token_hex(6)}"
    client.call("POST", "/networks/create", {"Name": name})
    try:
        yield name
    finally:
        client.call("DELETE", f"/networks/{name}")


@contextlib.contextmanager
def _container(client: Client, network: str, *command: str, **more: Any) -> Iterator[str]:
    ends = {network: {"Aliases": [more.pop("alias")]}} if "alias" in more else {}
    body = {
        "Image": "busybox:latest",
        "Cmd": list(command),
        "ExposedPorts": {f"{_PORT}/tcp": {}},
        "HostConfig": {"NetworkMode": network, "Binds": _LENT, "Init": True} | more,
        "NetworkingConfig": {"EndpointsConfig": ends},
    }
    made: str = json.loads(client.call("POST", "/containers/create", body))["Id"]
    try:
        client.call("POST", f"/containers/{made}/start")
        yield made
    finally:
        client.remove(made)


def _inside(client: Client, container: str, *argv: str) -> str:
    """Run a program in a container; return what it prints."""
    body = {"Cmd": list(argv), "AttachStdout": True, "AttachStderr": True, "Tty": True}
    made = json.loads(client.call("POST", f"/containers/{container}/exec", body))["Id"]
    return client.call("POST", f"/exec/{made}/start", {"Detach": False, "Tty": True}).decode()


def _gigabits(report: str) -> float:
    return float(json.loads(report)["end"]["sum_received"]["bits_per_second"]) / 1e9


def _address(client: Client, container: str, network: str) -> str:
    found = json.loads(client.call("GET", f"/containers/{container}/json"))
    return str(found["NetworkSettings"]["Networks"][network]["IPAddress"])


def make(path: str) -> float:
    """A network made and removed."""
    client = Client(path)

    def work() -> None:
        with _network(client):
            pass

    return timed(work)


def join(path: str) -> float:
    """A running container connected and disconnected."""
    client = Client(path)
    with (
        _network(client) as one,
        _network(client) as two,
        _container(client, one, "sleep", "1000") as box,
    ):

        def work() -> None:
            client.call("POST", f"/networks/{two}/connect", {"Container": box})
            client.call("POST", f"/networks/{two}/disconnect", {"Container": box})

        return timed(work)


def between(path: str) -> float:
    """TCP from one container to another."""
    client = Client(path)
    argv = ("iperf3", "--json", "-t", str(_SECONDS), "-c")
    with (
        _network(client) as net,
        _container(client, net, "iperf3", "-s") as server,
        _container(client, net, "sleep", "1000") as box,
    ):
        time.sleep(0.5)
        return _gigabits(_inside(client, box, *argv, _address(client, server, net)))


@contextlib.contextmanager
def _published(client: Client, *command: str) -> Iterator[int]:
    ports = {f"{_PORT}/tcp": [{"HostIp": "", "HostPort": ""}]}
    with _container(client, "bridge", *command, PortBindings=ports) as box:
        found = json.loads(client.call("GET", f"/containers/{box}/json"))
        time.sleep(0.5)
        yield int(found["NetworkSettings"]["Ports"][f"{_PORT}/tcp"][0]["HostPort"])


def published(path: str) -> float:
    """TCP from outside through a published port, to an address of the machine."""
    client = Client(path)
    gateway = json.loads(client.call("GET", "/networks/bridge"))["IPAM"]["Config"][0]["Gateway"]
    with _published(client, "iperf3", "-s") as port:
        argv = ("iperf3", "--json", "-t", str(_SECONDS), "-p", str(port), "-c", gateway)
        return _gigabits(_outside(*argv))


def connections(path: str) -> float:
    """Connections a second through a port published on 127.0.0.1."""
    client = Client(path)
    with _published(client, "python3", "-c", _ACCEPTOR) as port:
        argv = ("127.0.0.1", str(port), str(_SECONDS))
        return float(_outside("python3", "-c", _CONNECTOR, *argv))


def connections_at_once(path: str) -> float:
    """The same by four clients at once."""
    client = Client(path)
    with _published(client, "python3", "-c", _ACCEPTOR) as port:
        argv = ("python3", "-c", _CONNECTOR, "127.0.0.1", str(port), str(_SECONDS))
        with ThreadPoolExecutor(4) as pool:
            return sum(map(float, pool.map(lambda _: _outside(*argv), range(4))))


def names(path: str) -> float:
    """A name of a neighbour, asked for a thousand times."""
    client = Client(path)
    with (
        _network(client) as net,
        _container(client, net, "sleep", "1000", alias="peer"),
        _container(client, net, "sleep", "1000") as box,
    ):
        return float(_inside(client, box, "python3", "-c", _ASKER).split()[-1])


CASES: dict[str, tuple[Callable[[str], float], str]] = {
    "make": (make, "ms"),
    "join": (join, "ms"),
    "between": (between, "Gbit/s"),
    "published": (published, "Gbit/s"),
    "connections": (connections, "/s"),
    "connections4": (connections_at_once, "/s"),
    "names": (names, "us"),
}


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("engines", nargs="+", metavar="NAME=SOCKET")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--netns", help="where the engines are, if it is not here")
    parser.add_argument("--case", action="append", choices=CASES)
    arguments = parser.parse_args()
    if arguments.netns:
        _prefix[:] = ["nsenter", f"--net=/run/netns/{arguments.netns}"]
    for case in arguments.case or CASES:
        measure, unit = CASES[case]
        compare(arguments.engines, {case: measure}, arguments.runs, unit)


if __name__ == "__main__":
    main()
