"""Whatever a template says, the answer is text or a TemplateError."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from naru.cli.template.evaluator import Template
from naru.cli.template.nodes import TemplateError
from naru.cli.template.values import print_json

_PIECES = st.sampled_from(
    [
        "{{", "}}", "{{-", " -}}", "if", "else", "end", "range", "with", "break", " ", ".", ".A",
        ".B.C", "$", "$x", ":=", "=", "|", "(", ")", ",", '"s"', "`r`", "'c'", "1", "-2", "0x1f",
        "1.5", "nil", "true", "index", "len", "eq", "lt", "and", "or", "not", "print", "printf",
        "json", "join", "split", "upper", "pad", "truncate", "slice", "html", "js", "/*", "*/",
        "\n", "x", "é", "\\", '"%d"', "{", "}",
    ]
)  # fmt: skip
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["A", "B", "C"]), inner, max_size=3)
    ),
    max_leaves=8,
)


def _error_of(form: str, value: object) -> str:
    try:
        Template(form).render(value)
    except TemplateError as error:
        return error.message
    return "template: :"


@given(st.lists(_PIECES, max_size=14).map("".join), _VALUES)
def test_any_template_gives_text_or_its_own_error(form: str, value: object) -> None:
    assert _error_of(form, value).startswith("template: :")


@given(st.lists(_PIECES, max_size=10).map("".join), _VALUES)
def test_any_action_gives_text_or_its_own_error(form: str, value: object) -> None:
    inner = form.replace("{{", "").replace("}}", "")
    assert _error_of("{{" + inner + "}}", value).startswith("template: :")


@given(st.text().filter(lambda text: "{{" not in text), _VALUES)
def test_text_without_actions_stays_as_it_is(text: str, value: object) -> None:
    assert Template(text).render(value) == text


@given(_VALUES)
def test_json_function_prints_what_json_reads(value: object) -> None:
    import json

    assert json.loads(print_json(value)) == value
    assert Template("{{json .}}").render(value) == print_json(value)
