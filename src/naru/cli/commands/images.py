"""`images`, `rmi`, `tag` and `history`."""

from __future__ import annotations

from naru.cli import human
from naru.cli.batch import require_api
from naru.cli.failure import CommandFailedError
from naru.cli.formatting import Columns, quiet, render
from naru.cli.template.values import View
from naru.errors import InvalidInputError, NaruError, NotFoundError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from naru.cli.invocation import Invocation
    from naru.oci.reference import Reference

_NONE = "<none>"
TITLES = {
    "Containers": "CONTAINERS",
    "CreatedAt": "CREATED AT",
    "CreatedSince": "CREATED",
    "Digest": "DIGEST",
    "ID": "IMAGE ID",
    "Repository": "REPOSITORY",
    "SharedSize": "SHARED SIZE",
    "Size": "SIZE",
    "Tag": "TAG",
    "UniqueSize": "UNIQUE SIZE",
    "VirtualSize": "SIZE",
}
_RAW = """repository: {{.Repository}}
tag: {{.Tag}}
image_id: {{.ID}}
created_at: {{.CreatedAt}}
virtual_size: {{.Size}}
"""
_RAW_DIGESTS = _RAW.replace("image_id", "digest: {{.Digest}}\nimage_id", 1)


class ImageView(View):
    """A row of `images`: one name of an image, or an image without a name."""

    go_type = "*formatter.imageContext"

    def __init__(
        self,
        item: dict[str, Any],
        name: tuple[str, str, str],
        now: float,
        *,
        truncates: bool,
    ) -> None:
        self.item = item
        self.repository, self.tag, self.digest = name
        self.now = now
        self.truncates = truncates

    def id(self) -> str:
        return human.short_id(self.item["Id"]) if self.truncates else str(self.item["Id"])

    def created_since(self) -> str:
        created = self.item["Created"]
        return human.ago(self.now - created) if created > 0 else "N/A"

    def created_at(self) -> str:
        from naru.cli.times import go_string

        return go_string(self.item["Created"])

    def _count(self, key: str) -> str:
        value = self.item.get(key, -1)
        return "N/A" if value is None or value == -1 else str(value)

    def shared_size(self) -> str:
        shared = self.item.get("SharedSize", -1)
        return "N/A" if shared == -1 else human.size(shared, 4)

    def unique_size(self) -> str:
        shared = self.item.get("SharedSize", -1)
        return "N/A" if shared == -1 else human.size(self.item["Size"] - shared, 4)

    columns = {  # noqa: RUF012 - the protocol's ClassVar is declared in View
        "Containers": lambda self: self._count("Containers"),
        "CreatedAt": created_at,
        "CreatedSince": created_since,
        "Digest": lambda self: self.digest,
        "ID": id,
        "Repository": lambda self: self.repository,
        "SharedSize": shared_size,
        "Size": lambda self: human.size(self.item["Size"]),
        "Tag": lambda self: self.tag,
        "UniqueSize": unique_size,
        "VirtualSize": lambda self: human.size(self.item["Size"], 4),
    }


def image_names(item: dict[str, Any], *, with_digests: bool) -> Iterator[tuple[str, str, str]]:
    """Yield the repository, tag and digest of every row that an image has.

    Spec: docker/cli, formatter/image.go.
    """
    tags: dict[str, list[str]] = {}
    digests: dict[str, list[str]] = {}
    for text in item.get("RepoTags") or ():
        repository, _, tag = text.rpartition(":")
        if repository != _NONE:
            tags.setdefault(repository, []).append(tag)
    for text in item.get("RepoDigests") or ():
        repository, _, digest = text.partition("@")
        if repository != _NONE:
            digests.setdefault(repository, []).append(digest)
    if not tags and not digests:
        yield _NONE, _NONE, _NONE
        return
    for repository, names in tags.items():
        known = digests.pop(repository, []) if with_digests else digests.pop(repository, []) and []
        for tag in names:
            for digest in known or [_NONE]:
                yield repository, tag, digest
    for repository, values in digests.items():
        for digest in values if with_digests else [""]:
            yield repository, _NONE, digest


def list_images(invocation: Invocation) -> int:
    """Print the images, one row for each name."""
    options = invocation.options
    filters = options["filter"]
    if invocation.args:
        filters.setdefault("reference", {})[invocation.args[0]] = True
    form = options["format"]
    if not form and not options["quiet"]:
        form = invocation.config.get("imagesFormat", "")
    query: dict[str, object] = {
        "all": True if options["all"] else None,
        "filters": filters or None,
    }
    if options["tree"]:
        from naru.cli.commands.image_tree import list_tree

        return list_tree(invocation, query)
    items = invocation.client.get("/images/json", query)
    with_digests = options["digests"] or "{{.Digest}}" in form
    now, truncates = invocation.now(), not options["no-trunc"]
    views = [
        ImageView(item, name, now, truncates=truncates)
        for item in items
        for name in image_names(item, with_digests=with_digests)
    ]
    if options["quiet"]:
        ids = (view.id() for view in views)
        invocation.stdout.write(quiet(ids, options["format"], "image_id"))
        return 0
    default = ["Repository", "Tag", "ID", "CreatedSince", "Size"]
    if options["digests"]:
        default.insert(2, "Digest")
    columns = Columns(default, TITLES, _RAW_DIGESTS if options["digests"] else _RAW)
    invocation.stdout.write(render(views, form, columns))
    return 0


