"""`stats --no-stream` shows what docker shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from naru.errors import NotFoundError

Cli = Callable[..., Any]
_ID = "ab" * 32
_ANSWER: dict[str, Any] = {
    "name": "/web",
    "id": _ID,
    "pids_stats": {"current": 7},
    "blkio_stats": {"io_service_bytes_recursive": [{"op": "read", "value": 12_345_678}]},
    "cpu_stats": {
        "cpu_usage": {"total_usage": 1_500},
        "system_cpu_usage": 20_000,
        "online_cpus": 2,
    },
    "precpu_stats": {"cpu_usage": {"total_usage": 1_000}, "system_cpu_usage": 10_000},
    "memory_stats": {"usage": 3 << 20, "limit": 64 << 20, "stats": {"total_inactive_file": 0}},
    "networks": {"eth0": {"rx_bytes": 1_500, "tx_bytes": 0}, "eth1": {"rx_bytes": 36}},
}


def test_the_table_and_its_numbers(cli: Cli, engine: Any) -> None:
    engine.on("GET", "/containers/json", [{"Id": _ID}])
    engine.on("GET", f"/containers/{_ID[:12]}/stats", [_ANSWER])
    head, row = cli("stats", "--no-stream").out.splitlines()
    assert head == (
        "CONTAINER ID   NAME      CPU %     MEM USAGE / LIMIT   MEM %     NET I/O       BLOCK I/O"
        "     PIDS"
    )
    assert row == (
        "abababababab   web       10.00%    3MiB / 64MiB        4.69%     1.54kB / 0B   12.3MB / 0B"
        "   7"
    )
    assert ("GET", f"/containers/{_ID[:12]}/stats", {"stream": False}, None) in engine.asked


def test_a_name_that_is_none_spoils_the_rest(cli: Cli, engine: Any) -> None:
    engine.on("GET", "/containers/web/stats", [_ANSWER])
    error = NotFoundError("No such container: nope")
    error.reported = True
    engine.on("GET", "/containers/nope/stats", error)
    outcome = cli("stats", "--no-stream", "web", "nope")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == "Error response from daemon: No such container: nope\n"


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("{{.Container}} {{.Name}} {{.ID}} {{.PIDs}}", "web web abababababab 7"),
        ("{{.NetIO}} {{.BlockIO}}", "1.54kB / 0B 12.3MB / 0B"),
        ("table {{.Name}}\\t{{.CPUPerc}}", "NAME      CPU %\nweb       10.00%"),
    ],
)
def test_every_field_prints_as_in_docker(cli: Cli, engine: Any, form: str, text: str) -> None:
    engine.on("GET", "/containers/web/stats", [_ANSWER])
    assert cli("stats", "--no-stream", "--format", form, "web").out == text + "\n"


def test_what_was_never_heard_of_is_unknown(cli: Cli, engine: Any) -> None:
    engine.on("GET", "/containers/web/stats", [])
    out = cli("stats", "--no-stream", "--format", "json", "web").out
    assert '"CPUPerc":"--"' in out
    assert '"MemUsage":"-- / --"' in out
