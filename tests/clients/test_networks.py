"""Networks as people type them, with docker's command and with ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from harness.engine import LABEL, Engine
from harness.programs import Result
from harness.requirements import requires

pytestmark = requires("docker")


@pytest.fixture(params=["docker", "naru"])
def program(engine: Engine, request: pytest.FixtureRequest) -> Callable[..., Result]:
    """Give the command."""
    command: Callable[..., Result] = getattr(engine, request.param)
    return command


def _networks(program: Callable[..., Result], container: str) -> dict[str, Any]:
    shown = program("inspect", "-f", "{{json .NetworkSettings.Networks}}", container).ok()
    found = json.loads(shown.out)
    assert isinstance(found, dict)
    return found


def test_a_container_joins_several_networks_in_the_long_form(
    program: Callable[..., Result],
) -> None:
    label = f"--label={LABEL}"
    made = program("network", "create", label, "--subnet=10.250.30.0/24", "--ipv6", "nt-one").ok()
    assert len(made.out.strip()) == 64
    program("network", "create", label, "--internal", "nt-two").ok()
    program(
        "run", "-d", "--name", "nt-box",
        "--network=name=nt-one,ip=10.250.30.77,mac-address=02:00:00:00:00:77,alias=web,alias=www",
        "--network=name=nt-two,gw-priority=5,driver-opt=com.docker.network.endpoint.ifname=lan7",
        "busybox", "sleep", "1000",
    ).ok()  # fmt: skip
    networks = _networks(program, "nt-box")
    one, two = networks["nt-one"], networks["nt-two"]
    assert (one["IPAddress"], one["MacAddress"]) == ("10.250.30.77", "02:00:00:00:00:77")
    assert one["GlobalIPv6Address"].startswith("fd")
    assert one["Aliases"] == ["web", "www"]
    assert one["DNSNames"][:3] == ["nt-box", "web", "www"]
    assert (two["GwPriority"], two["Gateway"]) == (5, "")
    links = program("exec", "nt-box", "ls", "/sys/class/net").ok().out.split()
    assert links == ["eth0", "lan7", "lo"]
    listed = program("ps", "-f", "network=nt-two", "--format", "{{.Names}} {{.Networks}}").ok()
    # Docker's command takes them from a map, in any order.
    assert listed.out in ("nt-box nt-one,nt-two\n", "nt-box nt-two,nt-one\n")
    refused = program("network", "rm", "nt-one")
    assert refused.code == 1
    assert 'has active endpoints (name:"nt-box" id:"' in refused.err
    program("network", "disconnect", "nt-one", "nt-box").ok()
    program("network", "connect", "--ip=10.250.30.78", "--alias=late", "nt-one", "nt-box").ok()
    again = _networks(program, "nt-box")["nt-one"]
    assert (again["IPAddress"], again["Aliases"]) == ("10.250.30.78", ["late"])
    program("rm", "-f", "nt-box").ok()
    gone = program("network", "rm", "nt-one", "nt-two").ok()
    assert gone.out == "nt-one\nnt-two\n"


def test_prune_names_what_it_removes(program: Callable[..., Result]) -> None:
    program("network", "create", f"--label={LABEL}", "nt-idle").ok()
    asked = program("network", "prune", stdin="n\n").ok()
    assert asked.out.startswith("WARNING! This will remove all custom networks not used by")
    pruned = program("network", "prune", "-f", "--filter", f"label={LABEL}").ok()
    assert pruned.out == "Deleted Networks:\nnt-idle\n\n"
    assert program("network", "prune", "-f", "--filter", f"label={LABEL}").ok().out == ""


def test_ports_are_shown_for_both_versions(program: Callable[..., Result]) -> None:
    program("network", "create", f"--label={LABEL}", "--ipv6", "nt-six").ok()
    program(
        "run", "-d", "--name=nt-box", "--network=nt-six", "-p", "7000", "busybox", "sleep", "99"
    )
    shown = program("ps", "-f", "name=nt-box", "--format", "{{.Ports}}").ok().out.strip()
    assert shown.startswith("0.0.0.0:")
    assert "[::]:" in shown
    program("rm", "-f", "nt-box").ok()
