"""`volume create`, `ls`, `prune` and `rm`."""

from __future__ import annotations

from naru.cli.batch import require_api, run_in_turn
from naru.cli.failure import CommandFailedError
from naru.cli.formatting import Columns, LabelledView, quiet, render

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from naru.cli.invocation import Invocation

TITLES = {
    "Availability": "AVAILABILITY",
    "Driver": "DRIVER",
    "Group": "GROUP",
    "Labels": "LABELS",
    "Links": "LINKS",
    "Mountpoint": "MOUNTPOINT",
    "Name": "VOLUME NAME",
    "Scope": "SCOPE",
    "Size": "SIZE",
    "Status": "STATUS",
}
_RAW = "name: {{.Name}}\ndriver: {{.Driver}}\n"


class VolumeView(LabelledView):
    """A row of `volume ls`."""

    go_type = "*formatter.volumeContext"

    def _usage(self, key: str) -> str:
        """Return what only `system df` asks the engine for."""
        usage = self.item.get("UsageData")
        return str(usage[key]) if usage else "N/A"

    def size(self) -> str:
        from naru.cli import human

        known = (self.item.get("UsageData") or {}).get("Size", -1)
        return human.size(known, 4) if known != -1 else "N/A"

    columns = {  # noqa: RUF012 - the protocol's ClassVar is declared in View
        # What only volumes of a cluster have is not available here.
        **dict.fromkeys(("Availability", "Group", "Status"), lambda _self: "N/A"),
        "Driver": lambda self: self.item["Driver"],
        "Labels": LabelledView.labels,
        "Links": lambda self: self._usage("RefCount"),
        "Mountpoint": lambda self: self.item["Mountpoint"],
        "Name": lambda self: self.item["Name"],
        "Scope": lambda self: self.item["Scope"],
        "Size": size,
    }


def list_volumes(invocation: Invocation) -> int:
    """Print the volumes by name."""
    options = invocation.options
    form = options["format"]
    if not form and not options["quiet"]:
        form = invocation.config.get("volumesFormat", "")
    answer = invocation.client.get("/volumes", {"filters": options["filter"] or None})
    items = sorted(answer["Volumes"] or (), key=lambda item: natural_key(item["Name"]))
    if options["quiet"]:
        names = (item["Name"] for item in items)
        invocation.stdout.write(quiet(names, options["format"], "name"))
        return 0
    columns = Columns(("Driver", "Name"), TITLES, _RAW)
    invocation.stdout.write(render([VolumeView(item) for item in items], form, columns))
    return 0


def natural_key(text: str) -> list[tuple[int, int, str]]:
    """Order texts so that `v2` comes before `v10`."""
    import re

    return [
        (0, int(part), part) if part.isdigit() else (1, 0, part)
        for part in re.findall(r"[0-9]+|[^0-9]+", text)
    ]


def create(invocation: Invocation) -> int:
    """Make a volume and print its name."""
    options, args = invocation.options, invocation.args
    if args and options["name"]:
        raise CommandFailedError(
            "conflicting options: cannot specify a volume-name through both --name "
            "and as a positional arg"
        )
    body = {
        "Name": args[0] if args else options["name"],
        "Driver": options["driver"],
        "DriverOpts": pairs(options["opt"]),
        "Labels": pairs(options["label"]),
    }
    invocation.print(invocation.client.post("/volumes/create", body=body)["Name"])
    return 0


def pairs(texts: Iterable[str]) -> dict[str, str]:
    """Return `key=value` texts as a dict; a key alone has an empty value."""
    return {key: value for key, _, value in (text.partition("=") for text in texts)}


def remove(invocation: Invocation) -> int:
    """Remove volumes."""
    from naru.client.transport import quote

    query = {"force": True} if invocation.options["force"] else {}

    def act(name: str) -> str:
        if not name.strip():
            raise CommandFailedError("invalid volume name: value is empty")
        invocation.client.delete(f"/volumes/{quote(name)}", query)
        return name

    return run_in_turn(invocation, invocation.args, act)


def prune(invocation: Invocation) -> int:
    """Remove volumes that no container uses."""
    from naru.cli.pruning import agrees, deleted, prune_filters, reclaimed
    from naru.client.transport import version_key

    options, filters = invocation.options, prune_filters(invocation)
    knows_anonymous = version_key(invocation.client.api_version) >= (1, 42)
    if options["all"]:
        require_api(invocation, "all", "1.42")
        if "all" in filters:
            raise CommandFailedError(
                "conflicting options: cannot specify both --all and --filter all=1"
            )
        filters["all"] = {"true": True}
    kind = "anonymous" if knows_anonymous and not options["all"] else "all"
    warning = (
        f"WARNING! This will remove {kind} local volumes not used by at least one container.\n"
        "Are you sure you want to continue?"
    )
    if not agrees(invocation, warning):
        return 0
    answer = invocation.client.post("/volumes/prune", {"filters": filters or None})
    invocation.stdout.write(deleted("Volumes", answer.get("VolumesDeleted")))
    invocation.stdout.write(reclaimed(answer))
    return 0
