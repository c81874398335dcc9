"""`images --tree`: each image with the platforms that it is for.

Spec: docker/cli 28.2, image/tree.go; read off the bytes that it prints.
"""

from __future__ import annotations

from naru.cli import human, terminal
from naru.cli.batch import require_api
from naru.cli.failure import CommandFailedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from naru.cli.invocation import Invocation

_WARNING = (
    "WARNING: This is an experimental feature. The output may change and shouldn't be depended on."
)
_DEFAULT_WIDTH, _LEAST_WIDTH = 80, 20
# Beside these columns the first has this much, or the last of them is left out.
_LEAST_NAME = 12
_GAP = "   "
# Title, width, and whether it is to the right, of all columns but the first.
_COLUMNS = (
    ("ID", 12, False),
    ("DISK USAGE", 10, True),
    ("CONTENT SIZE", 12, True),
    ("EXTRA", 5, False),
)
_UNNAMED = "<untagged>"
_BOLD, _FAINT, _BLUE, _PLAIN = "\033[1m", "\033[2m", "\033[34m", "\033[39m"
_END = "\033[0m"
_TITLE, _NAME = _PLAIN + _BOLD, _BLUE + _BOLD
_ABSENT = _PLAIN + _FAINT
_LEGEND_COLOURED = (
    f"\033[1m\033[106m\033[30mi{_END}{_END} \033[96mInfo → {_END}{_END} "
    f"\033[38;5;0m\033[48;5;14m U {_END} In Use "
)
_LEGEND = "Info ->  U In Use "
_LEGEND_WIDTH = {True: len("i Info →   U  In Use "), False: len(_LEGEND)}
_IN_USE = {True: f"\033[38;5;0m\033[48;5;14m U {_END}  ", False: "U    "}
# Options that do not go with a tree, as docker names them.
_UNFIT = {"quiet": "quiet", "no-trunc": "no-trunc", "digests": "show-digest", "format": "format"}


def list_tree(invocation: Invocation, query: dict[str, object]) -> int:
    """Print the images that `query` asks for, and below each the manifests that it has.

    Raises:
        CommandFailedError: another option does not go with that, or the engine is too old.
    """
    options = invocation.options
    require_api(invocation, "tree", "1.47")
    for name, shown in _UNFIT.items():
        if options[name]:
            raise CommandFailedError(f"--{shown} is not yet supported with --tree")
    items = invocation.client.get("/images/json", {**query, "manifests": True})
    if not options["all"]:
        items = [item for item in items if item.get("RepoTags") or item.get("RepoDigests")]
    items.sort(key=lambda item: item["Created"], reverse=True)
    out = invocation.stdout
    is_coloured = terminal.is_terminal(out)
    _, screen = (terminal.size(out) if is_coloured else None) or (0, 0)
    out.write("".join(f"{line}\n" for line in tree_lines(items, screen, is_coloured=is_coloured)))
    return 0


def tree_lines(items: Sequence[dict[str, Any]], screen: int, *, is_coloured: bool) -> Iterator[str]:
    """Yield the lines of a tree of images, which are entries of `GET /images/json`.

    `screen` is how many columns a terminal has, 0 where there is none.
    """
    return _Tree(items, screen, is_coloured=is_coloured).lines()


class _Tree:
    """How wide the columns are, and what every line has in common."""

    def __init__(self, items: Sequence[dict[str, Any]], screen: int, *, is_coloured: bool) -> None:
        self._items = items
        self._screen = screen
        self._width = max(screen or _DEFAULT_WIDTH, _LEAST_WIDTH)
        self._is_coloured = is_coloured
        children = [child for item in items for child in _children(item)]
        self._has_children = bool(children)
        # As in docker, who is in use is told only where a manifest is.
        self._tells_users = any(map(_is_in_use, children))
        self._columns, left = 0, self._width
        for _, column, _ in _COLUMNS:
            if left - column - len(_GAP) < _LEAST_NAME:
                break
            left -= column + len(_GAP)
            self._columns += 1
        self._name_width = min(left, _widest_name(items, children))

    def lines(self) -> Iterator[str]:
        """Yield what is printed."""
        yield self._styled("\033[93m", _WARNING)
        legend = _LEGEND_COLOURED if self._is_coloured else _LEGEND
        yield " " * (self._width - _LEGEND_WIDTH[self._is_coloured]) + legend
        yield ""
        # Docker's titles are coloured wherever they go.
        yield _GAP.join(
            f"{_TITLE}{title}{_END}{' ' * (width - len(title))}"
            for title, width in (
                ("IMAGE", self._name_width),
                *((title, width) for title, width, _ in _COLUMNS[: self._columns]),
            )
        )
        for item in self._items:
            yield from self._image(item)
            if self._has_children:
                yield ""

    def _image(self, item: dict[str, Any]) -> Iterator[str]:
        children = _children(item)
        names = sorted(item.get("RepoTags") or (), key=len, reverse=True)
        for name in names[:-1]:
            yield self._styled(_NAME, _clipped(name, self._screen or len(name)))
        first = (_NAME, names[-1]) if names else (_ABSENT, _UNNAMED)
        content = sum(each["Size"]["Content"] for each in item.get("Manifests") or ())
        in_use = item.get("Containers", -1) > 0 or any(map(_is_in_use, children))
        yield self._row(first, item["Id"], (item["Size"], content), _PLAIN, in_use=in_use)
        for child in children:
            stem = "└─ " if child is children[-1] else "├─ "
            colour = _PLAIN if child["Available"] else _ABSENT
            size = child["Size"]
            yield self._row(
                (colour, stem + _platform(child)),
                child["ID"],
                (size["Total"], size["Content"]),
                colour,
                in_use=_is_in_use(child),
            )

    def _row(
        self,
        name: tuple[str, str],
        digest: str,
        sizes: tuple[int, int],
        colour: str,
        *,
        in_use: bool,
    ) -> str:
        text = _clipped(name[1], self._name_width)
        cells = [self._styled(name[0], text) + " " * (self._name_width - len(text))]
        values = (human.short_id(digest), *(human.size(size, 3) for size in sizes))
        for value, (_, width, is_right) in zip(
            values[: self._columns], _COLUMNS[: self._columns], strict=False
        ):
            padding = " " * (width - len(value))
            shown = self._styled(colour, value)
            cells.append(padding + shown if is_right else shown + padding)
        if self._columns == len(_COLUMNS):
            marked = in_use and self._tells_users
            cells.append(_IN_USE[self._is_coloured] if marked else " " * _COLUMNS[-1][1])
        return _GAP.join(cells)

    def _styled(self, colour: str, text: str) -> str:
        return f"{colour}{text}{_END}" if self._is_coloured else text


def _children(item: dict[str, Any]) -> list[dict[str, Any]]:
    return [child for child in item.get("Manifests") or () if child["Kind"] == "image"]


def _is_in_use(child: dict[str, Any]) -> bool:
    return bool(child["ImageData"].get("Containers"))


def _platform(child: dict[str, Any]) -> str:
    platform = child["ImageData"].get("Platform") or {}
    if not platform.get("os"):
        return "unknown"
    words = (platform["os"], platform.get("architecture"), platform.get("variant"))
    return "/".join(word for word in words if word)


def _widest_name(items: Sequence[dict[str, Any]], children: Sequence[dict[str, Any]]) -> int:
    """Return what the first column would need; docker counts the bytes of its branches."""
    names = (name for item in items for name in item.get("RepoTags") or ())
    branches = (f"└─ {_platform(child)}".encode() for child in children)
    return max(len("IMAGE"), *map(len, names), *map(len, branches), 0)


def _clipped(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
