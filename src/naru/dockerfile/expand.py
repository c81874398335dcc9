"""Words of a Dockerfile: splitting a line into them, taking quotes off, replacing variables.

Pure. The environment is what ENV has set so far, as `NAME=value` strings.

Spec: Dockerfile reference, "Environment replacement".
"""

from __future__ import annotations

from collections.abc import Mapping

from naru.errors import InvalidInputError

_ESCAPE = "\\"


def split_words(text: str) -> list[str]:
    """Split at blanks outside quotes; quotes and escapes stay in the words.

    An open quote reaches to the end: `expand` is where it becomes an error.
    """
    words: list[str] = []
    current, quote, position = "", "", 0
    while position < len(text):
        character = text[position]
        if character == _ESCAPE and quote != "'" and position + 1 < len(text):
            current += text[position : position + 2]
            position += 2
            continue
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character.isspace():
            words += [current] if current else []
            current, position = "", position + 1
            continue
        current += character
        position += 1
    return [*words, current] if current else words


def expand(word: str, environment: Mapping[str, str]) -> str:
    """Take the quotes off a word and put values in place of `$NAME` and `${NAME…}`.

    Raises:
        InvalidInputError: a quote or a brace stays open, or a modifier is unknown.
    """
    try:
        return _Expansion(word, environment).run()
    except InvalidInputError as error:
        quoted = word.replace(_ESCAPE, _ESCAPE * 2).replace('"', '\\"')
        raise InvalidInputError(f'failed to process "{quoted}": {error.message}') from error


class _Expansion:
    """One pass over one word, left to right."""

    def __init__(self, text: str, environment: Mapping[str, str]) -> None:
        self._text = text
        self._environment = environment
        self._position = 0

    def run(self) -> str:
        return self._until("")

    def _peek(self) -> str:
        return self._text[self._position : self._position + 1]

    def _next(self) -> str:
        character = self._peek()
        self._position += 1
        return character

    def _until(self, end: str) -> str:
        """Return the text up to `end` (a closing brace) or, without one, to the end."""
        result = ""
        while character := self._peek():
            if character == end:
                self._position += 1
                return result
            result += self._piece()
        if end:
            raise InvalidInputError(f"unexpected end of statement while looking for matching {end}")
        return result

    def _piece(self) -> str:
        character = self._next()
        if character == "'":
            return self._single_quoted()
        if character == '"':
            return self._double_quoted()
        if character == "$":
            return self._variable()
        if character == _ESCAPE:
            # An escape at the very end stands for itself.
            return self._next() or _ESCAPE
        return character

    def _single_quoted(self) -> str:
        end = self._text.find("'", self._position)
        if end < 0:
            raise InvalidInputError(
                "unexpected end of statement while looking for matching single-quote"
            )
        result = self._text[self._position : end]
        self._position = end + 1
        return result

    def _double_quoted(self) -> str:
        result = ""
        while character := self._next():
            if character == '"':
                return result
            if character == "$":
                result += self._variable()
            elif character == _ESCAPE:
                escaped = self._next()
                result += escaped if escaped in ('"', "$", _ESCAPE) else _ESCAPE + escaped
            else:
                result += character
        raise InvalidInputError(
            "unexpected end of statement while looking for matching double-quote"
        )

    def _variable(self) -> str:
        if self._peek() != "{":
            name = self._name()
            return self._environment.get(name, "") if name else "$"
        self._position += 1
        if self._peek() in ("{", ":", "}"):
            raise InvalidInputError("bad substitution")
        name = self._name()
        value = self._environment.get(name)
        following = self._next()
        if following == "}":
            return value or ""
        if following == ":":
            return self._modified(name, value, self._next(), null_counts_as_unset=True)
        if following and following in "+-?":
            return self._modified(name, value, following, null_counts_as_unset=False)
        if not following:
            raise InvalidInputError("missing ':' in substitution")
        raise InvalidInputError("unsupported modifier in substitution")

    def _modified(
        self, name: str, value: str | None, modifier: str, *, null_counts_as_unset: bool
    ) -> str:
        word = self._until("}")
        is_set = value is not None and not (null_counts_as_unset and value == "")
        if modifier == "-":
            return value if is_set and value is not None else word
        if modifier == "+":
            return word if is_set else ""
        if modifier == "?":
            if is_set and value is not None:
                return value
            raise InvalidInputError(f"{name}: {word or 'not allowed to be unset'}")
        raise InvalidInputError(f"unsupported modifier ({modifier}) in substitution")

    def _name(self) -> str:
        start = self._position
        if self._peek().isdigit() or self._peek() in ("@", "*", "#", "?", "-", "$", "!"):
            # Shell's own parameters are no variables of an image: they expand to nothing.
            self._position += 1
            return self._text[start : self._position]
        while (character := self._peek()) and (character == "_" or character.isalnum()):
            self._position += 1
        return self._text[start : self._position]
