"""Ports published on `::1` itself, in a network of the test's own where the kernel lets them be.

Where bridges hand IPv6 to the firewall (br_netfilter), as Docker switches it on, the kernel
drops what is translated back to ::1; so this needs a machine, or a namespace, without.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from harness.requirements import requires

pytestmark = requires("root", "ip", "nsenter", "unshare")

SCRIPT = """
import pathlib, socket, subprocess, sys
from naru.clock import SystemClock
from naru.db.database import Database
from naru.network.model import EndpointRequest, NetworkConfig, NetworkRequest, PortRequest
from naru.network.model import SandboxRequest
from naru.network.networks import Networks
root = pathlib.Path(sys.argv[1])
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
filtering = pathlib.Path("/proc/sys/net/bridge/bridge-nf-call-ip6tables")
if filtering.exists():
    filtering.write_text("0")
config = NetworkConfig(exec_root=root, bridge="br0", bip="10.9.0.1/24", table="t")
networks = Networks(config, Database(root / "naru.db"), SystemClock())
networks.start()
networks.restore(())
networks.create(NetworkRequest(name="six", ipv6=True))
box = networks.open(SandboxRequest(
    container_id="a" * 64, container_name="a", endpoints=(EndpointRequest(network="six"),),
    ports=(PortRequest(80), PortRequest(81, host_ip="::1")),
))
server = '''
import socket
found = [socket.create_server(("::", port), family=socket.AF_INET6) for port in (80, 81)]
print("ready", flush=True)
for one in found:
    client, peer = one.accept()
    client.sendall(b"hello")
    client.close()
'''
process = subprocess.Popen(
    ["nsenter", f"--net={box.netns_path}", sys.executable, "-uc", server],
    stdout=subprocess.PIPE, text=True,
)
assert process.stdout.readline() == "ready\\n"
try:
    for port in sorted(box.published):
        if ":" in port.host_ip:
            with socket.create_connection(("::1", port.host_port), timeout=10) as stream:
                print(port.container_port, stream.recv(9).decode())
finally:
    process.kill()
    process.wait()
    networks.teardown()
"""


def test_ports_are_reached_on_the_hosts_ipv6_loopback(tmp_path: Path) -> None:
    argv = ["unshare", "--net", "--mount", sys.executable, "-c", SCRIPT, str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "80 hello\n81 hello\n"), done.stderr
