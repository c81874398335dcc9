"""`exec`."""

from __future__ import annotations

from naru.cli import terminal
from naru.cli.failure import CommandFailedError
from naru.cli.session import DetachedError, Session, check_terminal, chosen_detach_keys
from naru.client import containers
from naru.client import exec as execs
from naru.errors import InvalidInputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from naru.cli.invocation import Invocation


def exec_command(invocation: Invocation) -> int:
    """Run a second process in a container; leave with its exit code unless it is detached."""
    options, client = invocation.options, invocation.client
    container, *command = invocation.args
    keys = chosen_detach_keys(invocation)
    config = _config(invocation, command, keys)
    # A container that is not there is told before anything else is.
    containers.inspect(client, container)
    if not options["detach"]:
        check_terminal(invocation, stdin=config["AttachStdin"], tty=config["Tty"])
    exec_id = execs.create(client, container, config)
    start: dict[str, Any] = {"Tty": config["Tty"]}
    if "ConsoleSize" in config:
        start["ConsoleSize"] = config["ConsoleSize"]
    if options["detach"]:
        execs.start(client, exec_id, start)
        return 0
    return _stay(invocation, exec_id, config, start, keys)


def _config(invocation: Invocation, command: list[str], keys: str) -> dict[str, Any]:
    options = invocation.options
    variables: list[str] = []
    if options["env"] or options["env-file"]:
        from naru.cli.container_options.environment import read_variables

        try:
            variables = read_variables(options["env-file"], options["env"], invocation.environ)
        except InvalidInputError as error:
            raise CommandFailedError(error.message) from error
    is_attached = not options["detach"]
    config: dict[str, Any] = {
        "User": options["user"],
        "Privileged": options["privileged"],
        "Tty": options["tty"],
        "AttachStdin": is_attached and options["interactive"],
        "AttachStderr": is_attached,
        "AttachStdout": is_attached,
        "DetachKeys": keys,
        "Detach": options["detach"],
        "Env": variables or None,
        "WorkingDir": options["workdir"],
        "Cmd": command,
    }
    measured = terminal.size(invocation.stdout) if options["tty"] else None
    if measured:
        from naru.client.transport import version_key

        if version_key(invocation.client.api_version) >= (1, 42):
            config["ConsoleSize"] = list(measured)
    return config


def _stay(
    invocation: Invocation,
    exec_id: str,
    config: dict[str, Any],
    start: dict[str, Any],
    keys: str,
) -> int:
    client, tty, stdin = invocation.client, config["Tty"], config["AttachStdin"]

    def resize(rows: int, columns: int) -> None:
        execs.resize(client, exec_id, rows, columns)

    follows = tty and terminal.is_terminal(invocation.stdin)
    session = Session(
        invocation,
        tty=tty,
        stdin=stdin,
        resize=resize if follows else None,
        detach_keys=keys,
    )
    with session:
        process = execs.attach(client, exec_id, start, is_raw=tty)
        session.take_terminal()
        session.set_first_size()
        try:
            session.pump(process)
        except DetachedError as error:
            raise CommandFailedError("read escape sequence") from error
    return int(execs.inspect(client, exec_id)["ExitCode"] or 0)
