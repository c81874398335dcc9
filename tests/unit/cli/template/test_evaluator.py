"""Templates give what docker's give, errors included."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from naru.cli.template.evaluator import Template
from naru.cli.template.nodes import TemplateError
from naru.cli.template.values import View

_GOLDEN = Path(__file__).parents[3] / "golden" / "cli" / "inspect_templates.json"
_RECORDED: dict[str, Any] = msgspec.json.decode(_GOLDEN.read_bytes())


@pytest.mark.parametrize("case", _RECORDED["cases"], ids=lambda case: case["format"])
def test_inspect_prints_what_docker_prints(
    case: dict[str, Any], engine: Any, cli: Callable[..., Any]
) -> None:
    engine.on("GET", "/containers/cfr1/json", _RECORDED["answer"])
    outcome = cli("inspect", "-f", case["format"], "cfr1")
    assert (outcome.code, outcome.out, outcome.err) == (case["exit"], case["out"], case["err"])


class _Row(View):
    go_type = "*formatter.RowContext"

    columns = {"Name": lambda _self: "n"}  # noqa: RUF012
    methods = {"Label": lambda _self, name: f"label {name}"}  # noqa: RUF012


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("{{.Name}}", "n"),
        ('{{.Label "x"}}', "label x"),
        ('{{"x" | .Label}}', "label x"),
        ("{{json .}}", '{"Name":"n"}'),
        ("{{range $i, $x := (split .Name .Name)}}{{$i}}{{end}}", "01"),
        (
            "{{range 5}}{{if eq . 1}}{{continue}}{{end}}{{if eq . 3}}{{break}}{{end}}{{.}}{{end}}",
            "02",
        ),
        ("{{with $x := .Name}}{{$x}}{{else}}none{{end}}", "n"),
        ("{{if and .Name (eq 1 1)}}yes{{end}}", "yes"),
        ("{{- /* words */ -}} x", "x"),
        ("{{if false}}a{{else if true}}b{{else}}c{{end}}", "b"),
        ('{{printf "%-4s|%4d|%04d|%x|%q|%t" "ab" 7 7 255 "q" true}}', 'ab  |   7|0007|ff|"q"|true'),
    ],
)
def test_templates_print_what_gos_print(form: str, text: str) -> None:
    assert Template(form).render(_Row()) == text


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ("{{.Foo}}", "<.Foo>: can't evaluate field Foo in type *formatter.RowContext"),
        ("{{.Name.X}}", "<.Name.X>: can't evaluate field X in type string"),
        ("{{.Label}}", "<.Label>: wrong number of args for Label: want 1 got 0"),
        ("{{.Name 1}}", "<.Name>: wrong number of args for Name: want 0 got 1"),
    ],
)
def test_rows_refuse_what_they_do_not_have(form: str, problem: str) -> None:
    with pytest.raises(TemplateError) as caught:
        Template(form).render(_Row())
    assert caught.value.message.endswith(problem)
    assert not caught.value.is_parse_error


def test_missing_key_of_a_map_is_no_value() -> None:
    assert Template("{{.x}}|{{if .x}}y{{else}}n{{end}}").render({}) == "<no value>|n"


def test_error_names_line_and_column() -> None:
    with pytest.raises(TemplateError) as caught:
        Template("a\nbc{{.Foo}}").render(_Row())
    assert caught.value.message.startswith("template: :2:4: executing")
