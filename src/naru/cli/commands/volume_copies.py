"""`volume export`, `import`, `snapshot`, `snapshots`, `restore` and `rm-snapshot`: Naru's own."""

from __future__ import annotations

from naru.cli.batch import run_in_turn
from naru.cli.engine_kind import require_naru
from naru.cli.failure import CommandFailedError
from naru.cli.formatting import Columns, quiet, render
from naru.cli.template.values import View
from naru.client.transport import quote
from naru.errors import reason_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, BinaryIO

    from naru.cli.invocation import Invocation

_PIECE = 1 << 20
_TITLES = {"Name": "SNAPSHOT", "CreatedAt": "CREATED AT", "Size": "SIZE"}


def export(invocation: Invocation) -> int:
    """Write what is in a volume as a tar."""
    from naru.cli.output_file import refuse_output, write_output

    require_naru(invocation, "volume export")
    path = invocation.options["output"]
    refuse_output(invocation, path)
    query = {"pause": invocation.options["pause"] or None}
    response = invocation.client.raw("GET", _path(invocation, "/export"), query)
    try:
        write_output(invocation, path, response)
    finally:
        invocation.client.release(response)
    return 0


def import_volume(invocation: Invocation) -> int:
    """Fill a volume from a tar, and print its name."""
    require_naru(invocation, "volume import")
    name, *files = invocation.args
    file = files[0] if files else "-"
    with _opened(invocation, file) as source:
        invocation.client.post(
            _path(invocation, "/import"),
            {"replace": invocation.options["replace"] or None},
            _pieces(source),
            {"Content-Type": "application/x-tar"},
        )
    invocation.print(name)
    return 0


def _opened(invocation: Invocation, file: str) -> BinaryIO:
    if file == "-":
        if invocation.stdin.isatty():
            raise CommandFailedError(
                "refusing to read an archive from a terminal: name a file, or redirect"
            )
        return invocation.stdin.buffer
    try:
        return open(file, "rb")
    except OSError as error:
        raise CommandFailedError(f"open {file}: {reason_of(error)}") from error


def _pieces(source: BinaryIO) -> Iterator[bytes]:
    while piece := source.read(_PIECE):
        yield piece


def snapshot(invocation: Invocation) -> int:
    """Take a snapshot and print its name."""
    require_naru(invocation, "volume snapshot")
    _, *names = invocation.args
    body = {"Name": names[0] if names else "", "Pause": invocation.options["pause"]}
    taken = invocation.client.post(_path(invocation, "/snapshots"), body=body)
    invocation.print(taken["Name"])
    return 0


def restore(invocation: Invocation) -> int:
    """Give a volume back what it held, and print its name."""
    require_naru(invocation, "volume restore")
    name, wanted = invocation.args
    invocation.client.post(_path(invocation, f"/snapshots/{quote(wanted)}/restore"))
    invocation.print(name)
    return 0


def remove_snapshots(invocation: Invocation) -> int:
    """Remove snapshots, and print the names of those that are gone."""
    require_naru(invocation, "volume rm-snapshot")

    def act(name: str) -> str:
        invocation.client.delete(_path(invocation, f"/snapshots/{quote(name)}"))
        return name

    return run_in_turn(invocation, invocation.args[1:], act)


class SnapshotView(View):
    """A row of `volume snapshots`."""

    go_type = "*formatter.snapshotContext"

    def __init__(self, item: dict[str, Any]) -> None:
        self.item = item

    def _size(self) -> str:
        from naru.cli import human

        return human.size(self.item["Size"], 4)

    columns = {  # noqa: RUF012 - the protocol's ClassVar is declared in View
        "CreatedAt": lambda self: self.item["CreatedAt"],
        "Name": lambda self: self.item["Name"],
        "Size": _size,
    }


def list_snapshots(invocation: Invocation) -> int:
    """Print the snapshots of a volume, the oldest first."""
    require_naru(invocation, "volume snapshots")
    options = invocation.options
    items = invocation.client.get(_path(invocation, "/snapshots"))
    if options["quiet"]:
        names = (item["Name"] for item in items)
        invocation.stdout.write(quiet(names, options["format"], "name"))
        return 0
    columns = Columns(("Name", "CreatedAt", "Size"), _TITLES, "name: {{.Name}}\n")
    views = [SnapshotView(item) for item in items]
    invocation.stdout.write(render(views, options["format"], columns))
    return 0


def _path(invocation: Invocation, rest: str) -> str:
    return f"/volumes/{quote(invocation.args[0])}{rest}"
