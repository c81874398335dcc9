"""The exec sessions that this engine process knows.

They live in memory, as in dockerd: an engine that starts again finds the processes of the old
ones, but nobody can ask for them any more.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from naru.api.exec import ExecConfig
from naru.errors import NotFoundError

_KEPT_ENDED = 256


@dataclass(slots=True)
class ExecSession:
    """One second process in a container: asked for, running, or ended."""

    id: str
    container_id: str
    config: ExecConfig
    pid: int = 0
    started: bool = False
    running: bool = False
    exit_code: int | None = None
    # Started by the engine to see how the container is; forgotten with its end.
    is_probe: bool = False
    # Set when the process is there, or will never be.
    launched: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class ExecSessions:
    """Exec sessions by id."""

    def __init__(self) -> None:
        self._sessions: dict[str, ExecSession] = {}

    def add(self, session: ExecSession) -> None:
        """Remember a session; the oldest ended ones make room."""
        ended = [s.id for s in self._sessions.values() if s.started and not s.running]
        for exec_id in ended[: max(0, len(ended) - _KEPT_ENDED)]:
            del self._sessions[exec_id]
        self._sessions[session.id] = session

    def get(self, exec_id: str) -> ExecSession | None:
        """Return a session, if it is known."""
        return self._sessions.get(exec_id)

    def find(self, exec_id: str) -> ExecSession:
        """Return a session.

        Raises:
            NotFoundError: it is not known.
        """
        session = self._sessions.get(exec_id)
        if session is None:
            raise NotFoundError(f"No such exec instance: {exec_id}")
        return session

    def forget(self, exec_id: str) -> None:
        """Drop a session. Idempotent."""
        self._sessions.pop(exec_id, None)

    def ids_of(self, container_id: str) -> list[str]:
        """Return the ids of a container's sessions that are not over."""
        return [
            s.id
            for s in self._sessions.values()
            if s.container_id == container_id and (s.running or not s.started)
        ]

    def forget_container(self, container_id: str) -> None:
        """Drop all sessions of a container."""
        self._sessions = {
            key: s for key, s in self._sessions.items() if s.container_id != container_id
        }
