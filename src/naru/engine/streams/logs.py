"""`logs`: what a container wrote, from its log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from naru.engine.container_log import log_attributes
from naru.engine.context import EngineContext
from naru.engine.live.attachments import STDERR, STDOUT, log_path
from naru.engine.model import Container
from naru.errors import InvalidInputError, NotSupportedError
from naru.runtime import log_file
from naru.runtime.log_attributes import details_text
from naru.runtime.log_lines import Framing, LogFilter
from naru.units import parse_time

_FIRST_WORDS_S = 0.15


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
    details: bool,
    tail: str,
) -> tuple[bool, AsyncIterator[bytes]]:
    """Return whether the container has a terminal, and its log, framed for the wire.

    A log that is followed ends with the container's present run. `tail` is a number of lines, or `all`.
    `details` puts the labels and variables that the log options name before each line.

    Raises:
        NotFoundError: no such container.
        InvalidInputError: no stream is asked for, or a time or number is none.
        NotSupportedError: the container's log driver keeps nothing.
    """
    container = ctx.registry.find(name)
    if not (stdout or stderr):
        raise InvalidInputError("Bad parameters: you must choose at least one stream")
    if not container.log_policy().is_readable:
        raise NotSupportedError("configured logging driver does not support reading")
    if not follow:
        await _first_words(ctx, container)
    now = ctx.clock.now_ns()
    wanted = ((STDOUT, stdout), (STDERR, stderr))
    query = log_file.LogQuery(
        LogFilter(
            outputs=frozenset(number for number, is_wanted in wanted if is_wanted),
            since_ns=_moment(since, now),
            until_ns=_moment(until, now),
        ),
        tail=_line_count(tail),
        follow=follow and container.is_running,
    )
    blocks = log_file.framed(
        log_path(ctx.config.container_dir(container.id)),
        query,
        Framing(
            raw=container.config.tty,
            timestamps=timestamps,
            details=details_text(log_attributes(ctx, container)) if details else b"",
        ),
        stopped=_end_of_run(container),
        clock=ctx.clock,
    )
    return container.config.tty, blocks


async def _first_words(ctx: EngineContext, container: Container) -> None:
    """Wait until a run is a moment old, or over.

    Scripts start a container and ask for its log at once, without a wait. In Docker a start takes
    longer than most short programs do; here it does not, and their words would be missed.
    """
    ended = ctx.waiters.exit(container.id)
    age = (ctx.clock.now_ns() - container.state.started_ns) / 10**9
    if container.is_running and 0 <= age < _FIRST_WORDS_S:
        await asyncio.wait([ended], timeout=_FIRST_WORDS_S - age)
    ended.cancel()


def _end_of_run(container: Container) -> Callable[[], bool]:
    """Return what says that the present run is over, even if the next one has begun.

    Clients follow each run anew: they would see its lines twice.
    """
    began = container.state.started_ns
    return lambda: not container.is_running or container.state.started_ns != began


def _moment(text: str, now_ns: int) -> int:
    return 0 if text in ("", "0") else parse_time(text, now_ns=now_ns)


def _line_count(text: str) -> int | None:
    """Return the number of lines; None means all. Docker takes what is no number as all."""
    return int(text) if text.isdigit() else None
