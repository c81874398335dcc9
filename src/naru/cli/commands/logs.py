"""`logs`."""

from __future__ import annotations

from naru.cli.failure import CommandFailedError
from naru.cli.streams import write_all
from naru.client import containers
from naru.client.hijack import STDOUT, Demultiplexer
from naru.errors import InvalidInputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from naru.cli.invocation import Invocation


def logs(invocation: Invocation) -> int:
    """Copy a container's log to stdout and stderr."""
    options, client = invocation.options, invocation.client
    found = containers.inspect(client, invocation.args[0])
    query = {
        "stdout": True,
        "stderr": True,
        "follow": options["follow"] or None,
        "timestamps": options["timestamps"] or None,
        "details": options["details"] or None,
        "tail": options["tail"],
        "since": _moment("since", options["since"], invocation),
        "until": _moment("until", options["until"], invocation),
    }
    response = containers.logs(client, found["Id"], query)
    outputs = {STDOUT: invocation.stdout.fileno()}
    stderr = invocation.stderr.fileno()
    if found["Config"]["Tty"]:
        for data in response:
            write_all(outputs[STDOUT], data)
    else:
        demultiplexer = Demultiplexer()
        for data in response:
            for stream, piece in demultiplexer.feed(data):
                write_all(outputs.get(stream, stderr), piece)
    client.release(response)
    return 0


def _moment(name: str, text: str, invocation: Invocation) -> str | None:
    """Return a time as the engine takes it: durations count back from our clock."""
    if not text:
        return None
    from naru.units import parse_time

    try:
        moment = parse_time(text, now_ns=int(invocation.now() * 10**9))
    except InvalidInputError as error:
        raise CommandFailedError(
            f'invalid value for "{name}": failed to parse value as time or duration: "{text}"'
        ) from error
    seconds, nanoseconds = divmod(moment, 10**9)
    return f"{seconds}.{nanoseconds:09d}"
