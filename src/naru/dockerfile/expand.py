"""Words of a Dockerfile: splitting a line into them, taking quotes off, replacing variables.

Pure. The environment is what ENV and ARG have set so far. `escape` is the character that the
Dockerfile's directive chose.

Spec: Dockerfile reference, "Environment replacement".
"""

from __future__ import annotations

from collections.abc import Mapping

from naru.dockerfile.shell_pattern import ShellPattern
from naru.errors import InvalidInputError

_ESCAPE = "\\"
# Braces nest; deeper than this only hostile text does, and the stack is finite.
_MAX_DEPTH = 100


def split_words(text: str, escape: str = _ESCAPE) -> list[str]:
    """Split at blanks outside quotes; quotes and escapes stay in the words.

    An open quote reaches to the end: `expand` is where it becomes an error.
    """
    words: list[str] = []
    current: list[str] = []
    quote, position = "", 0
    while position < len(text):
        character = text[position]
        if character == escape and quote != "'" and position + 1 < len(text):
            current.append(text[position : position + 2])
            position += 2
            continue
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character.isspace():
            words += ["".join(current)] if current else []
            current, position = [], position + 1
            continue
        current.append(character)
        position += 1
    return [*words, "".join(current)] if current else words


def expand(word: str, environment: Mapping[str, str], escape: str = _ESCAPE) -> str:
    """Take the quotes off a word and put values in place of `$NAME` and `${NAME…}`.

    Raises:
        InvalidInputError: a quote or a brace stays open, or a modifier is unknown.
    """
    try:
        return _Expansion(word, environment, escape).run()
    except InvalidInputError as error:
        quoted = word.replace("\\", "\\\\").replace('"', '\\"')
        raise InvalidInputError(f'failed to process "{quoted}": {error.message}') from error


def expand_text(text: str, environment: Mapping[str, str], escape: str = _ESCAPE) -> str:
    """Put values in place of variables; quotes and escapes stay, as the text of a file has them.

    Raises:
        InvalidInputError: a brace stays open, or a modifier is unknown.
    """
    return _Expansion(text, environment, escape, is_text=True).run()


def unquoted(word: str, escape: str = _ESCAPE) -> str:
    """Take the quotes off a word and leave variables alone; an open quote ends with the word."""
    result: list[str] = []
    quote, position = "", 0
    while position < len(word):
        character = word[position]
        position += 1
        if character == escape and quote != "'" and position < len(word):
            result.append(word[position])
            position += 1
        elif quote:
            if character == quote:
                quote = ""
            else:
                result.append(character)
        elif character in "'\"":
            quote = character
        else:
            result.append(character)
    return "".join(result)


class _Expansion:
    """One pass over one word, left to right."""

    def __init__(
        self, text: str, environment: Mapping[str, str], escape: str, *, is_text: bool = False
    ) -> None:
        self._text = text
        self._environment = environment
        self._escape = escape
        self._is_text = is_text
        self._position = 0
        self._depth = 0

    def run(self) -> str:
        return self._until("")

    def _peek(self) -> str:
        return self._text[self._position : self._position + 1]

    def _next(self) -> str:
        character = self._peek()
        self._position += 1
        return character

    def _until(self, end: str, *, keeps_escapes: bool = False) -> str:
        """Return the text up to `end`, a closing character, or without one to the end.

        Patterns keep their escapes: they mean something there.
        """
        result: list[str] = []
        while character := self._peek():
            if character == end:
                self._position += 1
                return "".join(result)
            result.append(self._piece(keeps_escapes=keeps_escapes))
        if end:
            raise InvalidInputError(f"unexpected end of statement while looking for matching {end}")
        return "".join(result)

    def _piece(self, *, keeps_escapes: bool) -> str:
        character = self._next()
        if character == "'" and not self._is_text:
            return self._single_quoted()
        if character == '"' and not self._is_text:
            return self._double_quoted()
        if character == "$":
            return self._variable()
        if character == self._escape:
            if keeps_escapes or self._is_text:
                return character + self._next()
            # An escape at the very end stands for itself.
            return self._next() or character
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
        result: list[str] = []
        while character := self._next():
            if character == '"':
                return "".join(result)
            if character == "$":
                result.append(self._variable())
            elif character == self._escape:
                escaped = self._next()
                plain = escaped in ('"', "$", self._escape)
                result.append(escaped if plain else self._escape + escaped)
            else:
                result.append(character)
        raise InvalidInputError(
            "unexpected end of statement while looking for matching double-quote"
        )

    def _variable(self) -> str:
        if self._peek() != "{":
            name = self._name()
            return self._environment.get(name, "") if name else "$"
        self._position += 1
        if not self._peek():
            raise InvalidInputError("syntax error: missing '}'")
        if self._peek() in ("{", ":", "}"):
            raise InvalidInputError("syntax error: bad substitution")
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise InvalidInputError("syntax error: bad substitution")
        name = self._name()
        value = self._environment.get(name)
        result = self._modified(name, value, self._next())
        self._depth -= 1
        return result

    def _modified(self, name: str, value: str | None, modifier: str) -> str:
        if modifier == "}":
            return value or ""
        if modifier == "/":
            return self._replaced(value or "")
        null_is_unset = modifier == ":"
        shown = modifier
        if null_is_unset:
            modifier = self._next()
            shown += modifier
        if not modifier:
            raise InvalidInputError("syntax error: missing '}'")
        if modifier not in "+-?#%":
            raise InvalidInputError(f"unsupported modifier ({shown}) in substitution")
        word = self._until_or_brace_is_missing("}", keeps_escapes=modifier in "#%")
        is_set = value is not None and not (null_is_unset and not value)
        if modifier in "#%":
            return _trimmed(value or "", modifier, word)
        if modifier == "-":
            return (value or "") if is_set else word
        if modifier == "+":
            return word if is_set else ""
        if is_set:
            return value or ""
        state = "unset" if value is None else "empty"
        raise InvalidInputError(f"{name}: {word or f'is not allowed to be {state}'}")

    def _replaced(self, value: str) -> str:
        replaces_all = self._peek() == "/"
        if replaces_all:
            self._position += 1
        pattern = self._until_or_brace_is_missing("/", keeps_escapes=True)
        replacement = self._until_or_brace_is_missing("}")
        return ShellPattern(pattern).replaced(value, replacement, everywhere=replaces_all)

    def _until_or_brace_is_missing(self, end: str, *, keeps_escapes: bool = False) -> str:
        try:
            return self._until(end, keeps_escapes=keeps_escapes)
        except InvalidInputError as error:
            if self._position >= len(self._text):
                missing = "'/' in ${}" if end == "/" else "'}'"
                raise InvalidInputError(f"syntax error: missing {missing}") from error
            raise

    def _name(self) -> str:
        start = self._position
        if self._peek().isdigit():
            while self._peek().isdigit():
                self._position += 1
            return self._text[start : self._position]
        if self._peek() in ("@", "*", "#", "?", "-", "$", "!"):
            # Shell's own parameters are no variables of an image: they expand to nothing.
            self._position += 1
            return self._text[start : self._position]
        while (character := self._peek()) and (character == "_" or character.isalnum()):
            self._position += 1
        return self._text[start : self._position]


def _trimmed(value: str, modifier: str, word: str) -> str:
    """Take the shortest or, with the modifier doubled, the longest match off one end."""
    is_longest = word.startswith(modifier)
    pattern = ShellPattern(word.removeprefix(modifier) if is_longest else word)
    if modifier == "#":
        return pattern.without_prefix(value, longest=is_longest)
    return pattern.without_suffix(value, longest=is_longest)
