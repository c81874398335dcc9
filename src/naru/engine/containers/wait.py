"""`wait`: until a container does not run, exits next, or is gone."""

from __future__ import annotations

import asyncio
from typing import Any

from naru.engine.context import EngineContext
from naru.engine.model import Container
from naru.errors import InvalidInputError


class Waiter:
    """Registered already; `result` waits for the answer."""

    def __init__(self, container: Container, future: asyncio.Future[int] | None) -> None:
        self._container = container
        self._future = future

    async def result(self) -> dict[str, Any]:
        """Return the exit code in the API's words."""
        if self._future is None:
            return {"StatusCode": self._container.state.exit_code}
        return {"StatusCode": await self._future}


async def wait_container(ctx: EngineContext, name: str, condition: str) -> Waiter:
    """Register for `not-running`, `next-exit` or `removed`; empty means the first.

    Raises:
        NotFoundError: no such container.
        InvalidInputError: there is no such condition.
    """
    container = ctx.registry.find(name)
    match condition or "not-running":
        case "not-running":
            if container.state.status not in ("running", "paused", "restarting"):
                return Waiter(container, None)
            return Waiter(container, ctx.waiters.exit(container.id))
        case "next-exit":
            return Waiter(container, ctx.waiters.exit(container.id))
        case "removed":
            return Waiter(container, ctx.waiters.removal(container.id))
        case _:
            raise InvalidInputError(f'invalid condition: "{condition}"')
