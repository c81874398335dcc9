"""`ps` and `container ls`."""

from __future__ import annotations

from naru.cli import human
from naru.cli.failure import CommandFailedError
from naru.cli.formatting import Columns, LabelledView, quiet, render, unescape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from naru.cli.invocation import Invocation

TITLES = {
    "Command": "COMMAND",
    "CreatedAt": "CREATED AT",
    "ID": "CONTAINER ID",
    "Image": "IMAGE",
    "Labels": "LABELS",
    "LocalVolumes": "LOCAL VOLUMES",
    "Mounts": "MOUNTS",
    "Names": "NAMES",
    "Networks": "NETWORKS",
    "Platform": "PLATFORM",
    "Ports": "PORTS",
    "RunningFor": "CREATED",
    "Size": "SIZE",
    "State": "STATE",
    "Status": "STATUS",
}
_DEFAULT = ("ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names")
_RAW = """container_id: {{.ID}}
image: {{.Image}}
command: {{.Command}}
created_at: {{.CreatedAt}}
state: {{- pad .State 1 0}}
status: {{- pad .Status 1 0}}
names: {{.Names}}
labels: {{- pad .Labels 1 0}}
ports: {{- pad .Ports 1 0}}
"""
_COMMAND_WIDTH = 20
_MOUNT_WIDTH = 15


class ContainerView(LabelledView):
    """A row of `ps`, over one item of the API's list."""

    go_type = "*formatter.ContainerContext"

    def __init__(self, item: dict[str, Any], now: float, *, truncates: bool) -> None:
        super().__init__(item)
        self.now = now
        self.truncates = truncates

    def id(self) -> str:
        return human.short_id(self.item["Id"]) if self.truncates else str(self.item["Id"])

    def names(self) -> str:
        names = [name.removeprefix("/") for name in self.item["Names"] or ()]
        if self.truncates:
            # Names with a slash in them are links of other containers.
            names = next(([name] for name in names if "/" not in name), names)
        return ",".join(names)

    def image(self) -> str:
        image: str = self.item["Image"]
        if not image:
            return "<no image>"
        if not self.truncates:
            return image
        short = human.short_id(self.item["ImageID"])
        return short if human.short_id(image) == short else familiar(image)

    def command(self) -> str:
        command: str = self.item["Command"]
        if self.truncates:
            command = human.truncate(command, _COMMAND_WIDTH)
        return human.quote_command(command)

    def created_at(self) -> str:
        from naru.cli.times import go_string

        return go_string(self.item["Created"])

    def running_for(self) -> str:
        return human.ago(self.now - self.item["Created"])

    def ports(self) -> str:
        return human.ports(self.item["Ports"] or ())

    def size(self) -> str:
        own = human.size(self.item.get("SizeRw") or 0)
        whole = self.item.get("SizeRootFs") or 0
        return f"{own} (virtual {human.size(whole)})" if whole > 0 else own

    def mounts(self) -> str:
        names = [mount.get("Name") or mount["Source"] for mount in self.item.get("Mounts") or ()]
        if self.truncates:
            names = [human.truncate(name, _MOUNT_WIDTH) for name in names]
        return ",".join(names)

    def local_volumes(self) -> str:
        mounts = self.item.get("Mounts") or ()
        return str(sum(mount.get("Driver") == "local" for mount in mounts))

    def networks(self) -> str:
        settings = self.item.get("NetworkSettings") or {}
        return ",".join(sorted(settings.get("Networks") or {}))

    columns = {  # noqa: RUF012 - the protocol's ClassVar is declared in View
        "Command": command,
        "CreatedAt": created_at,
        "ID": id,
        "Image": image,
        "Labels": LabelledView.labels,
        "LocalVolumes": local_volumes,
        "Mounts": mounts,
        "Names": names,
        "Networks": networks,
        "Platform": lambda self: self.item.get("Platform"),
        "Ports": ports,
        "RunningFor": running_for,
        "Size": size,
        "State": lambda self: self.item.get("State", ""),
        "Status": lambda self: self.item["Status"],
    }


def familiar(image: str) -> str:
    """Return an image's name as people write it, without a digest behind it."""
    name = image.partition("@")[0]
    return name.removeprefix("docker.io/").removeprefix("library/") if "/" in name else name


def list_containers(invocation: Invocation) -> int:
    """Print the containers, newest first."""
    options = invocation.options
    limit = 1 if options["latest"] and not options.changed("last") else options["last"]
    form = options["format"]
    if not form and not options["quiet"]:
        form = invocation.config.get("psFormat", "")
    elif form and options["quiet"]:
        invocation.complain(
            "WARNING: Ignoring custom format, because both --format and --quiet are set."
        )
    wants_size = options["size"] or _mentions_size(form)
    query = {
        "all": True if options["all"] else None,
        "limit": limit if limit > 0 else None,
        "size": True if wants_size else None,
        "filters": options["filter"] or None,
    }

    def look() -> tuple[list[dict[str, Any]], str]:
        items = invocation.client.get("/containers/json", query)
        return items, _table(invocation, items, form)

    if options.changed("watch"):
        from naru.cli.commands import ps_watch

        return ps_watch.watch(invocation, options["watch"], look)
    invocation.stdout.write(look()[1])
    return 0


def _table(invocation: Invocation, items: list[dict[str, Any]], form: str) -> str:
    options = invocation.options
    now, truncates = invocation.now(), not options["no-trunc"]
    views = [ContainerView(item, now, truncates=truncates) for item in items]
    if options["quiet"]:
        return quiet((view.id() for view in views), options["format"], "container_id")
    default = (*_DEFAULT, "Size") if options["size"] else _DEFAULT
    raw = _RAW + ("size: {{- pad .Size 1 0}}\n" if options["size"] else "")
    return render(views, form, Columns(default, TITLES, raw))


class _Probe(ContainerView):
    """A container of nothing, that notes whether a template asks for sizes."""

    def __init__(self) -> None:
        nothing = {"Id": "", "Names": [], "Image": "", "ImageID": "", "Command": ""}
        super().__init__({**nothing, "Created": 0, "Ports": [], "Status": ""}, 0, truncates=True)
        self.asked_for_size = False

    def resolve(self, name: str, args: list[object]) -> object:
        self.asked_for_size = self.asked_for_size or name == "Size"
        return super().resolve(name, args)

    def as_json(self) -> dict[str, object]:
        self.asked_for_size = True
        return super().as_json()


def _mentions_size(form: str) -> bool:
    """Say whether a template shows sizes, which the engine computes only when asked.

    Raises:
        CommandFailedError: the template is no good, in the words of docker's own trial.
    """
    if "{{" not in form:
        return False
    from naru.cli.template.evaluator import Template
    from naru.cli.template.nodes import TemplateError

    probe = _Probe()
    try:
        Template(unescape(form)).render(probe)
    except TemplateError as error:
        act = "parse" if error.is_parse_error else "execute"
        raise CommandFailedError(f"failed to {act} template: {error.message}") from error
    return probe.asked_for_size
