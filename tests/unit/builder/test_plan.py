"""Which stages are needed, and how many steps that makes."""

from __future__ import annotations

import pytest

from naru.builder.plan import BuildPlan, plan_build
from naru.dockerfile.instructions import Label
from naru.dockerfile.parser import parse_dockerfile
from naru.errors import InvalidInputError

_TEXT = """
ARG base=zero
FROM x AS zero
FROM x AS unused
RUN a
FROM ${base} AS one
RUN b
FROM x AS two
COPY --from=one / /
FROM x
COPY --from=3 / /
RUN --mount=from=zero,target=/z true
"""


def plan(target: str = "", labels: dict[str, str] | None = None) -> BuildPlan:
    return plan_build(
        parse_dockerfile(_TEXT), target=target, labels=labels or {}, values={"base": "zero"}
    )


@pytest.mark.parametrize(
    ("target", "needed", "steps"),
    [("", (0, 2, 3, 4), 9), ("ONE", (0, 2), 4), ("unused", (1,), 3), ("0", (0,), 2)],
)
def test_a_build_takes_the_target_and_what_it_leads_to(
    target: str, needed: tuple[int, ...], steps: int
) -> None:
    found = plan(target)
    assert found.needed == needed
    assert found.step_count == steps


def test_labels_become_the_last_steps_of_the_last_stage() -> None:
    found = plan("two", {"b": "$x", "a": "1"})
    *_, first, second = found.stages[-1].instructions
    assert isinstance(first, Label)
    assert isinstance(second, Label)
    assert [first.text, second.text] == ["LABEL a=1", "LABEL b=$x"]
    assert second.is_literal


def test_a_name_means_the_last_stage_before_that_has_it() -> None:
    text = "FROM a AS s\nFROM s AS s\nFROM s AS s\n"
    found = plan_build(parse_dockerfile(text), target="2", labels={}, values={})
    assert found.find("S", 2) == 1
    assert found.find("s", 0) is None
    assert found.needed == (0, 1, 2)


@pytest.mark.parametrize("target", ["gone", "9", "-1"])
def test_a_target_that_is_not_there_is_refused(target: str) -> None:
    with pytest.raises(InvalidInputError, match="could not be found"):
        plan(target)
