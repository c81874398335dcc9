"""`system df`: what takes how much of the engine's disk.

Spec: docker/cli, formatter/disk_usage.go and buildcache.go.
"""

from __future__ import annotations

from naru.cli import human
from naru.cli.commands import images as images_command
from naru.cli.commands import ps
from naru.cli.commands import volumes as volumes_command
from naru.cli.commands.images import ImageView, image_names
from naru.cli.commands.ps import ContainerView
from naru.cli.commands.volumes import VolumeView
from naru.cli.formatting import Columns, parse_template, render, render_one, unescape
from naru.cli.template.values import View, print_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from naru.cli.invocation import Invocation

_ACTIVE_STATES = ("running", "paused", "restarting")
_TITLES = {
    "Type": "TYPE",
    "TotalCount": "TOTAL",
    "Active": "ACTIVE",
    "Size": "SIZE",
    "Reclaimable": "RECLAIMABLE",
}
_CACHE_TITLES = {
    "ID": "CACHE ID",
    "Parent": "PARENT",
    "CacheType": "CACHE TYPE",
    "Description": "DESCRIPTION",
    "InUse": "IN USE",
    "Shared": "SHARED",
    "Size": "SIZE",
    "CreatedAt": "CREATED AT",
    "CreatedSince": "CREATED",
    "LastUsedAt": "LAST USED AT",
    "LastUsedSince": "LAST USED",
    "UsageCount": "USAGE",
}
_CACHE = ("ID", "CacheType", "Size", "CreatedSince", "LastUsedSince", "UsageCount", "Shared")


class Row(View):
    """One kind of thing: how many there are, how many are in use, and what they take."""

    go_type = "*formatter.diskUsageContext"

    def __init__(self, kind: str, total: int, active: int, size: int, free: int) -> None:
        """Sizes are bytes; `free` is what pruning would give back. Cache has no share of it."""
        self.kind, self.total, self.active = kind, total, active
        self.size, self.free = size, free

    def reclaimable(self) -> str:
        text = human.size(self.free, 4)
        if self.size <= 0 or self.kind == "Build Cache":
            return text
        return f"{text} ({self.free * 100 // self.size}%)"

    columns = {  # noqa: RUF012 - the protocol's ClassVar is declared in View
        "Type": lambda self: self.kind,
        "TotalCount": lambda self: str(self.total),
        "Active": lambda self: str(self.active),
        "Size": lambda self: human.size(self.size, 4),
        "Reclaimable": reclaimable,
    }


class CacheView(View):
    """One record of the cache of builds."""

    go_type = "*formatter.buildCacheContext"

    def __init__(self, item: dict[str, Any], now: float) -> None:
        self.item, self.now = item, now

    def _since(self, key: str) -> str:
        from naru.cli.times import seconds_of

        text = self.item.get(key)
        return human.ago(self.now - seconds_of(text)) if text else ""

    columns = {  # noqa: RUF012
        "ID": lambda self: self.item["ID"][:12],
        "Parent": lambda self: ",".join(self.item.get("Parents") or ()),
        "CacheType": lambda self: self.item["Type"],
        "Description": lambda self: self.item["Description"],
        "InUse": lambda self: str(self.item["InUse"]).lower(),
        "Shared": lambda self: str(self.item["Shared"]).lower(),
        "Size": lambda self: human.size(self.item["Size"], 3),
        "CreatedAt": lambda self: self.item["CreatedAt"],
        "CreatedSince": lambda self: self._since("CreatedAt"),
        "LastUsedAt": lambda self: self.item.get("LastUsedAt") or "",
        "LastUsedSince": lambda self: self._since("LastUsedAt"),
        "UsageCount": lambda self: str(self.item["UsageCount"]),
    }


class Usage(View):
    """All records of all kinds, for templates with `--verbose`."""

    go_type = "formatter.diskUsageContext"

    def __init__(self, parts: dict[str, Sequence[View]]) -> None:
        self.parts = parts

    columns = {  # noqa: RUF012
        "Images": lambda self: list(self.parts["Images"]),
        "Containers": lambda self: list(self.parts["Containers"]),
        "Volumes": lambda self: list(self.parts["Volumes"]),
        "BuildCache": lambda self: list(self.parts["BuildCache"]),
    }


