"""`logs`: what a container wrote, from its log."""

from __future__ import annotations

from collections.abc import AsyncIterator

from naru.engine.attachments import STDERR, STDOUT, log_path
from naru.engine.context import EngineContext
from naru.errors import InvalidInputError, NotSupportedError
from naru.runtime import log_file
from naru.units import parse_time


async def container_logs(
    ctx: EngineContext,
    name: str,
    *,
    follow: bool,
    stdout: bool,
    stderr: bool,
    since: str,
    until: str,
    timestamps: bool,
    tail: str,
) -> tuple[bool, AsyncIterator[bytes]]:
    """Return whether the container has a terminal, and its log, framed for the wire.

    A log that is followed ends with the container. `tail` is a number of lines, or `all`.

    Raises:
        NotFoundError: no such container.
        InvalidInputError: no stream is asked for, or a time or number is none.
        NotSupportedError: the container's log driver keeps nothing.
    """
    container = ctx.registry.find(name)
    if not (stdout or stderr):
        raise InvalidInputError("Bad parameters: you must choose at least one stream")
    if container.host_config.log_config.type == "none":
        raise NotSupportedError("configured logging driver does not support reading")
    now = ctx.clock.now_ns()
    wanted = ((STDOUT, stdout), (STDERR, stderr))
    blocks = log_file.framed(
        log_path(ctx.config.container_dir(container.id)),
        log_file.LogQuery(
            outputs=frozenset(number for number, is_wanted in wanted if is_wanted),
            since_ns=_moment(since, now),
            until_ns=_moment(until, now),
            tail=_line_count(tail),
            timestamps=timestamps,
            raw=container.config.tty,
        ),
        follow=follow and container.state.status in ("running", "paused", "restarting"),
        stopped=lambda: not container.is_running and container.state.status != "restarting",
    )
    return container.config.tty, blocks


def _moment(text: str, now_ns: int) -> int | None:
    return None if text in ("", "0") else parse_time(text, now_ns=now_ns)


def _line_count(text: str) -> int | None:
    """Return the number of lines; None means all. Docker takes what is no number as all."""
    return int(text) if text.isdigit() else None
