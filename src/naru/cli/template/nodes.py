"""The parsed form of a template: plain nodes that know their place and how they are written."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class TemplateError(Exception):
    """A template that cannot be parsed (`is_parse_error`) or failed while it ran."""

    def __init__(self, message: str, *, is_parse_error: bool) -> None:
        super().__init__(message)
        self.message = message
        self.is_parse_error = is_parse_error


class Node:
    """Something in a template; `position` is its offset in the text.

    As a string it is how error messages quote it.
    """

    __slots__ = ("position",)

    def __init__(self, position: int) -> None:
        self.position = position


class Text(Node):
    """Text outside of actions."""

    __slots__ = ("text",)

    def __init__(self, position: int, text: str) -> None:
        super().__init__(position)
        self.text = text

    def __str__(self) -> str:
        return self.text


class Literal(Node):
    """A string, number, boolean or nil, with the words that wrote it."""

    __slots__ = ("kind", "value", "written")

    def __init__(self, position: int, kind: str, value: Any, written: str) -> None:
        super().__init__(position)
        self.kind = kind
        self.value = value
        self.written = written

    def __str__(self) -> str:
        return self.written


class Dot(Node):
    """The current value."""

    __slots__ = ()

    def __str__(self) -> str:
        return "."


class Identifier(Node):
    """The name of a function."""

    __slots__ = ("name",)

    def __init__(self, position: int, name: str) -> None:
        super().__init__(position)
        self.name = name

    def __str__(self) -> str:
        return self.name


class Field(Node):
    """Fields of the current value: `.A.B`."""

    __slots__ = ("names",)

    def __init__(self, position: int, names: list[str]) -> None:
        super().__init__(position)
        self.names = names

    def __str__(self) -> str:
        return "".join(f".{name}" for name in self.names)


class Variable(Node):
    """A variable, with fields of it: `$x.A.B`."""

    __slots__ = ("name", "names")

    def __init__(self, position: int, name: str, names: list[str]) -> None:
        super().__init__(position)
        self.name = name
        self.names = names

    def __str__(self) -> str:
        return self.name + "".join(f".{name}" for name in self.names)


class Chain(Node):
    """Fields of what stands in parentheses: `(index . 0).A`."""

    __slots__ = ("names", "node")

    def __init__(self, position: int, node: Node, names: list[str]) -> None:
        super().__init__(position)
        self.node = node
        self.names = names

    def __str__(self) -> str:
        inner = f"({self.node})" if isinstance(self.node, Pipe) else str(self.node)
        return inner + "".join(f".{name}" for name in self.names)


class Command(Node):
    """A function or value with its arguments."""

    __slots__ = ("args",)

    def __init__(self, position: int, args: list[Node]) -> None:
        super().__init__(position)
        self.args = args

    def __str__(self) -> str:
        return " ".join(f"({a})" if isinstance(a, Pipe) else str(a) for a in self.args)


class Pipe(Node):
    """Commands, each getting the result of the one before; and variables that it sets."""

    __slots__ = ("commands", "is_assignment", "variables")

    def __init__(
        self, position: int, variables: list[str], commands: list[Command], *, is_assignment: bool
    ) -> None:
        super().__init__(position)
        self.variables = variables
        self.commands = commands
        self.is_assignment = is_assignment

    def __str__(self) -> str:
        head = ""
        if self.variables:
            head = f"{', '.join(self.variables)} {'=' if self.is_assignment else ':='} "
        return head + " | ".join(map(str, self.commands))


class Action(Node):
    """`{{pipe}}`: prints it unless it sets variables."""

    __slots__ = ("pipe",)

    def __init__(self, position: int, pipe: Pipe) -> None:
        super().__init__(position)
        self.pipe = pipe

    def __str__(self) -> str:
        return f"{{{{{self.pipe}}}}}"


class Branch(Node):
    """`if`, `with` or `range`, and what to do otherwise."""

    __slots__ = ("body", "keyword", "otherwise", "pipe")

    def __init__(
        self, position: int, keyword: str, pipe: Pipe, body: list[Node], otherwise: list[Node]
    ) -> None:
        super().__init__(position)
        self.keyword = keyword
        self.pipe = pipe
        self.body = body
        self.otherwise = otherwise

    def __str__(self) -> str:
        return f"{{{{{self.keyword} {self.pipe}}}}}"


class Jump(Node):
    """`break` or `continue`."""

    __slots__ = ("keyword",)

    def __init__(self, position: int, keyword: str) -> None:
        super().__init__(position)
        self.keyword = keyword

    def __str__(self) -> str:
        return f"{{{{{self.keyword}}}}}"