def show(invocation: Invocation) -> int:
    """Print what takes how much."""
    options = invocation.options
    answer = invocation.client.get("/system/df")
    if options["verbose"]:
        invocation.stdout.write(_verbose(answer, options["format"], invocation.now()))
        return 0
    columns = Columns(tuple(_TITLES), _TITLES)
    invocation.stdout.write(render(_rows(answer), options["format"], columns))
    return 0


def _rows(answer: dict[str, Any]) -> list[Row]:
    return [
        _images(answer["Images"] or (), answer.get("LayersSize") or 0),
        _containers(answer["Containers"] or ()),
        _volumes(answer["Volumes"] or ()),
        _cache(answer.get("BuildCache") or ()),
    ]


def _images(images: Sequence[dict[str, Any]], layers: int) -> Row:
    used = [image for image in images if image["Containers"] > 0]
    kept = sum(
        image["Size"] - image["SharedSize"]
        for image in used
        if image["Size"] != -1 and image["SharedSize"] != -1
    )
    return Row("Images", len(images), len(used), layers, layers - kept)


def _containers(containers: Sequence[dict[str, Any]]) -> Row:
    active = sum(item["State"] in _ACTIVE_STATES for item in containers)
    sizes = [(item.get("SizeRw") or 0, item["State"] in _ACTIVE_STATES) for item in containers]
    free = sum(size for size, is_active in sizes if not is_active)
    return Row("Containers", len(containers), active, sum(size for size, _ in sizes), free)


def _volumes(volumes: Sequence[dict[str, Any]]) -> Row:
    usages = [volume["UsageData"] for volume in volumes]
    known = [usage for usage in usages if usage["Size"] != -1]
    return Row(
        "Local Volumes",
        len(volumes),
        sum(usage["RefCount"] > 0 for usage in usages),
        sum(usage["Size"] for usage in known),
        sum(usage["Size"] for usage in known if usage["RefCount"] == 0),
    )


def _cache(records: Sequence[dict[str, Any]]) -> Row:
    own = [record for record in records if not record["Shared"]]
    total = sum(record["Size"] for record in own)
    in_use = sum(record["Size"] for record in own if record["InUse"])
    active = sum(record["InUse"] for record in records)
    return Row("Build Cache", len(records), active, total, total - in_use)


def _verbose(answer: dict[str, Any], form: str, now: float) -> str:
    parts: dict[str, Sequence[View]] = {
        "Images": [_image_view(item, now, truncates=not form) for item in answer["Images"] or ()],
        "Containers": [
            ContainerView({**item, "SizeRootFs": 0}, now, truncates=not form)
            for item in answer["Containers"] or ()
        ],
        "Volumes": [VolumeView(item) for item in answer["Volumes"] or ()],
        "BuildCache": [CacheView(item, now) for item in answer.get("BuildCache") or ()],
    }
    if form == "json":
        return print_json(Usage(parts))
    if form:
        return render_one(parse_template(unescape(form)), Usage(parts))
    return _sections(parts, _cache(answer.get("BuildCache") or ()))


def _image_view(item: dict[str, Any], now: float, *, truncates: bool) -> ImageView:
    # An image is shown once, by its first name.
    name = next(image_names(item, with_digests=False))
    return ImageView(item, name, now, truncates=truncates)


def _sections(parts: dict[str, Sequence[View]], cache: Row) -> str:
    images = Columns(
        (
            "Repository",
            "Tag",
            "ID",
            "CreatedSince",
            "Size",
            "SharedSize",
            "UniqueSize",
            "Containers",
        ),
        images_command.TITLES,
    )
    containers = Columns(
        ("ID", "Image", "Command", "LocalVolumes", "Size", "RunningFor", "Status", "Names"),
        ps.TITLES,
    )
    volumes = Columns(("Name", "Links", "Size"), volumes_command.TITLES)
    return "".join(
        (
            f"Images space usage:\n\n{render(parts['Images'], '', images)}",
            f"\nContainers space usage:\n\n{render(parts['Containers'], '', containers)}",
            f"\nLocal Volumes space usage:\n\n{render(parts['Volumes'], '', volumes)}",
            f"\nBuild cache usage: {human.size(cache.size, 4)}\n\n",
            render(parts["BuildCache"], "", Columns(_CACHE, _CACHE_TITLES)),
        )
    )
