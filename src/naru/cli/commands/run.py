"""`run` and `create`."""

from __future__ import annotations

from naru.cli.commands import container_creation
from naru.cli.failure import CommandFailedError
from naru.client import containers
from naru.errors import InvalidInputError, NaruError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from naru.cli.invocation import Invocation


def create_container(invocation: Invocation) -> int:
    """Create a container and print its id."""
    body = container_creation.read_options(invocation)
    try:
        invocation.print(container_creation.create(invocation, body))
    except InvalidInputError as error:
        if error.reported:
            raise
        raise CommandFailedError(error.message) from error
    return 0


def run_container(invocation: Invocation) -> int:
    """Create a container, start it, and stay with it unless it shall run in the background."""
    options = invocation.options
    body = container_creation.read_options(invocation)
    if options["detach"] or options["wait"]:
        if options["attach"]:
            word = "detach" if options["detach"] else "wait"
            raise CommandFailedError(
                f"conflicting options: cannot specify both --attach and --{word}"
            )
        body |= dict.fromkeys(("AttachStdin", "AttachStdout", "AttachStderr", "StdinOnce"), False)
    else:
        from naru.cli.session import check_terminal

        check_terminal(invocation, stdin=body["AttachStdin"], tty=body["Tty"])
    if not (body["AttachStdin"] or body["AttachStdout"] or body["AttachStderr"]):
        return _run_in_background(invocation, body)
    return _run_attached(invocation, body)


def _run_in_background(invocation: Invocation, body: dict[str, Any]) -> int:
    container = container_creation.create(invocation, body)
    invocation.print(container)
    invocation.stdout.flush()
    containers.start(invocation.client, container)
    if invocation.options["wait"]:
        from naru.cli.commands.readiness import await_readiness

        await_readiness(invocation, container)
    return 0


def _run_attached(invocation: Invocation, body: dict[str, Any]) -> int:
    from naru.cli.container_session import container_session, start_and_follow
    from naru.cli.session import chosen_detach_keys

    client, is_removed = invocation.client, invocation.options["rm"]
    keys = chosen_detach_keys(invocation)
    container = container_creation.create(invocation, body)
    session = container_session(
        invocation,
        container,
        tty=body["Tty"],
        stdin=body["AttachStdin"],
        stdout=body["AttachStdout"],
        stderr=body["AttachStderr"],
        forwards_signals=invocation.options["sig-proxy"],
        detach_keys=keys,
    )
    with session:
        try:
            process = containers.attach(
                client,
                container,
                is_raw=body["Tty"],
                stdin=body["AttachStdin"],
                stdout=body["AttachStdout"],
                stderr=body["AttachStderr"],
                detach_keys=keys,
            )
            condition = "removed" if is_removed else "next-exit"
            waiter = containers.wait(client, container, condition)
        except NaruError:
            if is_removed:
                # Nobody else will remove what never ran.
                containers.remove(client, container)
            raise
        return start_and_follow(
            session,
            process,
            waiter,
            lambda: containers.start(client, container),
            is_removed=is_removed,
        )
