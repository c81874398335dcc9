"""Named places where a test may make the engine fail.

A fault point is a no-op unless a test arms it. Modules register their points when they are
imported, so that the list of all points is complete by construction:

    _BEFORE_RENAME = fault_point("store.content.before_rename")
    ...
    _BEFORE_RENAME()

`NARU_FAULT=<name>=kill|raise` arms one for a whole engine process; it is read once, at import.
`NARU_FAULT=<name>=kill:3` does so at the third pass.
"""

from __future__ import annotations

import os
import signal

from naru.errors import FaultError

_points: dict[str, FaultPoint] = {}


class FaultPoint:
    """One place that can be told to fail."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.action = ""
        self.passes_left = 1

    def __call__(self) -> None:
        """Do nothing, unless armed."""
        if self.action:
            self._fail()

    def _fail(self) -> None:
        self.passes_left -= 1
        if self.passes_left > 0:
            return
        action, self.action = self.action, ""
        if action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise FaultError(f"fault injected at {self.name}")


def fault_point(name: str) -> FaultPoint:
    """Register the point `name`, once for the whole program.

    Raises:
        RuntimeError: the name is taken; two places must never share one.
    """
    if name in _points:
        raise RuntimeError(f"fault point {name} is registered twice")
    point = _points[name] = FaultPoint(name)
    armed_name, _, action = os.environ.get("NARU_FAULT", "").partition("=")
    if armed_name == name:
        arm(name, action or "kill")
    return point


def arm(name: str, action: str) -> None:
    """Make the point `name` fail: `kill` or `raise`, with `:N` at its Nth pass."""
    verb, _, nth = action.partition(":")
    _points[name].action = verb
    _points[name].passes_left = int(nth or "1")


def registered() -> list[str]:
    """Return the names of all points in the modules imported so far."""
    return sorted(_points)
