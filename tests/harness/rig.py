"""One engine's networks for a test, and machines and programs that stand around them."""

from __future__ import annotations

import itertools
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import IO, Any

from harness.leaks import NFT_FAMILIES
from naru.clock import SystemClock
from naru.db.database import Database
from naru.linux import nftables
from naru.linux.netlink import RouteSocket
from naru.network.model import (
    EndpointRequest,
    NetworkConfig,
    PortRequest,
    Sandbox,
    SandboxRequest,
)
from naru.network.networks import Networks
from naru.network.turnstile import turnstile_of

# Answers each TCP connection with who asks; the first line says that it listens.
TCP_SERVER = """
import socket, sys
server = socket.create_server(("0.0.0.0", int(sys.argv[1])))
print("ready", flush=True)
while True:
    client, peer = server.accept()
    client.sendall(f"{sys.argv[2]} {peer[0]}".encode())
    client.close()
"""
UDP_SERVER = """
import socket, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("0.0.0.0", int(sys.argv[1])))
print("ready", flush=True)
while True:
    data, peer = server.recvfrom(100)
    server.sendto(f"{sys.argv[2]} {peer[0]}".encode(), peer)
"""
TCP_CLIENT = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=float(sys.argv[3])) as c:
        print(c.recv(100).decode())
except OSError as error:
    print("failed", type(error).__name__)
"""
UDP_CLIENT = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
client = socket.socket(family, socket.SOCK_DGRAM)
client.settimeout(float(sys.argv[3]))
client.connect((sys.argv[1], int(sys.argv[2])))
try:
    client.send(b"hello")
    print(client.recv(100).decode())
except OSError as error:
    print("failed", type(error).__name__)
"""


@dataclass
class Rig:
    """One engine's networks, and what stands around them."""

    root: Path
    config: NetworkConfig
    database: Database
    networks: Networks
    processes: list[subprocess.Popen[str]] = field(default_factory=list)
    outsides: list[str] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def connect(
        self,
        *ports: PortRequest,
        name: str = "box",
        networks: Sequence[dict[str, Any]] = (),
        **more: Any,
    ) -> Sandbox:
        """Connect a new container to one network, or to several."""
        return self.networks.open(
            SandboxRequest(
                container_id=secrets.token_hex(32),
                container_name=name,
                hostname=name,
                endpoints=tuple(EndpointRequest(**one) for one in networks or [more]),
                ports=ports,
            )
        )

    def again(self, **changes: Any) -> Networks:
        """Give the networks of a next engine on the same state; this one's is forgotten."""
        self.networks.close()
        self.config = replace(self.config, **changes)
        self.networks = Networks(self.config, self.database, SystemClock())
        return self.networks

    def serve(
        self, where: Sandbox | str | None, port: int, answer: str, *, udp: bool = False
    ) -> None:
        """Start a server in a sandbox, outside or on the host: it answers this and its peer."""
        output = self.start(where, UDP_SERVER if udp else TCP_SERVER, str(port), answer)
        assert output.readline() == "ready\n"

    def start(self, where: Sandbox | str | None, code: str, *arguments: str) -> IO[str]:
        """Start a Python program that ends with the test; returns its output."""
        process = subprocess.Popen(
            [*_inside(where), sys.executable, "-uc", code, *arguments],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        assert process.stdout is not None
        return process.stdout

    def ask(
        self,
        where: Sandbox | str | None,
        address: str,
        port: int,
        *,
        udp: bool = False,
        patience_s: float = 20.0,
    ) -> str:
        """Return what a server says to a client in a sandbox, outside, or on the host.

        `patience_s` is for who expects that nothing comes: the default is never waited for by
        clients that are answered.
        """
        code = UDP_CLIENT if udp else TCP_CLIENT
        answer = subprocess.run(
            [*_inside(where), sys.executable, "-c", code, address, str(port), str(patience_s)],
            capture_output=True,
            text=True,
            check=True,
        )
        return answer.stdout.strip()

    def shell(self, where: Sandbox | str, command: str) -> str:
        """Run a command line in a sandbox or outside."""
        words = [*_inside(where), "sh", "-c", command]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout

    def outside(self) -> tuple[str, str, str]:
        """Make another machine; returns its name, its address and the host's towards it."""
        name = f"nto{os.getpid() % 100_000}x{next(self.numbers)}"
        upper = IPv4Address(int(IPv4Address(self.gateway)) // 4096 * 4096 + 4096 - 16)
        own, host = str(upper + 2 + 4 * len(self.outsides)), str(upper + 1 + 4 * len(self.outsides))
        for command in (
            f"ip netns add {name}",
            f"ip link add {name} type veth peer name eth0 netns {name}",
            f"ip addr add {host}/30 dev {name}",
            f"ip link set {name} up",
            f"ip -n {name} addr add {own}/30 dev eth0",
            f"ip -n {name} link set eth0 up",
            f"ip -n {name} link set lo up",
            f"ip -n {name} route add default via {host}",
        ):
            subprocess.run(command.split(), check=True)
        self.outsides.append(name)
        return name, own, host

    @property
    def gateway(self) -> str:
        """Return the bridge's address."""
        return self.networks.gateway("bridge")

    def close(self) -> None:
        """Remove everything, and see that nothing is left."""
        for process in self.processes:
            process.kill()
            process.communicate()
        for name in self.outsides:
            subprocess.run(["ip", "netns", "del", name], check=True)
        self.networks.teardown()
        self.database.close()
        with RouteSocket() as kernel:
            assert kernel.link(self.config.bridge) is None
            assert kernel.link(turnstile_of(self.config.bridge).inlet) is None
        for family in NFT_FAMILIES:
            assert nftables.structure_text(family, self.config.table) is None
        assert not list((self.root / "netns").iterdir())
        assert f"{self.root}/" not in Path("/proc/self/mountinfo").read_text()


def _inside(where: Sandbox | str | None) -> list[str]:
    if where is None:
        return []
    path = where.netns_path if isinstance(where, Sandbox) else f"/run/netns/{where}"
    return ["nsenter", f"--net={path}"]
