"""Where ports are published, and whose rules hold: what `daemon.json` says of both."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest

from harness.engine import Engine
from harness.narud import EngineUnderTest
from harness.ports import free_port
from harness.waiting import eventually

pytestmark = pytest.mark.naru_only
_HOST_IP = "com.docker.network.bridge.host_binding_ipv4"


def _published(engine: Engine, host_ip: str = "", **host: Any) -> set[str]:
    binding = {"HostIp": host_ip, "HostPort": str(free_port())}
    container = engine.up(host={"PortBindings": {"80/tcp": [binding]}, **host})
    ports = engine.inspect(container)["NetworkSettings"]["Ports"]
    return {one["HostIp"] for one in ports["80/tcp"]}


def _says(engine: EngineUnderTest, words: str) -> None:
    def probe() -> bool:
        assert words in engine.log_tail()
        return True

    eventually(probe, f"the engine says: {words}")


def test_the_configuration_says_where_ports_are_and_which_rules_hold(
    own_engine: EngineUnderTest,
) -> None:
    engine, rules = own_engine, own_engine.root / "firewall.nft"
    engine.terminate()
    settings = {
        "published-ports-policy": "127.0.0.1,::1",
        "firewall-rules": str(rules),
        "userland-proxy": False,
    }
    (engine.root / "daemon.json").write_text(json.dumps(settings))
    rules.write_text("tcp dport 7 drop\n")
    engine.start_engine()
    assert _published(engine) == {"127.0.0.1"}
    assert _published(engine, "0.0.0.0") == {"0.0.0.0"}, "what is asked for counts first"
    bridge = engine.api("GET", "/networks/bridge").json()
    assert bridge["Options"][_HOST_IP] == "127.0.0.1"
    six = {"Name": "six", "EnableIPv6": True}
    own = {"Name": "own", "Options": {_HOST_IP: "127.0.0.2"}}
    for body in (six, own):
        engine.api("POST", "/networks/create", body).ok(201)
    assert _published(engine, NetworkMode="six") == {"127.0.0.1", "::1"}
    assert _published(engine, NetworkMode="own") == {"127.0.0.2"}, "then what the network says"
    # Rules are taken again when the engine is told to look.
    rules.write_text("tcp dport 7 dorp\n")
    os.kill(engine.pid, signal.SIGHUP)
    _says(engine, f"the firewall rules stay as they were: firewall rules: {rules}:1:")
    rules.write_text("tcp dport 8 drop\n")
    os.kill(engine.pid, signal.SIGHUP)
    _says(engine, "reloaded: the firewall rules are in force")
    warnings = engine.api("GET", "/info").json()["Warnings"] or []
    assert not any(engine.table in warning for warning in warnings)
