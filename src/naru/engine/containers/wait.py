"""`wait`: until a container does not run, exits next, is healthy, or is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from naru.engine.context import EngineContext
from naru.engine.health_rule import check_of
from naru.engine.model import Container
from naru.errors import ConflictError, FaultError, InvalidInputError

_ALIVE = ("running", "paused", "restarting")


Answer = dict[str, Any]


class Waiter:
    """Registered already; `result` waits for the answer."""

    def __init__(
        self, future: asyncio.Future[int] | asyncio.Future[int | None], shown: Callable[..., Answer]
    ) -> None:
        self._future = future
        self._shown = shown

    async def result(self) -> Answer:
        """Return the exit code in the API's words, or why there is none."""
        try:
            return self._shown(await self._future)
        except FaultError as error:
            return {"StatusCode": -1, "Error": {"Message": error.message}}


async def wait_container(ctx: EngineContext, name: str, condition: str) -> Waiter:
    """Register for `not-running`, `next-exit`, `removed` or `healthy`; empty means the first.

    `healthy` is ours: its code is 0, or there is an error with the exit code.

    Raises:
        NotFoundError: no such container.
        InvalidInputError: there is no such condition, or no health check to wait for.
        ConflictError: what has ended will not become healthy.
    """
    container = ctx.registry.find(name)
    match condition or "not-running":
        case "not-running":
            if container.state.status not in _ALIVE:
                return _known(container.state.exit_code)
            return Waiter(ctx.waiters.exit(container.id), _exit_answer)
        case "next-exit":
            return Waiter(ctx.waiters.exit(container.id), _exit_answer)
        case "removed":
            return Waiter(ctx.waiters.removal(container.id), _exit_answer)
        case "healthy":
            return _health_waiter(ctx, container)
        case _:
            raise InvalidInputError(f'invalid condition: "{condition}"')


def _health_waiter(ctx: EngineContext, container: Container) -> Waiter:
    if check_of(container.config) is None:
        raise InvalidInputError(f"container {container.id} has no health check to wait for")
    if container.state.status not in ("created", *_ALIVE):
        raise ConflictError(f"container {container.id} is not running")
    health = container.state.health
    if container.state.status == "running" and health and health.status == "healthy":
        return _known(0)
    return Waiter(ctx.waiters.health(container.id), partial(_health_answer, container.id))


def _known(exit_code: int) -> Waiter:
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    future.set_result(exit_code)
    return Waiter(future, _exit_answer)


def _exit_answer(exit_code: int) -> Answer:
    return {"StatusCode": exit_code}


def _health_answer(container_id: str, exit_code: int | None) -> Answer:
    if exit_code is None:
        return {"StatusCode": 0}
    message = f"container {container_id} ended with exit code {exit_code} before it was healthy"
    return {"StatusCode": exit_code, "Error": {"Message": message}}