def remove(invocation: Invocation) -> int:
    """Remove names of images, and the images that have none left."""
    from naru.cli.batch import describe
    from naru.client.transport import quote

    options, client = invocation.options, invocation.client
    query: dict[str, object] = {
        "force": True if options["force"] else None,
        "noprune": True if options["no-prune"] else None,
    }
    if options["platform"]:
        require_api(invocation, "platform", "1.50")
        query["platforms"] = [platform_json(text, says="") for text in options["platform"]]
    problems, is_fatal = [], False
    for name in invocation.args:
        try:
            for record in client.delete(f"/images/{quote(name, b'/:@')}", query):
                if "Deleted" in record:
                    invocation.print(f"Deleted: {record['Deleted']}")
                else:
                    invocation.print(f"Untagged: {record['Untagged']}")
        except NaruError as error:
            is_fatal = is_fatal or not isinstance(error, NotFoundError)
            problems.append(describe(error))
    if problems:
        invocation.complain("\n".join(problems))
    return 1 if problems and (is_fatal or not options["force"]) else 0


def platform_json(text: str, *, says: str = "invalid platform: ") -> str:
    """Return `os/arch/variant` as the API's JSON form.

    Raises:
        CommandFailedError: the text is no platform; what it `says` first depends on the command.
    """
    from naru.client.json_text import dumps
    from naru.oci.platform import parse_platform

    try:
        platform = parse_platform(text)
    except InvalidInputError as error:
        raise CommandFailedError(f"{says}{error.message}") from error
    value = {"architecture": platform.architecture, "os": platform.os}
    if platform.os_version:
        value["os.version"] = platform.os_version
    if platform.variant:
        value["variant"] = platform.variant
    return dumps(value)


def tag(invocation: Invocation) -> int:
    """Give an image one more name."""
    from naru.client.transport import quote
    from naru.oci.digest import is_digest

    source, target = invocation.args
    if not (is_digest(source) or is_digest(f"sha256:{source}")):
        _reference(source)
    reference = _reference(target)
    if reference.digest:
        raise CommandFailedError("refusing to create a tag with a digest reference")
    query = {"repo": reference.familiar_name, "tag": reference.with_default_tag().tag}
    invocation.client.post(f"/images/{quote(source, b'/:@')}/tag", query)
    return 0


def _reference(text: str) -> Reference:
    from naru.oci.reference import Reference

    try:
        return Reference.parse(text)
    except InvalidInputError as error:
        raise CommandFailedError(
            f'Error parsing reference: "{text}" is not a valid repository/tag: {error.message}'
        ) from error


_HISTORY_TITLES = {
    "Comment": "COMMENT",
    "CreatedAt": "CREATED AT",
    "CreatedBy": "CREATED BY",
    "CreatedSince": "CREATED",
    "ID": "IMAGE",
    "Size": "SIZE",
}
_CREATED_BY_WIDTH = 45


class HistoryView(View):
    """A row of `history`."""

    go_type = "*image.historyContext"

    def __init__(self, item: dict[str, Any], now: float, *, truncates: bool, human: bool) -> None:
        self.item = item
        self.now = now
        self.truncates = truncates
        self.human = human

    def id(self) -> str:
        return human.short_id(self.item["Id"]) if self.truncates else str(self.item["Id"])

    def created_at(self) -> str:
        from naru.cli.times import rfc3339

        created = self.item["Created"]
        return rfc3339(created) if created > 0 else "N/A"

    def created_since(self) -> str:
        created = self.item["Created"]
        if not self.human:
            return self.created_at()
        return human.ago(self.now - created) if created > 0 else "N/A"

    def created_by(self) -> str:
        text = self.item["CreatedBy"].replace("\t", " ")
        return human.truncate(text, _CREATED_BY_WIDTH) if self.truncates else str(text)

    def size(self) -> str:
        return human.size(self.item["Size"]) if self.human else str(self.item["Size"])

    columns = {  # noqa: RUF012
        "Comment": lambda self: self.item["Comment"],
        "CreatedAt": created_at,
        "CreatedBy": created_by,
        "CreatedSince": created_since,
        "ID": id,
        "Size": size,
    }


def history(invocation: Invocation) -> int:
    """Print the layers of an image, newest first."""
    from naru.client.transport import quote

    options, now = invocation.options, invocation.now()
    query: dict[str, object] = {}
    if options["platform"]:
        require_api(invocation, "platform", "1.48")
        query["platform"] = platform_json(options["platform"])
    name = invocation.args[0]
    items = invocation.client.get(f"/images/{quote(name, b'/:@')}/history", query)
    views = [
        HistoryView(item, now, truncates=not options["no-trunc"], human=options["human"])
        for item in items
    ]
    if options["quiet"]:
        ids = (view.id() for view in views)
        invocation.stdout.write(quiet(ids, options["format"], "image_id"))
        return 0
    when = "CreatedSince" if options["human"] else "CreatedAt"
    columns = Columns(("ID", when, "CreatedBy", "Size", "Comment"), _HISTORY_TITLES)
    invocation.stdout.write(render(views, options["format"], columns))
    return 0
