"""`inspect`, of anything or of one kind of thing.

The engine's JSON is shown as it came, only indented; templates see it through
`naru.cli.go_fields`.
"""

from __future__ import annotations

from naru.cli.batch import describe, require_api
from naru.cli.failure import CommandFailedError, with_hint
from naru.client import json_text
from naru.errors import NaruError, NotFoundError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from naru.cli.invocation import Invocation

    Query = Mapping[str, object]
    Fetch = Callable[[str], str]

_KINDS = ("config", "container", "image", "network", "node", "plugin", "secret", "service")
_ALL_KINDS = (*_KINDS, "task", "volume")
_INDENT = "    "
_PATHS = {
    "container": "/containers/{}/json",
    "image": "/images/{}/json",
    "network": "/networks/{}",
    "volume": "/volumes/{}",
    "plugin": "/plugins/{}/json",
    "config": "/configs/{}",
    "node": "/nodes/{}",
    "secret": "/secrets/{}",
    "service": "/services/{}",
    "task": "/tasks/{}",
}
# The order in which a bare name is looked up; what belongs to a swarm comes after the rest.
_SEARCHED = ("container", "image", "network", "volume", "plugin")


def inspect_containers(invocation: Invocation) -> int:
    """Show containers."""
    query = {"size": True} if invocation.options["size"] else {}
    return _inspect(invocation, lambda name: fetch(invocation, "container", name, query))


def inspect_images(invocation: Invocation) -> int:
    """Show images."""
    query: dict[str, object] = {}
    if platform := invocation.options["platform"]:
        from naru.cli.commands.images import platform_json

        require_api(invocation, "platform", "1.49")
        query["platform"] = platform_json(platform, says="")
    return _inspect(invocation, lambda name: fetch(invocation, "image", name, query))


def inspect_networks(invocation: Invocation) -> int:
    """Show networks."""
    query = {"verbose": True} if invocation.options["verbose"] else {}
    return _inspect(invocation, lambda name: fetch(invocation, "network", name, query))


def inspect_volumes(invocation: Invocation) -> int:
    """Show volumes."""
    return _inspect(invocation, lambda name: fetch(invocation, "volume", name, {}))


def inspect_anything(invocation: Invocation) -> int:
    """Show whatever has the name: a container before an image, a network, a volume, a plugin."""
    kind = invocation.options["type"]
    if invocation.options.changed("type") and kind == "":
        raise CommandFailedError('type is empty: must be one of "' + '", "'.join(_ALL_KINDS) + '"')
    if kind and kind not in _ALL_KINDS:
        allowed = '", "'.join(_ALL_KINDS)
        raise CommandFailedError(f'unknown type: "{kind}": must be one of "{allowed}"')
    size = {"size": True} if invocation.options["size"] else {}

    def find(name: str) -> str:
        if kind:
            return fetch(invocation, kind, name, size if kind == "container" else {})
        hint = ""
        for candidate in _SEARCHED:
            try:
                return fetch(invocation, candidate, name, size if candidate == "container" else {})
            except NotFoundError as error:
                hint = hint or error.hint
            except NaruError:
                # An engine without plugins says so in its own way; the search is over then.
                if candidate != "plugin":
                    raise
        raise CommandFailedError(with_hint(f"Error: No such object: {name}", hint))

    return _inspect(invocation, find)


def fetch(invocation: Invocation, kind: str, name: str, query: Query) -> str:
    """Return one thing as the engine's JSON text.

    Raises:
        CommandFailedError: the name is empty.
        NaruError: whatever the engine answers.
    """
    from naru.client.transport import quote

    if not name.strip():
        if kind == "image":
            raise CommandFailedError(f"Error: No such image: {name}")
        what = "container name or ID" if kind == "container" else f"{kind} name or ID"
        raise CommandFailedError(f"invalid {what}: value is empty")
    safe = b"/:@" if kind == "image" else b""
    response = invocation.client.raw("GET", _PATHS[kind].format(quote(name, safe)), query)
    text = response.read().decode("utf-8", "replace").strip()
    invocation.client.release(response)
    return text


def _inspect(invocation: Invocation, find: Fetch) -> int:
    form = invocation.options["format"]
    show = _template_printer(form) if form not in ("", "json") else None
    problems, texts = [], []
    for name in invocation.args:
        try:
            text = find(name)
            texts.append(show(text) if show else text)
        except (NaruError, CommandFailedError) as error:
            problems.append(describe(error))
    if show:
        # Docker ends the line even when there is nothing on it.
        invocation.stdout.write("".join(f"{text}\n" for text in texts) or "\n")
    elif form == "json":
        invocation.print("[" + ",".join(texts) + "]")
    else:
        invocation.print(indent_json("[" + ",".join(texts) + "]"))
    if problems:
        invocation.complain("\n".join(problems))
    return 1 if problems else 0


def _template_printer(form: str) -> Callable[[str], str]:
    from naru.cli.formatting import parse_answer_template
    from naru.cli.go_fields import as_go
    from naru.cli.template.nodes import TemplateError

    template = parse_answer_template(form)

    def show(text: str) -> str:
        answer = json_text.loads(text)
        try:
            return template.render(as_go(answer))
        except TemplateError:
            pass
        # What Go's structs do not know may still stand in the engine's answer.
        try:
            return template.render(numbers_as_text(answer), strict=True)
        except TemplateError as error:
            raise CommandFailedError(f"template parsing error: {error.message}") from error

    return show


def numbers_as_text(value: Any) -> Any:
    """Return an answer with its numbers as the texts that Go's client keeps without structs."""
    if isinstance(value, dict):
        return {key: numbers_as_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [numbers_as_text(item) for item in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return json_text.dumps(value)
    return value


def indent_json(text: str) -> str:
    """Lay JSON out in lines, its words untouched: `{}` and `[]` stay on one line."""
    out: list[str] = []
    depth, at, length = 0, 0, len(text)
    while at < length:
        char = text[at]
        if char == '"':
            end = _string_end(text, at)
            out.append(text[at:end])
            at = end
            continue
        at += 1
        if char in "{[":
            closing = at
            while closing < length and text[closing] in " \t\r\n":
                closing += 1
            if text[closing : closing + 1] in ("}", "]"):
                out.append(char + text[closing])
                at = closing + 1
                continue
            depth += 1
            out.append(char + "\n" + _INDENT * depth)
        elif char in "}]":
            depth -= 1
            out.append("\n" + _INDENT * depth + char)
        elif char == ",":
            out.append(",\n" + _INDENT * depth)
        elif char == ":":
            out.append(": ")
        elif char not in " \t\r\n":
            out.append(char)
    return "".join(out)


def _string_end(text: str, start: int) -> int:
    end = start
    while True:
        end = text.index('"', end + 1)
        slashes = end - 1
        while text[slashes] == "\\":
            slashes -= 1
        if (end - slashes) % 2:
            return end + 1
