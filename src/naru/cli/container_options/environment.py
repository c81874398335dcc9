"""`--env`, `--env-file`, `--label`, `--label-file`, and other `key=value` options."""

from __future__ import annotations

from naru.errors import InvalidInputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_BYTE_ORDER_MARK = "\ufeff"
_MAX_LINE = 64 * 1024


def check_variable(text: str) -> str:
    """Refuse a variable without a name."""
    if not text.partition("=")[0]:
        raise InvalidInputError(f"invalid environment variable: {text}")
    return text


def check_label(text: str) -> str:
    """Refuse a label without a name, or with blanks in it."""
    key = text.partition("=")[0].lstrip(" \t")
    if not key:
        raise InvalidInputError(f"invalid label '{text}': empty name")
    if " " in key or "\t" in key:
        raise InvalidInputError(f"label '{key}' contains whitespaces")
    return text


def read_variables(
    files: Iterable[str], given: Iterable[str], environ: Mapping[str, str]
) -> list[str]:
    """Return `NAME=value` of files and options, in that order; of options the last counts.

    A name alone takes our own value. Without one it is dropped when it stood in a file; given
    as an option it goes to the engine as it is, which takes the variable out of the image's.

    Raises:
        InvalidInputError: a file cannot be read, or a line of it means nothing.

    Spec: docker/cli, opts/env.go and pkg/kvfile.
    """
    variables: list[str] = []
    for path in files:
        variables += _read_file(path, environ)
    latest: dict[str, str] = {}
    for text in given:
        name, equals, _ = text.partition("=")
        known = not equals and name in environ
        latest[name] = f"{name}={environ[name]}" if known else text
    return [*variables, *latest.values()]


def read_labels(files: Iterable[str], given: Iterable[str]) -> dict[str, str]:
    """Return the labels of files and options; of one name the last counts.

    Raises:
        InvalidInputError: a file cannot be read, or a line of it means nothing.
    """
    lines = [line for path in files for line in _read_file(path, None)]
    return to_map([*lines, *given])


def to_map(pairs: Iterable[str]) -> dict[str, str]:
    """Turn `key=value` texts into a map; a key alone has the value ""."""
    return {key: value for key, _, value in (pair.partition("=") for pair in pairs)}


def _read_file(path: str, environ: Mapping[str, str] | None) -> list[str]:
    try:
        with open(path, "rb") as file:
            lines = file.read().split(b"\n")
    except OSError as error:
        raise InvalidInputError(f"open {path}: {(error.strerror or '').lower()}") from error
    found: list[str] = []
    for number, raw in enumerate(lines, 1):
        try:
            line = _read_line(raw, number, environ)
        except ValueError as error:
            raise InvalidInputError(f"invalid env file ({path}): {error}") from error
        if line is not None:
            found.append(line)
    return found


def _read_line(raw: bytes, number: int, environ: Mapping[str, str] | None) -> str | None:
    raw = raw.removesuffix(b"\r")
    if len(raw) >= _MAX_LINE:
        raise ValueError("bufio.Scanner: token too long")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        shown = " ".join(str(byte) for byte in raw)
        raise ValueError(f"invalid utf8 bytes at line {number}: [{shown}]") from None
    if number == 1:
        text = text.removeprefix(_BYTE_ORDER_MARK)
    text = text.lstrip()
    if not text or text.startswith("#"):
        return None
    name, equals, value = text.partition("=")
    if not name:
        raise ValueError(f"no variable name on line '{text}'")
    if any(char.isspace() for char in name):
        raise ValueError(f"variable '{name}' contains whitespaces")
    if equals:
        return f"{name}={value}"
    return f"{name}={environ[name]}" if environ is not None and name in environ else None
