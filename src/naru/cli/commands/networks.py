"""`network ls`."""

from __future__ import annotations

from naru.cli import human
from naru.cli.formatting import Columns, LabelledView, quiet, render

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from naru.cli.invocation import Invocation

_TITLES = {
    "CreatedAt": "CREATED AT",
    "Driver": "DRIVER",
    "ID": "NETWORK ID",
    "IPv4": "IPV4",
    "IPv6": "IPV6",
    "Internal": "INTERNAL",
    "Labels": "LABELS",
    "Name": "NAME",
    "Scope": "SCOPE",
}
_RAW = "network_id: {{.ID}}\nname: {{.Name}}\ndriver: {{.Driver}}\nscope: {{.Scope}}\n"


class NetworkView(LabelledView):
    """A row of `network ls`."""

    go_type = "*network.networkContext"

    def __init__(self, item: dict[str, Any], *, truncates: bool) -> None:
        super().__init__(item)
        self.truncates = truncates

    def id(self) -> str:
        return human.short_id(self.item["Id"]) if self.truncates else str(self.item["Id"])

    def created_at(self) -> str:
        from naru.cli.times import go_string
        from naru.units import parse_time

        nanoseconds = parse_time(self.item["Created"], now_ns=0)
        return go_string(*divmod(nanoseconds, 10**9))

    def _flag(self, key: str) -> str:
        return "true" if self.item.get(key) else "false"

    columns = {  # noqa: RUF012 - the protocol's ClassVar is declared in View
        "CreatedAt": created_at,
        "Driver": lambda self: self.item["Driver"],
        "ID": id,
        "IPv4": lambda self: self._flag("EnableIPv4"),
        "IPv6": lambda self: self._flag("EnableIPv6"),
        "Internal": lambda self: self._flag("Internal"),
        "Labels": LabelledView.labels,
        "Name": lambda self: self.item["Name"],
        "Scope": lambda self: self.item["Scope"],
    }


def list_networks(invocation: Invocation) -> int:
    """Print the networks by name."""
    from naru.cli.commands.volumes import natural_key

    options = invocation.options
    form = options["format"]
    if not form and not options["quiet"]:
        form = invocation.config.get("networksFormat", "")
    items = invocation.client.get("/networks", {"filters": options["filter"] or None})
    items.sort(key=lambda item: natural_key(item["Name"]))
    views = [NetworkView(item, truncates=not options["no-trunc"]) for item in items]
    if options["quiet"]:
        ids = (view.id() for view in views)
        invocation.stdout.write(quiet(ids, options["format"], "network_id"))
        return 0
    columns = Columns(("ID", "Name", "Driver", "Scope"), _TITLES, _RAW)
    invocation.stdout.write(render(views, form, columns))
    return 0
