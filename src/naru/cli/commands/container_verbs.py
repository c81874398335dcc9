"""`stop`, `kill`, `restart`, `pause`, `unpause`, `rm`, `rename`, `wait` and `top`."""

from __future__ import annotations

from naru.cli.batch import container_path, describe, run_on_each
from naru.cli.failure import CommandFailedError
from naru.errors import NaruError, NotFoundError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from naru.cli.invocation import Invocation

_TOP_MIN_WIDTH = 20
_CONDITIONS = ("not-running", "next-exit", "removed", "healthy")


def stop(invocation: Invocation) -> int:
    """Stop containers, politely first."""
    return _stop_or_restart(invocation, "stop")


def restart(invocation: Invocation) -> int:
    """Stop containers and start them again."""
    return _stop_or_restart(invocation, "restart")


def _stop_or_restart(invocation: Invocation, verb: str) -> int:
    options = invocation.options
    if options.changed("time") and options.changed("timeout"):
        raise CommandFailedError("conflicting options: cannot specify both --timeout and --time")
    query = {
        "t": options["timeout"] if options.changed("timeout") else None,
        "signal": options["signal"] or None,
    }
    return _post_each(invocation, f"/{verb}", query)


def kill(invocation: Invocation) -> int:
    """Send a signal to containers."""
    return _post_each(invocation, "/kill", {"signal": invocation.options["signal"] or None})


def pause(invocation: Invocation) -> int:
    """Freeze containers."""
    return _post_each(invocation, "/pause", {})


def unpause(invocation: Invocation) -> int:
    """Thaw containers."""
    return _post_each(invocation, "/unpause", {})


def _post_each(invocation: Invocation, verb: str, query: dict[str, object]) -> int:
    client = invocation.client

    def act(name: str) -> str:
        client.post(container_path(name, verb), query)
        return name

    return run_on_each(invocation, invocation.args, act)


def remove(invocation: Invocation) -> int:
    """Remove containers; with `--force` one that is not there is no failure."""
    client, options = invocation.client, invocation.options
    query = {"force": options["force"], "v": options["volumes"], "link": options["link"]}
    query = {name: value for name, value in query.items() if value}

    def act(name: str) -> str | None:
        name = name.strip("/")
        if not name:
            raise CommandFailedError("container name cannot be empty")
        try:
            client.delete(container_path(name), query)
        except NotFoundError as error:
            if not options["force"]:
                raise
            invocation.complain(describe(error))
            return None
        return name

    return run_on_each(invocation, invocation.args, act)


def rename(invocation: Invocation) -> int:
    """Give a container another name."""
    old, new = (name.strip() for name in invocation.args)
    if not old or not new:
        raise CommandFailedError("Error: Neither old nor new names may be empty")
    try:
        invocation.client.post(container_path(old, "/rename"), {"name": new})
    except NaruError as error:
        invocation.complain(describe(error))
        raise CommandFailedError(f"Error: failed to rename container named {old}") from error
    return 0


def wait(invocation: Invocation) -> int:
    """Wait for containers to end, or for another condition, and print their exit codes."""
    client, condition = invocation.client, invocation.options["condition"]
    if condition not in _CONDITIONS:
        wanted = ", ".join(_CONDITIONS)
        raise CommandFailedError(f"invalid condition '{condition}': must be one of {wanted}", 125)
    if condition == "healthy":
        from naru.cli.engine_kind import require_naru

        require_naru(invocation, "--condition healthy")
    query = {"condition": condition} if invocation.options.changed("condition") else None

    def act(name: str) -> str:
        answer = client.post(container_path(name, "/wait"), query)
        error = answer.get("Error") or {}
        if error.get("Message"):
            raise CommandFailedError(error["Message"])
        return str(answer["StatusCode"])

    problems = 0
    for name in invocation.args:
        problems |= run_on_each(invocation, [name], act)
        invocation.stdout.flush()
    return problems


def top(invocation: Invocation) -> int:
    """Print the processes of a container."""
    from naru.cli.table import align

    name, *ps_args = invocation.args
    query = {"ps_args": " ".join(ps_args) or None}
    answer = invocation.client.get(container_path(name, "/top"), query)
    table = [answer["Titles"], *(answer["Processes"] or [])]
    text = "\n".join("\t".join(row) for row in table)
    invocation.print(align(text, min_width=_TOP_MIN_WIDTH))
    return 0
