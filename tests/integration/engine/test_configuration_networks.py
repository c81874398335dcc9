"""Networks that only hold a configuration, and networks made from them."""

from __future__ import annotations

from typing import Any

import pytest

from harness.engine import LABELS, Engine
from harness.narud import EngineUnderTest
from harness.wire import Response

_SAID = {"Subnet": "10.250.40.0/24", "IPRange": "10.250.40.128/25", "Gateway": "10.250.40.5"}
_LABELS = LABELS | {"kept": "yes"}


def _kept(engine: Engine, name: str, **body: Any) -> None:
    options = {"com.docker.network.driver.mtu": "1400"}
    ipam = {"Config": [_SAID]}
    engine.network(name, ConfigOnly=True, IPAM=ipam, Options=options, Labels=_LABELS, **body)


def _make(engine: Engine, name: str, source: str, **body: Any) -> Response:
    reference = {"Name": name, "ConfigFrom": {"Network": source}}
    return engine.api("POST", "/networks/create", {**reference, **body})


def _shown(engine: Engine, name: str) -> dict[str, Any]:
    found = engine.api("GET", f"/networks/{name}").ok(200).json()
    assert isinstance(found, dict)
    return found


def test_a_network_has_what_its_configuration_says(engine: Engine) -> None:
    _kept(engine, "nt-kept")
    kept = _shown(engine, "nt-kept")
    assert (kept["Driver"], kept["Scope"], kept["ConfigOnly"]) == ("null", "local", True)
    # Nobody is on it, so others may have its addresses.
    _kept(engine, "nt-kept-too")
    _make(engine, "nt-made", "nt-kept", Internal=True).ok(201)
    made = _shown(engine, "nt-made")
    assert (made["Driver"], made["ConfigOnly"], made["Internal"]) == ("bridge", False, True)
    assert made["ConfigFrom"] == {"Network": "nt-kept"}
    for key in ("IPAM", "Options", "Labels"):
        assert made[key] == kept[key], key
    box = engine.up(host={"NetworkMode": "nt-made"})
    end = engine.inspect(box)["NetworkSettings"]["Networks"]["nt-made"]
    assert end["IPAddress"] == "10.250.40.128"
    assert engine.exec(box, "cat", "/sys/class/net/eth0/mtu").out == "1400\n"
    twice = _make(engine, "nt-twice", "nt-kept-too")
    assert (twice.status, "Pool overlaps with other one" in twice.message) == (403, True)
    refused = engine.api("DELETE", "/networks/nt-kept")
    words = 'error while removing network: configuration network "nt-kept" is in use'
    assert (refused.status, refused.message) == (403, words)
    engine.remove(box)
    pruned = engine.api("POST", "/networks/prune", query={"filters": {"label": ["kept"]}})
    assert pruned.ok(200).json()["NetworksDeleted"] == ["nt-made"], "configurations stay"
    engine.api("DELETE", "/networks/nt-kept").ok(204)


def test_a_configuration_is_no_network_to_be_on(engine: Engine) -> None:
    _kept(engine, "nt-kept")
    words = "cannot create endpoint on configuration-only network"
    answer = engine.api("POST", "/networks/nt-kept/connect", {"Container": engine.up()})
    assert (answer.status, answer.message) == (403, words)
    answer = engine.refusal(host={"NetworkMode": "nt-kept"})
    assert (answer.status, words in answer.message) == (403, True)


def test_what_goes_with_no_configuration_is_refused(engine: Engine) -> None:
    _kept(engine, "nt-kept")
    engine.network("nt-plain")
    ipam = {"Config": [{"Subnet": "10.250.41.0/24"}]}
    for body, status, message in (
        ({"ConfigFrom": {"Network": "nt-plain"}}, 404, '"nt-plain" does not exist'),
        ({"ConfigFrom": {"Network": "nosuch"}}, 404, 'configuration network "nosuch" does not'),
        ({"ConfigFrom": {"Network": "nt-kept"}, "IPAM": ipam}, 403, "user specified conf"),
        ({"ConfigFrom": {"Network": "nt-kept"}, "Options": {"a": "b"}}, 403, "driver options are"),
        ({"ConfigFrom": {"Network": "nt-kept"}, "ConfigOnly": True}, 403, "cannot depend on"),
        ({"ConfigOnly": True, "Internal": True}, 403, "can only contain network specific fields"),
    ):
        answer = engine.api("POST", "/networks/create", {"Name": "nt-x", **body})
        assert (answer.status, message in answer.message) == (status, True), answer.message
        assert engine.api("GET", "/networks/nt-x").status == 404


@pytest.mark.naru_only
def test_the_next_engine_knows_what_was_made_from_what(own_engine: EngineUnderTest) -> None:
    engine = own_engine
    _kept(engine, "nt-kept")
    _make(engine, "nt-made", "nt-kept").ok(201)
    before = [_shown(engine, name) for name in ("nt-kept", "nt-made")]
    engine.restart(how="kill9")
    assert [_shown(engine, name) for name in ("nt-kept", "nt-made")] == before
    assert engine.api("DELETE", "/networks/nt-kept").status == 403
    engine.up(host={"NetworkMode": "nt-made"})
