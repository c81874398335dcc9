"""The last record of a stream that failed: when the failure came, the status was spent."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class StreamFailure:
    """What an engine says of it; `code` is that of a command of a build, and 1 for all else."""

    __slots__ = ("code", "hint", "message")

    def __init__(self, message: str, hint: str, code: int) -> None:
        self.message = message
        self.hint = hint
        self.code = code


def failure_in(record: dict[str, Any]) -> StreamFailure | None:
    """Return the failure that a record tells of, None if it tells of none.

    Old engines send the message alone, others an empty one. Hints are an extension of ours.

    Spec: moby, pkg/jsonmessage, JSONMessage.Error.
    """
    detail = record.get("errorDetail") or {}
    message = detail.get("message") or record.get("error")
    if not message and not detail:
        return None
    return StreamFailure(str(message or ""), str(detail.get("hint") or ""), detail.get("code") or 1)
