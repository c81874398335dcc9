"""`--change` of import and commit: Dockerfile instructions that only alter a config.

Pure: text and a config in, a config out. Messages are those of Docker's own parser.

Spec: Dockerfile reference; moby, builder/dockerfile, BuildFromConfig.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from naru.dockerfile.config_change import changed, environment_of, substituted
from naru.dockerfile.instruction_rules import read_instruction
from naru.dockerfile.instructions import Cmd, Entrypoint
from naru.dockerfile.lexer import read_source
from naru.dockerfile.statement import read_statement
from naru.errors import InvalidInputError
from naru.oci.image_config import RunDefaults

_ALLOWED = frozenset(
    "CMD ENTRYPOINT ENV EXPOSE HEALTHCHECK LABEL ONBUILD STOPSIGNAL USER VOLUME WORKDIR".split()
)


def apply_changes(config: RunDefaults, changes: Sequence[str]) -> RunDefaults:
    """Return `config` after the instructions in `changes`, each one or several lines.

    Raises:
        InvalidInputError: an instruction is unknown here, or wrong.
    """
    if not changes:
        return config
    source = read_source("\n".join(changes))
    statements = [read_statement(line, source.escape) for line in source.lines]
    for statement in statements:
        if statement.name not in _ALLOWED:
            raise InvalidInputError(f"{statement.name.lower()} is not a valid change command")
    command_was_set = False
    for statement in statements:
        instruction = read_instruction(statement)
        environment = environment_of(config)
        config = changed(config, substituted(instruction, environment, source.escape))
        command_was_set = command_was_set or isinstance(instruction, Cmd)
        if isinstance(instruction, Entrypoint) and not command_was_set:
            # The old command belongs to the old entrypoint.
            config = msgspec.structs.replace(config, cmd=None)
    return config
