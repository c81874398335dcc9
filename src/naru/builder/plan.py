"""Which stages a build takes: the target's, and those that it leads to. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from naru.dockerfile.expand import expand
from naru.dockerfile.instructions import Copy, Dockerfile, Instruction, Label, Run, Stage
from naru.errors import InvalidInputError


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """The stages up to the target, and the places of those that are needed, lowest first."""

    stages: tuple[Stage, ...]
    needed: tuple[int, ...]
    arguments: int

    @property
    def step_count(self) -> int:
        """Return how many steps users are told of."""
        return self.arguments + sum(1 + len(self.stages[i].instructions) for i in self.needed)

    def find(self, name: str, before: int) -> int | None:
        """Return the place of the stage called `name` among those in front of `before`.

        Of several with one name the last one counts. Names go in any case.
        """
        return find_stage(self.stages, name, before)


def find_stage(stages: tuple[Stage, ...], name: str, before: int) -> int | None:
    """Do as `BuildPlan.find` does."""
    for index in range(min(before, len(stages)) - 1, -1, -1):
        if stages[index].start.stage == name.lower():
            return index
    return None


def plan_build(
    dockerfile: Dockerfile, *, target: str, labels: Mapping[str, str], values: Mapping[str, str]
) -> BuildPlan:
    """Decide what to build; `labels` go onto the last stage, as LABEL instructions.

    `values` are the arguments that FROM sees.

    Raises:
        InvalidInputError: there is no such target.
    """
    stages = dockerfile.stages
    last = _target_index(stages, target)
    stages = stages[: last + 1]
    labelled = tuple(
        Label(text=f"LABEL {name}={labels[name]}", pairs=((name, labels[name]),), is_literal=True)
        for name in sorted(labels)
    )
    final = replace(stages[last], instructions=stages[last].instructions + labelled)
    stages = (*stages[:last], final)
    needed: set[int] = set()
    pending = [last]
    while pending:
        index = pending.pop()
        if index not in needed:
            needed.add(index)
            pending += _used(stages, index, dockerfile, values)
    return BuildPlan(stages, tuple(sorted(needed)), len(dockerfile.arguments))


def _target_index(stages: tuple[Stage, ...], target: str) -> int:
    if not target:
        return len(stages) - 1
    for index, stage in enumerate(stages):
        if stage.start.stage == target.lower():
            return index
    if target.isascii() and target.isdigit() and int(target) < len(stages):
        return int(target)
    raise InvalidInputError(f'target stage "{target}" could not be found')


def _used(
    stages: tuple[Stage, ...], index: int, dockerfile: Dockerfile, values: Mapping[str, str]
) -> Iterator[int]:
    """Yield the places of the stages that one stage starts from or takes files from."""
    try:
        base = expand(stages[index].start.image, values, dockerfile.escape)
    except InvalidInputError:
        # The step that meets it says what is wrong.
        base = ""
    found = find_stage(stages, base, index)
    if found is not None:
        yield found
    for origin in _origins(stages[index].instructions):
        place = find_stage(stages, origin, index)
        if place is None and origin.isascii() and origin.isdigit() and int(origin) < index:
            place = int(origin)
        if place is not None:
            yield place


def _origins(instructions: tuple[Instruction, ...]) -> Iterator[str]:
    for instruction in instructions:
        match instruction:
            case Copy(origin=origin) if origin:
                yield origin
            case Run(mounts=mounts):
                yield from (mount.origin for mount in mounts if mount.origin)
            case _:
                pass
