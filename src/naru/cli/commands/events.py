"""`events`."""

from __future__ import annotations

from naru.cli.failure import CommandFailedError
from naru.cli.times import rfc3339, rfc3339_nano
from naru.errors import InvalidInputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from naru.cli.invocation import Invocation


def events(invocation: Invocation) -> int:
    """Print what happens in the engine, as it happens, until it is stopped."""
    options = invocation.options
    show = _printer(options["format"])
    query = {
        "since": _timestamp(invocation, options["since"]),
        "until": _timestamp(invocation, options["until"]),
        "filters": options["filter"] or None,
    }
    for event in invocation.client.stream("GET", "/events", query):
        invocation.print(show(event))
        invocation.stdout.flush()
    return 0


def _timestamp(invocation: Invocation, text: str) -> str | None:
    """Return a time as the API takes it; durations count back from the client's clock."""
    if not text:
        return None
    from naru.units import parse_time

    try:
        moment = parse_time(text, now_ns=int(invocation.now() * 10**9))
    except InvalidInputError as error:
        raise CommandFailedError(f'failed to parse value as time or duration: "{text}"') from error
    seconds, nanoseconds = divmod(moment, 10**9)
    return f"{seconds}.{nanoseconds:09d}"


def _printer(form: str) -> Callable[[dict[str, Any]], str]:
    if not form:
        return event_line
    from naru.cli.formatting import parse_answer_template
    from naru.cli.go_fields import as_go
    from naru.cli.template.nodes import TemplateError

    text = "{{json .}}" if form == "json" else form
    template = parse_answer_template(text, problem="Error parsing format")

    def show(event: dict[str, Any]) -> str:
        try:
            return template.render(as_go(event))
        except TemplateError as error:
            raise CommandFailedError(error.message) from error

    return show


def event_line(event: dict[str, Any]) -> str:
    """Print an event as docker does without a format."""
    when = ""
    if event.get("timeNano"):
        when = rfc3339_nano(event["timeNano"]) + " "
    elif event.get("time"):
        when = rfc3339(event["time"]) + " "
    actor = event.get("Actor") or {}
    attributes = actor.get("Attributes") or {}
    pairs = ", ".join(f"{key}={attributes[key]}" for key in sorted(attributes))
    tail = f" ({pairs})" if pairs else ""
    return f"{when}{event.get('Type', '')} {event.get('Action', '')} {actor.get('ID', '')}{tail}"
