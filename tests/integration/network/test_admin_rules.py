"""Rules of the administrator's: those of docs/firewall.md, and what becomes of wrong ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.own_host import host, in_own_host, start
from harness.requirements import requires
from harness.rig import Rig
from naru.errors import InvalidInputError
from naru.network.model import PortRequest, Sandbox

pytestmark = requires("root", "ip", "nsenter", "unshare")

_DOCUMENT = Path(__file__).parents[3] / "docs/firewall.md"
_PORT = 8080
_FRIEND, _STRANGER, _SHUNNED = "192.0.2", "198.51.100", "203.0.113"


def _examples() -> str:
    blocks = re.findall(r"```nft\n(.*?)```", _DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 2
    return "".join(blocks)


def _machine(rig: Rig, network: str) -> tuple[str, str]:
    """Make another machine; returns its name and the host's address for it."""
    name, _, _ = rig.outside()
    host(f"ip addr add {network}.1/24 dev {name}; ip -n {name} addr flush dev eth0")
    host(f"ip -n {name} addr add {network}.2/24 dev eth0")
    host(f"ip -n {name} route add default via {network}.1")
    return name, f"{network}.1"


def _documented_rules(rig: Rig) -> None:
    rules = rig.root / "firewall.nft"
    start(rig, firewall_rules=rules)
    box = rig.connect(PortRequest(80, host_port=_PORT), PortRequest(81, host_port=_PORT + 1))
    for port in (80, 81):
        rig.serve(box, port, "hello")
    machines = [_machine(rig, network) for network in (_FRIEND, _STRANGER, _SHUNNED)]
    (friend, to_friend), (stranger, to_stranger), (shunned, _) = machines
    rig.serve(shunned, 7000, "shunned")

    asked: tuple[tuple[Sandbox | str | None, str, int], ...] = (
        (friend, to_friend, _PORT),
        (stranger, to_stranger, _PORT),
        (stranger, to_stranger, _PORT + 1),
        (None, "127.0.0.1", _PORT),
        (box, f"{_SHUNNED}.2", 7000),
    )
    everything, documented = (True,) * 5, (True, False, True, True, False)

    def assert_reached(expected: Sequence[bool], why: str = "") -> None:
        for one, is_reached in zip(asked, expected, strict=True):
            answer = rig.ask(*one, patience_s=20 if is_reached else 0.4)
            assert answer.startswith("failed") != is_reached, f"{one}: {answer} {why}"

    assert_reached(everything)
    rules.write_text(_examples())
    assert_reached(everything, "not in force before it is asked for")
    assert rig.networks.reload_firewall_rules()
    assert_reached(documented)
    assert not rig.networks.reload_firewall_rules()
    # Wrong ones are refused with their place, and leave those before in force.
    rules.write_text("tcp dport 80 accept\n# a slip:\ntcp dprt 80 drop\n")
    with pytest.raises(InvalidInputError, match=rf"^firewall rules: {rules}:3:"):
        rig.networks.reload_firewall_rules()
    assert_reached(documented)
    with pytest.raises(InvalidInputError, match=rf"^firewall rules: {rules}:3:"):
        start(rig)
    assert_reached(documented, "while no engine runs")
    rules.write_text(_examples())
    host("nft flush ruleset")
    start(rig)
    assert_reached(documented)
    # And so does what somebody added by hand go.
    host("nft insert rule inet t admin drop")
    start(rig)
    assert_reached(documented)
    rules.unlink()
    assert rig.networks.reload_firewall_rules()
    assert_reached(everything)


def test_the_documented_rules_do_what_is_said_of_them(tmp_path: Path) -> None:
    in_own_host(_documented_rules, tmp_path)


def _stream_is_cut(rig: Rig) -> None:
    rules = rig.root / "firewall.nft"
    start(rig, firewall_rules=rules)
    box = rig.connect(PortRequest(80, host_port=_PORT))
    echo = (
        "import socket\nserver = socket.create_server(('', 80))\nprint('ready', flush=True)\n"
        "client, _ = server.accept()\nwhile True:\n    client.sendall(client.recv(9))\n"
    )
    assert rig.start(box, echo).readline() == "ready\n"
    outside, _, to_host = rig.outside()
    speaker = (
        "import socket, sys, time\nstream = socket.create_connection((sys.argv[1], 8080))\n"
        "stream.settimeout(20)\n"
        "while True:\n    stream.sendall(b'x')\n    print(stream.recv(9), flush=True)\n"
        "    stream.settimeout(1)\n    time.sleep(0.05)\n"
    )
    lines = rig.start(outside, f"try:\n{_indented(speaker)}except OSError: print('cut')", to_host)
    assert lines.readline() == "b'x'\n"
    rules.write_text(f"meta l4proto tcp ct original proto-dst {_PORT} drop\n")
    rig.networks.reload_firewall_rules()
    assert list(lines)[-1] == "cut\n"


def _indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


def test_a_rule_holds_for_connections_that_stand(tmp_path: Path) -> None:
    in_own_host(_stream_is_cut, tmp_path)


def _relayed(rig: Rig) -> None:
    rules = rig.root / "firewall.nft"
    start(rig, firewall_rules=rules)
    rig.serve(rig.connect(PortRequest(80, host_port=_PORT)), 80, "hello")
    outside, _, _ = rig.outside()
    host(f"ip addr add 2001:db8::1/64 dev {outside} nodad")
    host(f"ip -n {outside} addr add 2001:db8::2/64 dev eth0 nodad")
    assert rig.ask(outside, "2001:db8::1", _PORT).startswith("hello")
    rules.write_text(_examples())
    rig.networks.reload_firewall_rules()
    assert rig.ask(outside, "2001:db8::1", _PORT, patience_s=0.4).startswith("failed")
    assert rig.ask(None, "::1", _PORT).startswith("hello"), "the host itself is not forwarded"
    # What can be said of what is forwarded alone cannot be said of these.
    rules.write_text("tcp flags syn tcp option maxseg size set rt mtu\n")
    with pytest.raises(InvalidInputError, match=f"^firewall rules: {rules}: ") as refusal:
        rig.networks.reload_firewall_rules()
    assert "--userland-proxy=false" in refusal.value.hint
    assert rig.ask(outside, "2001:db8::1", _PORT, patience_s=0.4).startswith("failed")
    start(rig, relays_ports=False)


def test_rules_hold_for_ports_that_are_relayed(tmp_path: Path) -> None:
    in_own_host(_relayed, tmp_path)
