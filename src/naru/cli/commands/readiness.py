"""Waiting for a container that was just started: until it is healthy, or does not become so."""

from __future__ import annotations

from naru.cli.failure import CommandFailedError
from naru.client import containers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from naru.cli.invocation import Invocation

_EVENTS = ["health_status", "die", "destroy"]


def await_readiness(invocation: Invocation, container: str) -> None:
    """Return when a container is healthy, or runs and has no health check.

    Raises:
        CommandFailedError: it is unhealthy, or ended first.
    """
    state = containers.inspect(invocation.client, container)["State"]
    if not state["Running"]:
        raise _ended(container, state["ExitCode"])
    health = state.get("Health")
    if health is None or _is_settled(invocation, container, health["Status"]):
        return
    query = {
        # The engine's own clock says from when on; nothing falls in between.
        "since": _timestamp(state["StartedAt"]),
        "filters": {"container": [container], "event": _EVENTS},
    }
    for event in invocation.client.stream("GET", "/events", query):
        kind, _, status = event.get("Action", "").partition(": ")
        if kind == "health_status" and _is_settled(invocation, container, status):
            return
        if kind in ("die", "destroy"):
            raise _ended(container, event["Actor"]["Attributes"].get("exitCode", "unknown"))
    raise CommandFailedError("the engine went away before the container was healthy")


def _is_settled(invocation: Invocation, container: str, status: str) -> bool:
    if status != "unhealthy":
        return status == "healthy"
    log: list[dict[str, Any]] = (
        containers.inspect(invocation.client, container)["State"].get("Health", {}).get("Log") or []
    )
    last = f": {log[-1]['Output'].strip()}" if log and log[-1]["Output"].strip() else ""
    raise CommandFailedError(f"container {container} is unhealthy{last}")


def _ended(container: str, exit_code: object) -> CommandFailedError:
    return CommandFailedError(
        f"container {container} ended with exit code {exit_code} before it was ready"
    )


def _timestamp(started_at: str) -> str:
    from naru.units import parse_time

    seconds, nanoseconds = divmod(parse_time(started_at, now_ns=0), 10**9)
    return f"{seconds}.{nanoseconds:09d}"
