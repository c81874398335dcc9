"""The text of a Dockerfile, read whole: stages of instructions, or one clear error.

Pure. What is wrong with the form of any line is told before what is wrong with an instruction,
as Docker does.
"""

from __future__ import annotations

from naru.dockerfile.instruction_rules import read_instruction
from naru.dockerfile.instructions import Arg, Dockerfile, From, Instruction, Stage
from naru.dockerfile.lexer import read_source
from naru.dockerfile.statement import read_statement
from naru.errors import InvalidInputError

MAX_DOCKERFILE = 4 << 20
"""Bytes. What is larger is none, and is not read on."""


def parse_dockerfile(text: str, name: str = "Dockerfile") -> Dockerfile:
    """Read a Dockerfile; `name` is what users know it by.

    Raises:
        InvalidInputError: with Docker's words, and the number of the line where it has one.
    """
    try:
        source = read_source(text)
        statements = [read_statement(line, source.escape) for line in source.lines]
    except InvalidInputError as error:
        raise InvalidInputError(f"failed to parse {name}: {error.message}") from error
    arguments: list[Arg] = []
    stages: list[tuple[From, list[Instruction]]] = []
    for statement in statements:
        try:
            instruction = read_instruction(statement)
        except InvalidInputError as error:
            raise InvalidInputError(
                f"dockerfile parse error on line {statement.line}: {error.message}"
            ) from error
        if isinstance(instruction, From):
            stages.append((instruction, []))
        elif stages:
            stages[-1][1].append(instruction)
        elif isinstance(instruction, Arg):
            arguments.append(instruction)
        else:
            raise InvalidInputError("no build stage in current context")
    if not stages:
        raise InvalidInputError("no build stage in current context")
    return Dockerfile(
        tuple(Stage(start, tuple(body)) for start, body in stages),
        tuple(arguments),
        source.escape,
        source.warnings,
    )


def parse_instructions(text: str) -> list[Instruction]:
    """Read instructions that stand alone: a trigger, or the changes of a commit.

    Raises:
        InvalidInputError: with Docker's words.
    """
    source = read_source(text)
    return [read_instruction(read_statement(line, source.escape)) for line in source.lines]
