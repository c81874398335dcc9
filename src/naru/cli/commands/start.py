"""`start`."""

from __future__ import annotations

from naru.cli.failure import CommandFailedError
from naru.client import containers
from naru.errors import NaruError, NotModifiedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from naru.cli.invocation import Invocation


def start(invocation: Invocation) -> int:
    """Start containers; with `--attach` or `--interactive` stay with the only one."""
    options = invocation.options
    if not options["attach"] and not options["interactive"]:
        return _start_each(invocation)
    if len(invocation.args) > 1:
        raise CommandFailedError("you cannot start and attach multiple containers at once")
    return _start_attached(invocation)


def _start_each(invocation: Invocation) -> int:
    from naru.cli.batch import describe

    failed: list[str] = []
    for name in invocation.args:
        try:
            containers.start(invocation.client, name)
        except NotModifiedError:
            # It runs already, which is what was asked for.
            invocation.print(name)
        except NaruError as error:
            invocation.complain(describe(error))
            failed.append(name)
        else:
            invocation.print(name)
    if failed:
        raise CommandFailedError(f"Error: failed to start containers: {', '.join(failed)}")
    return 0


def _start_attached(invocation: Invocation) -> int:
    from naru.cli.container_session import container_session, start_and_follow
    from naru.cli.session import chosen_detach_keys

    client = invocation.client
    found = containers.inspect(client, invocation.args[0])
    container, config = found["Id"], found["Config"]
    is_removed = found["HostConfig"]["AutoRemove"]
    keys = chosen_detach_keys(invocation)
    stdin = invocation.options["interactive"] and config["OpenStdin"]
    session = container_session(
        invocation,
        container,
        tty=config["Tty"],
        stdin=stdin,
        forwards_signals=not config["Tty"],
        detach_keys=keys,
    )

    def start() -> None:
        try:
            containers.start(client, container)
        except NotModifiedError:
            # It runs already.
            return

    with session:
        process = containers.attach(
            client,
            container,
            is_raw=config["Tty"],
            stdin=stdin,
            stdout=True,
            stderr=True,
            detach_keys=keys,
        )
        waiter = containers.wait(client, container, "removed" if is_removed else "next-exit")
        return start_and_follow(session, process, waiter, start, is_removed=is_removed)
