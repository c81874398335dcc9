"""Template text to tokens, by the rules of Go's text/template/parse."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_BLANKS = " \t\r\n"
_KEYWORDS = frozenset(
    ("if", "else", "end", "range", "with", "break", "continue", "define", "block", "template")
)
_QUOTES = {
    '"': ("string", "unterminated quoted string"),
    "'": ("char", "unterminated character constant"),
    "`": ("rawstring", "unterminated raw quoted string"),
}
_SIGNS = {"=": "assign", "|": "pipe", "(": "lparen", ")": "rparen", ",": "comma"}


class Token:
    """One token: `kind`, its text, and where it stands."""

    __slots__ = ("kind", "position", "text")

    def __init__(self, kind: str, position: int, text: str) -> None:
        self.kind = kind
        self.position = position
        self.text = text


class LexError(Exception):
    """A text that cannot be cut into tokens: Go's words and the place."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


def tokens(text: str) -> Iterator[Token]:
    """Yield the tokens of a template, `eof` last.

    Kinds: text, left, right, blank, keyword, identifier, field, dot, variable, string, rawstring,
    char, number, bool, nil, pipe, comma, declare, assign, lparen, rparen, other, eof.

    Raises:
        LexError: with Go's text.
    """
    position, trims = 0, False
    while True:
        start = text.find("{{", position)
        piece = text[position:] if start < 0 else text[position:start]
        shift = 0
        if trims:
            stripped = piece.lstrip(_BLANKS)
            shift, piece = len(piece) - len(stripped), stripped
        if start >= 0 and _has_left_trim(text, start + 2):
            piece = piece.rstrip(_BLANKS)
        if piece:
            yield Token("text", position + shift, piece)
        if start < 0:
            yield Token("eof", len(text), "")
            return
        position, trims = start + 2, False
        if _has_left_trim(text, position):
            position += 2
        if text.startswith("/*", position):
            end = text.find("*/", position)
            if end < 0:
                raise LexError("unclosed comment", position)
            position = end + 2
            if text.startswith(" -}}", position):
                position, trims = position + 4, True
            elif text.startswith("}}", position):
                position += 2
            else:
                raise LexError("comment ends before closing delimiter", position)
            continue
        yield Token("left", start, "{{")
        scanner = _Inside(text, position)
        yield from scanner.run()
        position, trims = scanner.position, scanner.trims


def _has_left_trim(text: str, position: int) -> bool:
    return text[position : position + 1] == "-" and text[position + 1 : position + 2] in tuple(
        _BLANKS
    )


class _Inside:
    """Cuts one action into tokens."""

    def __init__(self, text: str, position: int) -> None:
        self.text = text
        self.position = position
        self.trims = False

    def run(self) -> Iterator[Token]:
        text, parens = self.text, 0
        while True:
            start = self.position
            if text.startswith("}}", start):
                closing = 2
            elif start < len(text) and text[start] in _BLANKS and text.startswith("-}}", start + 1):
                closing, self.trims = 4, True
            else:
                closing = 0
            if closing:
                if parens:
                    raise LexError("unclosed left paren", start)
                self.position += closing
                yield Token("right", start, "}}")
                return
            if start >= len(text):
                raise LexError("unclosed action", start)
            token = self._next(text[start])
            parens += {"lparen": 1, "rparen": -1}.get(token.kind, 0)
            if parens < 0:
                raise LexError("unexpected right paren", start)
            yield token

    def _next(self, char: str) -> Token:
        text, start = self.text, self.position
        if char in _BLANKS:
            return self._blank()
        if char in _QUOTES:
            return self._quoted(start, char, *_QUOTES[char])
        if char == ":":
            if not text.startswith(":=", start):
                raise LexError("expected :=", start)
            return self._take("declare", 2)
        if char in _SIGNS:
            return self._take(_SIGNS[char], 1)
        if char == "$":
            return self._word("variable", 1)
        following = text[start + 1 : start + 2]
        if char == "." and not (following.isascii() and following.isdigit()):
            return self._word("field", 1)
        if char in "+-." or (char.isascii() and char.isdigit()):
            return self._number()
        if char.isalpha() or char == "_":
            return self._word("identifier", 0)
        if char.isprintable() and char.isascii() and char != "}":
            return self._take("other", 1)
        raise LexError(_bad_character(char), start)

    def _blank(self) -> Token:
        start = self.position
        while self._peek() and self._peek() in _BLANKS:
            # The blank before a trim marker belongs to it.
            if self.text.startswith("-}}", self.position + 1) and self.position > start:
                break
            self.position += 1
        return Token("blank", start, " ")

    def _peek(self) -> str:
        return self.text[self.position : self.position + 1]

    def _take(self, kind: str, length: int) -> Token:
        start = self.position
        self.position += length
        return Token(kind, start, self.text[start : self.position])

    def _quoted(self, start: int, quote: str, kind: str, problem: str) -> Token:
        end = start + 1
        if quote == "`":
            end = self.text.find(quote, end)
            if end < 0:
                raise LexError(problem, start)
            return self._take(kind, end + 1 - start)
        while True:
            char = self.text[end : end + 1]
            if char == "\\" and self.text[end + 1 : end + 2] not in ("", "\n"):
                end += 2
                continue
            if char in ("", "\n", "\\"):
                raise LexError(problem, start)
            end += 1
            if char == quote:
                return self._take(kind, end - start)

    def _word(self, kind: str, skip: int) -> Token:
        start = self.position
        self.position += skip
        while self._peek() and (self._peek().isalnum() or self._peek() == "_"):
            self.position += 1
        word = self.text[start : self.position]
        if word == ".":
            return Token("dot", start, word)
        if self._peek() and self._peek() not in " \t\r\n.,|:=()}":
            raise LexError(_bad_character(self._peek()), start)
        if kind == "identifier":
            if word in _KEYWORDS:
                kind = "keyword"
            elif word in ("true", "false"):
                kind = "bool"
            elif word == "nil":
                kind = "nil"
        return Token(kind, start, word)

    def _number(self) -> Token:
        start = self.position
        end = start + 1 if self.text[start] in "+-" else start
        while end < len(self.text) and (
            self.text[end].isalnum()
            or self.text[end] in "._"
            or (self.text[end] in "+-" and self.text[end - 1] in "eEpP")
        ):
            end += 1
        word = self.text[start:end]
        if number_of(word) is None:
            raise LexError(f'illegal number syntax: "{word}"', start)
        return self._take("number", end - start)


def _bad_character(char: str) -> str:
    return f"bad character U+{ord(char):04X} '{char}'"


def number_of(word: str) -> int | float | None:
    """Read a number as Go writes them; None when it is none."""
    digits = word.lstrip("+-")
    if not digits or not (digits[0].isdigit() or digits[0] == "."):
        return None
    try:
        if len(digits) > 1 and digits[0] == "0" and digits.isdigit():
            value: int | float = int(digits, 8)
        else:
            value = int(digits, 0)
    except ValueError:
        try:
            value = float(digits)
        except ValueError:
            return None
        if value.is_integer():
            value = int(value)
    return -value if word.startswith("-") else value
