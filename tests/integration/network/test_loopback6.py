"""Ports published on `::1` itself, whether or not bridges hand IPv6 to the firewall.

They do (br_netfilter) where Docker switches it on; in a namespace of the test's own, it can say.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.requirements import requires

pytestmark = requires("root", "ip", "nsenter", "unshare")

SCRIPT = """
import pathlib, socket, subprocess, sys, threading
from naru.clock import SystemClock
from naru.db.database import Database
from naru.network.model import EndpointRequest, NetworkConfig, NetworkRequest, PortRequest
from naru.network.model import SandboxRequest
from naru.network.networks import Networks
root = pathlib.Path(sys.argv[1])
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
filtering = pathlib.Path("/proc/sys/net/bridge/bridge-nf-call-ip6tables")
if filtering.exists():
    filtering.write_text(sys.argv[2])
config = NetworkConfig(exec_root=root, bridge="br0", bip="10.9.0.1/24", table="t")
networks = Networks(config, Database(root / "naru.db"), SystemClock())
networks.start()
networks.restore(())
networks.create(NetworkRequest(name="six", ipv6=True))
box = networks.open(SandboxRequest(
    container_id="a" * 64, container_name="a", endpoints=(EndpointRequest(network="six"),),
    ports=(PortRequest(80), PortRequest(81, host_ip="::1"), PortRequest(53, "udp")),
))
server = '''
import socket
found = [socket.create_server(("::", port), family=socket.AF_INET6) for port in (81, 80)]
print("ready", flush=True)
for one in found:
    client, peer = one.accept()
    data = client.makefile("rb").read(8_000_000)
    client.sendall(data[::-1])
    client.close()
datagrams = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
datagrams.bind(("::", 53))
data, peer = datagrams.recvfrom(65535)
datagrams.sendto(data[::-1], peer)
'''
process = subprocess.Popen(
    ["nsenter", f"--net={box.netns_path}", sys.executable, "-uc", server],
    stdout=subprocess.PIPE, text=True,
)
assert process.stdout.readline() == "ready\\n"
try:
    for port in sorted(box.published, key=lambda port: -port.container_port):
        if ":" in port.host_ip and port.protocol == "udp":
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
                sender.settimeout(10)
                sender.connect(("::1", port.host_port))
                sender.send(b"ab" * 10_000)
                print(port.container_port, sender.recv(65535) == b"ba" * 10_000)
        elif ":" in port.host_ip:
            with socket.create_connection(("::1", port.host_port), timeout=10) as stream:
                data = bytes(range(250)) * 32_000
                threading.Thread(target=stream.sendall, args=(data,)).start()
                print(port.container_port, stream.makefile("rb").read() == data[::-1])
    # A container that says ::1 on the wire does not reach the host's own.
    secret = socket.create_server(("::1", 7777), family=socket.AF_INET6)
    shell = lambda text: subprocess.run(["sh", "-ec", text], check=True, capture_output=True)
    shell("nft add table ip6 seen")
    shell("nft add chain ip6 seen wire '{ type filter hook prerouting priority -400; }'")
    shell("nft add rule ip6 seen wire iifname != lo ip6 daddr ::1 counter")
    inside = f"nsenter --net={box.netns_path}"
    gateway = box.endpoints[0].ipv6_gateway
    shell(f"{inside} ip addr del ::1/128 dev lo; {inside} ip -6 route add ::1 via {gateway}")
    ask = "import socket; socket.create_connection(('::1', 7777), timeout=1)"
    asked = subprocess.run([*inside.split(), sys.executable, "-c", ask], capture_output=True)
    seen = subprocess.run("nft list table ip6 seen".split(), capture_output=True).stdout
    print("kept out", asked.returncode == 1, b"packets 0 " not in seen)
finally:
    process.kill()
    process.wait()
    networks.teardown()
"""


@pytest.mark.parametrize("filtering", ["0", "1"])
def test_ports_are_reached_on_the_hosts_ipv6_loopback(tmp_path: Path, filtering: str) -> None:
    argv = ["unshare", "--net", "--mount", sys.executable, "-c", SCRIPT, str(tmp_path), filtering]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    # What is on the wire is seen by the firewall only where bridges hand it over.
    kept_out = f"kept out True {filtering == '1'}\n"
    expected = f"81 True\n80 True\n53 True\n{kept_out}"
    assert (done.returncode, done.stdout) == (0, expected), done.stderr
