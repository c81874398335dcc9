"""`--format`: rows of things as a table, as JSON lines, or through a template.

A command describes its rows as `View`s and its table as `Columns`; this module turns the two
and the user's format into text.

Spec: docker/cli, formatter/formatter.go.
"""

from __future__ import annotations

from naru.cli.failure import CommandFailedError
from naru.cli.table import align, rows
from naru.cli.template.values import NO_VALUE, View, print_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from naru.cli.template.evaluator import Template

TABLE = "table"
RAW = "raw"
JSON = "json"
_PARSE_ERROR_STATUS = 64


class Columns:
    """A command's table: the fields of its default format, every field's title, the raw format.

    `raw` is the template of `--format raw`, "" where the command has none.
    """

    __slots__ = ("default", "raw", "titles")

    def __init__(self, default: Sequence[str], titles: Mapping[str, str], raw: str = "") -> None:
        self.default = default
        self.titles = titles
        self.raw = raw


class LabelledView(View):
    """A row of something with labels; `item` is what the API says of it."""

    def __init__(self, item: dict[str, Any]) -> None:
        self.item = item

    def labels(self) -> str:
        """Return all labels on one line."""
        labels = self.item.get("Labels") or {}
        return ",".join(f"{key}={labels[key]}" for key in sorted(labels))

    def label(self, name: str) -> str:
        """Return the value of one label, nothing if it is not there."""
        return str((self.item.get("Labels") or {}).get(name, ""))

    methods = {"Label": label}  # noqa: RUF012 - the protocol's ClassVar is declared in View


class _Titles(View):
    """A table's header line: every field is its title."""

    def __init__(self, titles: Mapping[str, str]) -> None:
        self._titles = titles

    def resolve(self, name: str, args: list[object]) -> object:
        if name == "Label" and args:
            last = str(args[0]).rpartition(".")[2]
            return last.replace("-", " ").replace("_", " ")
        return self._titles.get(name, NO_VALUE)


def render(views: Sequence[View], form: str, columns: Columns) -> str:
    """Return the text for all views in the user's format; "" and `table` mean the default.

    Raises:
        CommandFailedError: the format is no template, or does not fit the rows.
    """
    form = form.strip()
    if form in ("", TABLE):
        return _default_table(views, columns)
    if form == JSON:
        return "".join(print_json(view) + "\n" for view in views)
    is_table = form.startswith(TABLE)
    text = unescape(form.removeprefix(TABLE).strip())
    if form == RAW and columns.raw:
        text = columns.raw
    template = parse_template(text)
    lines = [render_one(template, view) for view in views]
    if is_table:
        lines.insert(0, _header(text, columns))
        return align("\n".join(lines)) + "\n"
    return "".join(line + "\n" for line in lines)


def quiet(ids: Iterable[str], form: str, title: str) -> str:
    """Return what `--quiet` prints: one id a line, titled in the raw format."""
    head = f"{title}: " if form == RAW else ""
    return "".join(f"{head}{identity}\n" for identity in ids)


def unescape(form: str) -> str:
    """Read the escapes that formats know, for a tab and for a line end."""
    return form.replace("\\t", "\t").replace("\\n", "\n")


def _default_table(views: Sequence[View], columns: Columns) -> str:
    names = columns.default
    table = [[columns.titles[name] for name in names]]
    for view in views:
        cells = type(view).columns
        table.append([str(cells[name](view)) for name in names])
    return rows(table)


def parse_template(text: str) -> Template:
    """Read a template.

    Raises:
        CommandFailedError: it is none.
    """
    from naru.cli.template.evaluator import Template
    from naru.cli.template.nodes import TemplateError

    try:
        return Template(text)
    except TemplateError as error:
        raise CommandFailedError(f"template parsing error: {error.message}") from error


def parse_answer_template(
    text: str, name: str = "", problem: str = "template parsing error"
) -> Template:
    """Read a template over what the engine answers, which sees the fields that Go's structs have.

    Errors call the template `name`, and begin with `problem`.

    Raises:
        CommandFailedError: it is none; the exit code tells that from everything else.
    """
    from naru.cli.go_fields import missing_field
    from naru.cli.template.evaluator import Template
    from naru.cli.template.nodes import TemplateError

    try:
        return Template(text, name=name, resolve_missing=missing_field)
    except TemplateError as error:
        message = f"{problem}: {error.message}"
        raise CommandFailedError(message, _PARSE_ERROR_STATUS) from error


def render_one(template: Template, view: object) -> str:
    """Run a template over one value.

    Raises:
        CommandFailedError: with docker's words.
    """
    from naru.cli.template.nodes import TemplateError

    try:
        return template.render(view)
    except TemplateError as error:
        raise CommandFailedError(f"template parsing error: {error.message}") from error


def _header(text: str, columns: Columns) -> str:
    from naru.cli.template.evaluator import Template
    from naru.cli.template.functions import HEADER_FUNCTIONS

    return render_one(Template(text, HEADER_FUNCTIONS), _Titles(columns.titles))
