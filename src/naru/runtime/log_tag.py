"""The option `tag`: a template that names the container in what a driver sends. Pure.

Docker takes any Go template. Here a tag is text with actions that name one fact, which covers
what its documentation shows: `{{.Name}}/{{.ID}}`. Anything else is refused.

Spec: moby, daemon/logger/loggerutils, ParseLogTag, and the methods of logger.Info.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from naru.errors import InvalidInputError, NotSupportedError
from naru.runtime.log_attributes import LogSource

DEFAULT_TAG: Final = "{{.ID}}"
_ACTION: Final = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_FIELD: Final = re.compile(r"\.([A-Za-z][A-Za-z0-9]*)")
_LABEL: Final = re.compile(r'index\s+\.ContainerLabels\s+"([^"\\]*)"')

_FIELDS: Final[dict[str, Callable[[LogSource], str]]] = {
    "ID": lambda source: source.short_id,
    "FullID": lambda source: source.container_id,
    "Name": lambda source: source.name,
    "ImageID": lambda source: source.image_id[:12],
    "ImageFullID": lambda source: source.image_id,
    "ImageName": lambda source: source.image_name,
    "DaemonName": lambda source: source.daemon_name,
    "Command": lambda source: source.command,
    "Hostname": lambda source: source.hostname,
    "ContainerID": lambda source: source.container_id,
    "ContainerName": lambda source: f"/{source.name}",
    "ContainerEntrypoint": lambda source: source.argv[0] if source.argv else "",
    "ContainerImageID": lambda source: source.image_id,
    "ContainerImageName": lambda source: source.image_name,
}


def check_tag(template: str) -> None:
    """Refuse a template that `tag_text` could not fill in.

    Raises:
        InvalidInputError: it names no fact, or is not closed; the text is Docker's.
        NotSupportedError: it has more of Go's template language than a fact's name.
    """
    rest = _ACTION.sub("", template)
    if "{{" in rest:
        raise InvalidInputError("template: log-tag:1: unclosed action")
    for match in _ACTION.finditer(template):
        action = match[1]
        if _LABEL.fullmatch(action):
            continue
        field = _FIELD.fullmatch(action)
        if field is None:
            raise NotSupportedError(
                f"log tag '{template}': '{{{{{action}}}}}' is not supported",
                hint='an action is {{.FIELD}} or {{index .ContainerLabels "NAME"}}',
            )
        if field[1] not in _FIELDS:
            raise InvalidInputError(
                f'template: log-tag:1:{match.start() + 2}: executing "log-tag" at <.{field[1]}>: '
                f"can't evaluate field {field[1]} in type *logger.Info"
            )


def tag_text(template: str, source: LogSource) -> str:
    """Return the tag of a container; the template was checked."""

    def fill(match: re.Match[str]) -> str:
        if label := _LABEL.fullmatch(match[1]):
            return source.labels.get(label[1], "")
        return _FIELDS[match[1][1:]](source)

    return _ACTION.sub(fill, template)
