"""The routes of second processes in containers."""

from __future__ import annotations

from naru.client.hijack import HijackedStream
from naru.client.transport import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from naru.client.transport import Client


def create(client: Client, container: str, config: Mapping[str, Any]) -> str:
    """Prepare a process; returns its id."""
    answer = client.post(f"/containers/{quote(container)}/exec", body=config)
    return str(answer["Id"])


def start(client: Client, exec_id: str, config: Mapping[str, Any]) -> None:
    """Start a process without its streams."""
    client.post(f"/exec/{quote(exec_id)}/start", body={**config, "Detach": True})


def attach(
    client: Client, exec_id: str, config: Mapping[str, Any], *, is_raw: bool
) -> HijackedStream:
    """Start a process and connect to its streams; `is_raw`: it has a terminal."""
    headers = {"Content-Type": "application/json"}
    path = f"/exec/{quote(exec_id)}/start"
    reader = client.hijack(path, body={**config, "Detach": False}, headers=headers)
    return HijackedStream(reader, is_raw=is_raw)


def inspect(client: Client, exec_id: str) -> Any:
    """Return a process's state."""
    return client.get(f"/exec/{quote(exec_id)}/json")


def resize(client: Client, exec_id: str, rows: int, columns: int) -> None:
    """Set the size of a process's terminal."""
    client.post(f"/exec/{quote(exec_id)}/resize", {"h": rows, "w": columns})
