"""`search`. Spec: docker/cli, command/registry."""

from __future__ import annotations

from naru.cli import human, registry_auth
from naru.cli.formatting import Columns, render
from naru.cli.template.values import View
from naru.oci.reference import split_search_term

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from naru.cli.invocation import Invocation

_WIDTH = 45
_TITLES = {
    "Description": "DESCRIPTION",
    "IsOfficial": "OFFICIAL",
    "Name": "NAME",
    "StarCount": "STARS",
}


class SearchView(View):
    """A row of `search`."""

    go_type = "*registry.searchContext"

    def __init__(self, item: dict[str, Any], *, truncates: bool) -> None:
        self.item = item
        self.truncates = truncates

    def description(self) -> str:
        # Strangers wrote it: it moves no cursor, and begins no line of its own.
        text = "".join(char if char.isprintable() else " " for char in self.item["description"])
        return human.truncate(text, _WIDTH) if self.truncates else text

    columns = {  # noqa: RUF012 - the protocol's ClassVar is declared in View
        "Description": description,
        "IsOfficial": lambda self: "[OK]" if self.item["is_official"] else "",
        "Name": lambda self: self.item["name"],
        "StarCount": lambda self: str(self.item["star_count"]),
    }

    def as_json(self) -> dict[str, object]:
        """Return the columns; what is yes or no in a table is so by another word here."""
        return {**super().as_json(), "IsOfficial": str(self.item["is_official"]).lower()}


def search(invocation: Invocation) -> int:
    """Print the repositories of a registry that fit a word."""
    options, term = invocation.options, invocation.args[0]
    query = {
        "term": term,
        "limit": options["limit"] if options["limit"] > 0 else None,
        "filters": options["filter"] or None,
    }
    headers = registry_auth.headers(invocation, split_search_term(term)[0])
    items = invocation.client.get("/images/search", query, headers=headers)
    views = [SearchView(item, truncates=not options["no-trunc"]) for item in items]
    columns = Columns(("Name", "Description", "StarCount", "IsOfficial"), _TITLES)
    invocation.stdout.write(render(views, options["format"], columns))
    return 0
