"""What is done to a container that turned unhealthy, where its check says so.

Docker has nothing like it; the words and what they mean are podman's `--health-on-failure`.
"""

from __future__ import annotations

import logging

from naru.engine.containers.stop import kill_container, restart_container, stop_container
from naru.engine.context import EngineContext
from naru.engine.model import Container
from naru.errors import NaruError

_log = logging.getLogger(__name__)


async def act_on_failure(
    ctx: EngineContext, container: Container, action: str, started_ns: int
) -> None:
    """Restart, stop or kill a container, if it still is in the run that was unhealthy.

    A kill is no wish of the user's: the restart policy decides what follows, as after any end.
    A stop is final, as a user's is.
    """
    if not container.is_running or container.state.started_ns != started_ns:
        return
    _log.info("container %s is unhealthy: %s", container.short_id, action)
    try:
        match action:
            case "restart":
                await restart_container(ctx, container.id)
            case "stop":
                await stop_container(ctx, container.id)
            case "kill":
                await kill_container(ctx, container.id, "SIGKILL", by_user=False)
    except NaruError as error:
        # It ended or was removed meanwhile, or does not start again; its state says which.
        _log.warning("container %s: %s: %s", container.short_id, action, error.message)
