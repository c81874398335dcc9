"""Runs a parsed template over a value."""

from __future__ import annotations

from naru.cli.template.functions import FUNCTIONS, CallError, Function
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
from naru.cli.template.parser import parse
from naru.cli.template.values import (
    NO_VALUE,
    GoStruct,
    View,
    is_true,
    print_value,
    type_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

_ABSENT = object()


class _LoopJumpError(Exception):
    def __init__(self, keyword: str) -> None:
        super().__init__(keyword)
        self.keyword = keyword


class Template:
    """A template, parsed once, run over as many values as there are.

    `resolve_missing(struct, name)` may supply fields that a JSON answer leaves out; it raises
    KeyError where there is none.
    """

    def __init__(
        self,
        text: str,
        functions: Mapping[str, Function] = FUNCTIONS,
        *,
        name: str = "",
        resolve_missing: Callable[[dict[str, Any], str], object] | None = None,
    ) -> None:
        """Parse; error messages call the template `name`.

        Raises:
            TemplateError: `is_parse_error` is set.
        """
        self._text = text
        self._functions = functions
        self._resolve_missing = resolve_missing
        self._name = name
        self._root = parse(text, functions, name)

    def render(self, value: object, *, strict: bool = False) -> str:
        """Run over `value`; when `strict`, a key that a map does not have is an error.

        Raises:
            TemplateError: a field, a function or a type does not fit.
        """
        resolve = None if strict else self._resolve_missing
        run = _Run(self._text, self._functions, resolve, value, name=self._name, strict=strict)
        return run.render(self._root)


class _Run:
    def __init__(
        self,
        text: str,
        functions: Mapping[str, Function],
        resolve_missing: Callable[[dict[str, Any], str], object] | None,
        value: object,
        *,
        name: str,
        strict: bool,
    ) -> None:
        self._name = name
        self._strict = strict
        self._text = text
        self._functions = functions
        self._resolve_missing = resolve_missing
        self._variables: list[tuple[str, object]] = [("$", value)]
        self._out: list[str] = []

    def render(self, nodes: list[Node]) -> str:
        self._walk(nodes, self._variables[0][1])
        return "".join(self._out)

    def _walk(self, nodes: list[Node], dot: object) -> None:
        for node in nodes:
            if isinstance(node, Text):
                self._out.append(node.text)
            elif isinstance(node, Action):
                value = self._pipe(node.pipe, dot)
                if not node.pipe.variables:
                    self._out.append("<no value>" if value is NO_VALUE else print_value(value))
            elif isinstance(node, Branch):
                self._branch(node, dot)
            elif isinstance(node, Jump):
                raise _LoopJumpError(node.keyword)

    def _branch(self, node: Branch, dot: object) -> None:
        mark = len(self._variables)
        try:
            if node.keyword == "range":
                self._range(node, dot)
                return
            value = self._pipe(node.pipe, dot)
            if is_true(value):
                self._walk(node.body, value if node.keyword == "with" else dot)
            else:
                self._walk(node.otherwise, dot)
        finally:
            del self._variables[mark:]

    def _range(self, node: Branch, dot: object) -> None:
        value = self._pipe(node.pipe, dot, declares=False)
        names, ran = node.pipe.variables, False
        for key, item in self._pairs(value, node.pipe):
            ran = True
            mark = len(self._variables)
            if names:
                self._declare(names[-1], item, node.pipe)
            if len(names) == 2:
                self._declare(names[0], key, node.pipe)
            try:
                self._walk(node.body, item)
            except _LoopJumpError as jump:
                if jump.keyword == "break":
                    break
            finally:
                del self._variables[mark:]
        if not ran:
            self._walk(node.otherwise, dot)

    def _pairs(self, value: object, pipe: Pipe) -> Iterable[tuple[object, object]]:
        if isinstance(value, dict):
            return [(key, value[key]) for key in sorted(value)]
        if isinstance(value, list | tuple):
            return list(enumerate(value))
        if isinstance(value, int) and not isinstance(value, bool):
            return [(number, number) for number in range(value)]
        if value is NO_VALUE or value is None:
            return []
        raise self._error(pipe, f"range can't iterate over {print_value(value)}")

    def _declare(self, name: str, value: object, pipe: Pipe) -> None:
        if pipe.is_assignment:
            for number in range(len(self._variables) - 1, -1, -1):
                if self._variables[number][0] == name:
                    self._variables[number] = (name, value)
                    return
        self._variables.append((name, value))

    def _pipe(self, pipe: Pipe, dot: object, *, declares: bool = True) -> object:
        value: object = _ABSENT
        for command in pipe.commands:
            value = self._command(command, dot, value)
        if declares:
            for name in pipe.variables:
                self._declare(name, value, pipe)
        return value

    def _command(self, command: Command, dot: object, final: object) -> object:
        first = command.args[0]
        if isinstance(first, Identifier):
            return self._call(first.name, command, dot, final)
        extra = [self._value(arg, dot) for arg in command.args[1:]]
        if final is not _ABSENT:
            extra.append(final)
        if isinstance(first, Field | Variable | Chain):
            return self._fields(first, dot, extra)
        if extra:
            raise self._error(first, f"can't give argument to non-function {first}")
        if isinstance(first, Literal) and first.kind == "nil":
            raise self._error(first, "nil is not a command")
        return self._value(first, dot)

    def _value(self, node: Node, dot: object) -> object:
        if isinstance(node, Literal):
            return node.value
        if isinstance(node, Dot):
            return dot
        if isinstance(node, Pipe):
            return self._pipe(node, dot)
        if isinstance(node, Identifier):
            return self._call(node.name, Command(node.position, [node]), dot, _ABSENT)
        return self._fields(node, dot, [])

    def _fields(self, node: Node, dot: object, extra: list[object]) -> object:
        if isinstance(node, Field):
            value, names = dot, node.names
        elif isinstance(node, Variable):
            value, names = self._variable(node.name), node.names
        else:
            assert isinstance(node, Chain)
            value, names = self._value(node.node, dot), node.names
        if extra and not names:
            raise self._error(node, f"can't give argument to non-function {node}")
        for number, name in enumerate(names):
            value = self._field(value, name, node, extra if number == len(names) - 1 else [])
        return value

    def _variable(self, name: str) -> object:
        for known, value in reversed(self._variables):
            if known == name:
                return value
        raise AssertionError(f"the parser let {name} through")

    def _field(self, value: object, name: str, node: Node, extra: list[object]) -> object:
        if isinstance(value, View):
            try:
                return value.resolve(name, extra)
            except LookupError as error:
                raise self._error(node, str(error)) from error
        if isinstance(value, dict):
            if extra:
                raise self._error(node, f"{name} is not a method but has arguments")
            if name in value:
                return value[name]
            if not isinstance(value, GoStruct) and not self._strict:
                return NO_VALUE
            if self._resolve_missing is not None:
                try:
                    return self._resolve_missing(value, name)
                except KeyError:
                    pass
            raise self._error(node, f'map has no entry for key "{name}"')
        if value is NO_VALUE:
            raise self._error(node, f"nil data; no entry for key {name!r}".replace("'", '"'))
        if value is None:
            raise self._error(node, f'map has no entry for key "{name}"')
        go_type = "interface {}" if self._strict else type_name(value)
        raise self._error(node, f"can't evaluate field {name} in type {go_type}")

    def _call(self, name: str, command: Command, dot: object, final: object) -> object:
        function = self._functions[name]
        nodes: list[Node | None] = list(command.args[1:])
        if final is not _ABSENT:
            nodes.append(None)
        self._check_count(name, function, len(nodes), command.args[0])
        if name in ("and", "or"):
            result: object = None
            for node in nodes:
                result = final if node is None else self._value(node, dot)
                if is_true(result) == (name == "or"):
                    break
            return result
        values = []
        for number, node in enumerate(nodes):
            value = final if node is None else self._value(node, dot)
            kind = function.kinds[min(number, len(function.kinds) - 1)]
            values.append(self._checked(value, kind, node or command))
        try:
            return function.call(*values)
        except CallError as error:
            problem = str(error)
            if name == "call" and len(command.args) > 1:
                problem = problem.replace("non-function", f"non-function {command.args[1]}")
            raise self._error(command, f"error calling {name}: {problem}") from error

    def _check_count(self, name: str, function: Function, count: int, node: Node) -> None:
        if function.variadic:
            if count < function.least:
                raise self._error(
                    node,
                    f"wrong number of args for {name}: want at least {function.least} got {count}",
                )
        elif count != len(function.kinds):
            raise self._error(
                node, f"wrong number of args for {name}: want {len(function.kinds)} got {count}"
            )

    def _checked(self, value: object, kind: str, node: Node) -> object:
        """Check an argument against the kind of its parameter."""
        if kind == "any":
            return value
        if kind == "string" and (isinstance(value, str) or value is NO_VALUE):
            return "" if value is NO_VALUE else value
        if kind == "int" and isinstance(value, int) and not isinstance(value, bool):
            return value
        if (
            kind == "strings"
            and isinstance(value, list)
            and all(isinstance(item, str) for item in value)
        ):
            return value
        go_kind = "[]string" if kind == "strings" else kind
        if isinstance(node, Literal):
            raise self._error(node, f"expected {go_kind}; found {node}")
        raise self._error(node, f"wrong type for value; expected {go_kind}; got {type_name(value)}")

    def _error(self, node: Node, problem: str) -> TemplateError:
        before = self._text[: node.position]
        column = len(before.rpartition("\n")[2].encode())
        line = 1 + before.count("\n")
        return TemplateError(
            f'template: {self._name}:{line}:{column}: executing "{self._name}" at <{node}>: {problem}',
            is_parse_error=False,
        )
