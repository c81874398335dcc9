"""`--security-opt`, `--cap-add` and `--cap-drop`.

Spec: docker/cli, cli/command/container/opts.go and opts/capabilities.go.
"""

from __future__ import annotations

from naru.cli.container_options.go_texts import go_quote
from naru.errors import InvalidInputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_NAMED_PROFILES = ("builtin", "unconfined")


def read_security_options(given: Iterable[str]) -> tuple[list[str], bool]:
    """Return `SecurityOpt`, and whether the system's paths stay open to the container.

    A seccomp profile's file is replaced by what stands in it.

    Raises:
        InvalidInputError: in Docker's words.
    """
    kept: list[str] = []
    has_open_paths = False
    for option in given:
        name, divider, value = option.partition("=")
        if not divider and name != "no-new-privileges":
            name, divider, value = option.partition(":")
        if not value and name != "no-new-privileges":
            raise InvalidInputError(f"Invalid --security-opt: {go_quote(option)}")
        if name == "seccomp" and value not in _NAMED_PROFILES:
            option = f"seccomp={_read_profile(value)}"
        if option == "systempaths=unconfined":
            has_open_paths = True
        else:
            kept.append(option)
    return kept, has_open_paths


def _read_profile(path: str) -> str:
    from naru.client import json_text

    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read()
    except OSError as error:
        reason = (error.strerror or "").lower()
        raise InvalidInputError(
            f"opening seccomp profile ({path}) failed: open {path}: {reason}"
        ) from error
    try:
        json_text.loads(text)
    except ValueError as error:
        raise InvalidInputError(
            f"compacting json for seccomp profile ({path}) failed: {error}"
        ) from error
    return _without_blanks(text)


def _without_blanks(text: str) -> str:
    """Take the white space out of JSON, except inside strings."""
    kept: list[str] = []
    for number, part in enumerate(_string_pieces(text)):
        kept.append(part if number % 2 else "".join(part.split()))
    return "".join(kept)


def _string_pieces(text: str) -> list[str]:
    """Cut JSON into what stands outside strings (even places) and strings (odd places)."""
    pieces: list[str] = []
    start = position = 0
    while (position := text.find('"', position)) >= 0:
        end = position + 1
        while text[end] != '"':
            end += 2 if text[end] == "\\" else 1
        pieces += [text[start:position], text[position : end + 1]]
        start = position = end + 1
    return [*pieces, text[start:]]


def full_capability_names(given: Iterable[str]) -> list[str] | None:
    """Return capabilities with `CAP_` in front, each once, in order; None for none."""
    names = (text.upper() for text in given)
    full = {name if name == "ALL" or name.startswith("CAP_") else f"CAP_{name}" for name in names}
    return sorted(full) or None
