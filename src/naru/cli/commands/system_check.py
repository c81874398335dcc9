"""`system check`: what is wrong with the engine's store, and repairing it."""

from __future__ import annotations

from naru.cli.engine_kind import require_naru
from naru.cli.failure import CommandFailedError
from naru.cli.formatting import Columns, render
from naru.cli.template.values import View

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from naru.cli.invocation import Invocation

_SHOWN_DIGITS = 12
_QUICKLY = "Looked whether everything is there"
_DEFAULT = ("Kind", "Thing", "Affects", "State", "What")
_TITLES = {
    "Affects": "AFFECTS",
    "Containers": "CONTAINERS",
    "Images": "IMAGES",
    "Kind": "KIND",
    "Mend": "TO REPAIR",
    "State": "STATE",
    "Thing": "THING",
    "What": "WHAT",
}


class FindingView(View):
    """A row of `system check`; `state` is what became of the finding."""

    go_type = "*system.findingContext"

    def __init__(self, item: dict[str, Any], *, truncates: bool) -> None:
        self.item = item
        self.state = "found"
        self.mend = item["Mend"]
        self._truncates = truncates

    def thing(self) -> str:
        """Return what it is about; of a digest, as much as ids show."""
        thing = str(self.item["Thing"])
        algorithm, colon, encoded = thing.partition(":")
        if not self._truncates:
            return thing
        if colon and len(encoded) >= 64:
            return f"{algorithm}:{encoded[:_SHOWN_DIGITS]}"
        return thing[:_SHOWN_DIGITS] if len(thing) == 64 else thing

    def affects(self) -> str:
        """Return the images and the containers that are not as they should be."""
        return ", ".join([*self.item["Images"], *self.item["Containers"]])

    columns = {  # noqa: RUF012 - the protocol's ClassVar is declared in View
        "Affects": affects,
        "Containers": lambda self: ",".join(self.item["Containers"]),
        "Images": lambda self: ",".join(self.item["Images"]),
        "Kind": lambda self: self.item["Kind"],
        "Mend": lambda self: self.mend,
        "State": lambda self: self.state,
        "Thing": thing,
        "What": lambda self: self.item["What"],
    }


def check(invocation: Invocation) -> int:
    """Check the store; leave with 1 if something is wrong with it that was not repaired."""
    from naru.cli import registry_auth

    options = invocation.options
    if options["quick"] and options["full"]:
        raise CommandFailedError("conflicting options: --quick and --full")
    require_naru(invocation, "system check")
    query = {name: True if options[name] else None for name in ("repair", "quick", "full")}
    headers = {"X-Registry-Config": registry_auth.all_logins(invocation)}
    records = invocation.client.stream("POST", "/system/check", query, headers=headers)
    views, summary = _followed(invocation, records)
    left = [view for view in views if view.state != "repaired"]
    if options["quiet"]:
        invocation.stdout.write("".join(f"{view.item['Thing']}\n" for view in left))
    else:
        if views or options["format"]:
            columns = Columns(_DEFAULT, _TITLES)
            invocation.stdout.write(render(views, options["format"], columns))
        if not options["format"]:
            looked = _QUICKLY if options["quick"] else _read(summary)
            last = _last_lines(left, summary, looked=looked, repairs=options["repair"])
            invocation.stdout.write(last)
    return 1 if left else 0


def _followed(
    invocation: Invocation, records: Iterable[dict[str, Any]]
) -> tuple[list[FindingView], dict[str, Any]]:
    """Show the progress on a terminal; return what was found, and the summary.

    Raises:
        CommandFailedError: the check failed half way.
    """
    from naru.cli.progress import show

    views: dict[tuple[str, str], FindingView] = {}
    summary: dict[str, Any] = {}
    truncates = not invocation.options["no-trunc"]

    def progress() -> Iterable[dict[str, Any]]:
        for record in records:
            if "finding" in record:
                item = record["finding"]
                views[item["Kind"], item["Thing"]] = FindingView(item, truncates=truncates)
            elif "mended" in record:
                _of(views, record["mended"]).state = "repaired"
            elif "left" in record:
                view = _of(views, record["left"])
                view.state, view.mend = "left", record["reason"]
            elif "summary" in record:
                summary.update(record["summary"])
            else:
                yield record

    show(progress(), invocation.stderr, is_terminal=invocation.stderr.isatty())
    if not summary:
        raise CommandFailedError("the engine ended before the check did")
    return list(views.values()), summary


def _of(views: dict[tuple[str, str], FindingView], item: dict[str, Any]) -> FindingView:
    return views[item["Kind"], item["Thing"]]


def _read(summary: dict[str, Any]) -> str:
    from naru.cli import human

    counted = [
        f"{summary[key]} {noun}{'' if summary[key] == 1 else 's'}"
        for key, noun in (("Blobs", "blob"), ("Layers", "layer"))
    ]
    return f"Checked {' and '.join(counted)} ({human.size(summary['BytesRead'], 4)})"


def _last_lines(
    left: list[FindingView], summary: dict[str, Any], *, looked: str, repairs: bool
) -> str:
    # Without a try, what would repair it is only a guess.
    lines = [f"Left is {view.thing()}: {view.mend}" for view in left if repairs]
    if summary["Findings"]:
        found = f"{summary['Findings']} found, {summary['Mended']} repaired, {len(left)} left"
    else:
        found = "nothing is wrong"
    if left and not repairs:
        found += "; to repair: naru system check --repair"
    return "".join(f"{line}\n" for line in [*lines, f"{looked}: {found}"])
