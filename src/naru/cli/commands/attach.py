"""`attach`."""

from __future__ import annotations

from naru.cli.container_session import container_session, exit_code_of
from naru.cli.failure import CommandFailedError
from naru.cli.session import DetachedError, check_terminal, chosen_detach_keys
from naru.client import containers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from naru.cli.invocation import Invocation

_CANNOT = "You cannot attach to a "


def attach(invocation: Invocation) -> int:
    """Connect to a running container; leave with its exit code."""
    options, client, name = invocation.options, invocation.client, invocation.args[0]
    found = containers.inspect(client, name)
    _check_state(found["State"])
    tty = found["Config"]["Tty"]
    check_terminal(invocation, stdin=not options["no-stdin"], tty=tty)
    keys = chosen_detach_keys(invocation)
    stdin = not options["no-stdin"] and found["Config"]["OpenStdin"]
    container = found["Id"]
    session = container_session(
        invocation,
        container,
        tty=tty,
        stdin=stdin,
        forwards_signals=options["sig-proxy"] and not tty,
        detach_keys=keys,
    )
    with session:
        waiter = containers.wait(client, container, "not-running")
        process = containers.attach(
            client,
            container,
            is_raw=tty,
            stdin=stdin,
            stdout=True,
            stderr=True,
            detach_keys=keys,
        )
        # It may have ended while we connected: then nothing would ever come.
        _check_state(containers.inspect(client, container)["State"])
        session.take_terminal()
        session.redraw()
        try:
            session.pump(process)
        except DetachedError as error:
            raise CommandFailedError("read escape sequence") from error
        return exit_code_of(waiter)


def _check_state(state: dict[str, Any]) -> None:
    if not state["Running"]:
        raise CommandFailedError(f"{_CANNOT}stopped container, start it first")
    if state["Paused"]:
        raise CommandFailedError(f"{_CANNOT}paused container, unpause it first")
    if state["Restarting"]:
        raise CommandFailedError(f"{_CANNOT}restarting container, wait until it is running")
