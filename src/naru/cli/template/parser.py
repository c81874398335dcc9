"""Tokens to nodes: Go's template grammar but for `define`, `block` and `template`."""

from __future__ import annotations

from naru.cli.template.lexer import LexError, Token, number_of, tokens
from naru.cli.template.nodes import (
    Action,
    Branch,
    Chain,
    Command,
    Dot,
    Field,
    Identifier,
    Jump,
    Literal,
    Node,
    Pipe,
    TemplateError,
    Text,
    Variable,
)
from naru.cli.value_types import go_quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_ESCAPES = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    "'": "'",
    '"': '"',
}


def parse(text: str, functions: Collection[str], name: str = "") -> list[Node]:
    """Parse the template `name`, which may call `functions`.

    Raises:
        TemplateError: with Go's text, `template: NAME:1: …`.
    """
    return _Parser(text, functions, name).parse()


class _Parser:
    def __init__(self, text: str, functions: Collection[str], name: str) -> None:
        self._name = name
        self._text = text
        self._functions = functions
        self._tokens: Iterator[Token] = tokens(text)
        self._ahead: list[Token] = []
        self._variables = ["$"]
        self._loops = 0

    def parse(self) -> list[Node]:
        try:
            body, end = self._body(())
        except LexError as error:
            raise self._error(error.message, error.position) from error
        if end is not None:
            raise self._error(f"unexpected {{{{{end.text}}}}}", end.position)
        return body

    def _body(self, ends: tuple[str, ...]) -> tuple[list[Node], Token | None]:
        """Parse until one of the closing keywords, which is left read, or the end of the text."""
        nodes: list[Node] = []
        while True:
            token = self._next()
            if token.kind == "eof":
                if ends:
                    raise self._error("unexpected EOF", token.position)
                return nodes, None
            if token.kind == "text":
                nodes.append(Text(token.position, token.text))
                continue
            word = self._next_solid()
            if word.kind != "keyword":
                self._ahead.insert(0, word)
                nodes.append(self._action(token))
            elif word.text in ("end", "else"):
                return nodes, word
            elif word.text in ("if", "with", "range"):
                nodes.append(self._branch(word))
            elif word.text in ("break", "continue"):
                nodes.append(self._jump(word))
            else:
                raise self._error(f"unexpected {{{{{word.text}}}}}", word.position)

    def _action(self, left: Token) -> Action:
        pipe = self._pipe("command", "right")
        return Action(left.position, pipe)

    def _jump(self, word: Token) -> Jump:
        self._expect_right(word.text)
        if not self._loops:
            raise self._error(f"{{{{{word.text}}}}} outside {{{{range}}}}", word.position)
        return Jump(word.position, word.text)

    def _branch(self, word: Token) -> Branch:
        """Parse `if`, `with`, `range` up to its `end`; `else if` nests."""
        known = len(self._variables)
        pipe = self._pipe(word.text, "right", is_range=word.text == "range")
        self._loops += word.text == "range"
        body, end = self._body(("end", "else"))
        self._loops -= word.text == "range"
        otherwise: list[Node] = []
        if end is not None and end.text == "else":
            following = self._next_solid()
            if (
                following.kind == "keyword"
                and following.text in ("if", "with")
                and word.text == following.text
            ):
                otherwise = [self._branch(following)]
                del self._variables[known:]
                return Branch(word.position, word.text, pipe, body, otherwise)
            self._ahead.insert(0, following)
            self._expect_right("else")
            otherwise, end = self._body(("end",))
            if end is not None and end.text != "end":
                raise self._error(f"expected end; found {{{{{end.text}}}}}", end.position)
        self._expect_right("end")
        del self._variables[known:]
        return Branch(word.position, word.text, pipe, body, otherwise)

    def _pipe(self, context: str, closing: str, *, is_range: bool = False) -> Pipe:
        first = self._next_solid()
        self._ahead.insert(0, first)
        position = first.position
        variables, is_assignment = self._declarations(is_range=is_range)
        commands: list[Command] = []
        while True:
            token = self._next_solid()
            if token.kind == closing:
                break
            if token.kind not in _OPERANDS:
                raise self._unexpected(token, context if context != "command" else "command")
            self._ahead.insert(0, token)
            commands.append(self._command(context))
        self._check_pipeline(commands, context, token)
        self._variables += [] if is_assignment else variables
        return Pipe(position, variables, commands, is_assignment=is_assignment)

    def _declarations(self, *, is_range: bool) -> tuple[list[str], bool]:
        """Read `$x :=`, `$x =` or, for range, `$i, $x :=`, if they are there."""
        seen: list[Token] = []
        names: list[str] = []
        while True:
            token = self._next_solid()
            seen.append(token)
            if token.kind != "variable":
                break
            after = self._next_keeping(seen)
            names.append(token.text)
            if after.kind in ("declare", "assign"):
                if after.kind == "assign":
                    for name in names:
                        self._check_variable(name, token.position)
                return names, after.kind == "assign"
            if not (after.kind == "comma" and is_range and len(names) == 1):
                break
        self._ahead[:0] = seen
        return [], False

    def _next_keeping(self, seen: list[Token]) -> Token:
        while (token := self._next()).kind == "blank":
            seen.append(token)
        seen.append(token)
        return token

    def _check_pipeline(self, commands: list[Command], context: str, token: Token) -> None:
        if not commands:
            raise self._error(f"missing value for {context}", token.position)
        for number, command in enumerate(commands[1:], 2):
            if isinstance(command.args[0], Literal | Dot):
                raise self._error(
                    f"non executable command in pipeline stage {number}", command.position
                )

    def _command(self, context: str) -> Command:
        """Parse operands up to a pipe or the end of the pipeline, which stays unread."""
        args: list[Node] = []
        position = self._ahead[0].position
        while True:
            operand = self._operand()
            if operand is not None:
                args.append(operand)
            token = self._next()
            if token.kind == "blank":
                following = self._next_solid()
                if following.kind in _OPERANDS:
                    self._ahead.insert(0, following)
                    continue
                token = following
            if token.kind in ("right", "rparen"):
                self._ahead.insert(0, token)
            elif token.kind != "pipe":
                raise self._unexpected(token, "operand")
            break
        if not args:
            raise self._error("empty command", position)
        return Command(position, args)

    def _operand(self) -> Node | None:
        token = self._next_solid()
        node = self._term(token)
        if node is None:
            self._ahead.insert(0, token)
            return None
        names: list[str] = []
        position = 0
        while (following := self._next()).kind == "field":
            position = position or following.position
            names.append(following.text[1:])
        if following.kind == "dot" or (following.kind == "number" and following.text[0] == "."):
            if isinstance(node, Literal):
                raise self._error(
                    f"unexpected . after term {go_quote(str(node))}", following.position
                )
            raise self._unexpected(following, "operand")
        self._ahead.insert(0, following)
        if not names:
            return node
        if isinstance(node, Field):
            return Field(position, node.names + names)
        if isinstance(node, Variable):
            return Variable(position, node.name, node.names + names)
        if isinstance(node, Literal):
            raise self._error(f"unexpected . after term {go_quote(str(node))}", position)
        return Chain(position, node, names)

    def _term(self, token: Token) -> Node | None:
        kind, text, position = token.kind, token.text, token.position
        if kind == "identifier":
            if text not in self._functions:
                raise self._error(f'function "{text}" not defined', position)
            return Identifier(position, text)
        if kind == "dot":
            return Dot(position)
        if kind == "field":
            return Field(position, [text[1:]])
        if kind == "variable":
            self._check_variable(text, position)
            return Variable(position, text, [])
        if kind == "lparen":
            return self._pipe("parenthesized pipeline", "rparen")
        if kind in ("bool", "nil"):
            return Literal(position, kind, {"true": True, "false": False}.get(text), text)
        if kind == "number":
            return Literal(position, "number", number_of(text), text)
        if kind == "char":
            return Literal(position, "number", ord(self._unquote(token)), text)
        if kind == "string":
            return Literal(position, "string", self._unquote(token), text)
        if kind == "rawstring":
            return Literal(position, "string", text[1:-1], text)
        return None

    def _unquote(self, token: Token) -> str:
        out, body, at = [], token.text[1:-1], 0
        while at < len(body):
            char = body[at]
            at += 1
            if char != "\\":
                out.append(char)
                continue
            letter = body[at]
            at += 1
            width = {"x": 2, "u": 4, "U": 8}.get(letter)
            try:
                if width:
                    out.append(chr(int(body[at : at + width], 16)))
                    at += width
                elif letter in "01234567":
                    out.append(chr(int(body[at - 1 : at + 2], 8)))
                    at += 2
                else:
                    out.append(_ESCAPES[letter])
            except (KeyError, ValueError, OverflowError):
                raise self._error("invalid syntax", token.position) from None
        text = "".join(out)
        if token.kind == "char" and len(text) != 1:
            raise self._error(f"malformed character constant: {token.text}", token.position)
        return text

    def _check_variable(self, name: str, position: int) -> None:
        if name not in self._variables:
            raise self._error(f'undefined variable "{name}"', position)

    def _expect_right(self, context: str) -> None:
        token = self._next_solid()
        if token.kind != "right":
            raise self._unexpected(token, context)

    def _next(self) -> Token:
        return self._ahead.pop(0) if self._ahead else next(self._tokens)

    def _next_solid(self) -> Token:
        while (token := self._next()).kind == "blank":
            pass
        return token

    def _unexpected(self, token: Token, context: str) -> TemplateError:
        # The dot counts as a keyword in Go's lexer.
        is_word = token.kind == "keyword" or token.text == "."
        shown = f"<{token.text}>" if is_word else go_quote(token.text)
        return self._error(f"unexpected {shown} in {context}", token.position)

    def _error(self, message: str, position: int) -> TemplateError:
        line = 1 + self._text.count("\n", 0, position)
        return TemplateError(f"template: {self._name}:{line}: {message}", is_parse_error=True)


_OPERANDS = frozenset(
    (
        "bool",
        "char",
        "dot",
        "field",
        "identifier",
        "lparen",
        "nil",
        "number",
        "rawstring",
        "string",
        "variable",
    )
)
