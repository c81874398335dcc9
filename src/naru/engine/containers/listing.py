"""`ps`: which containers, in which order, said how."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from naru.api.filters import Filters
from naru.api.version import ApiVersion
from naru.clock import Clock
from naru.engine.containers.inspect import container_sizes
from naru.engine.context import EngineContext
from naru.engine.health_rule import Health
from naru.engine.model import Container
from naru.engine.network_views import exposed_ports, link_names, networks_view, port_list
from naru.engine.views import host_summary_view, mounts_view
from naru.errors import InvalidInputError, NotFoundError

FILTERS = frozenset(
    "ancestor before exited expose health id is-task isolation label name network publish "
    "since status volume".split()
)
_STATUSES = ("created", "restarting", "running", "removing", "paused", "exited", "dead")
_HEALTH = ("none", "starting", "healthy", "unhealthy")


async def list_containers(
    ctx: EngineContext,
    *,
    all: bool,
    limit: int,
    size: bool,
    filters: Filters,
    api_version: ApiVersion,
) -> list[dict[str, Any]]:
    """Return the containers that fit, youngest first.

    Stopped ones are left out unless `all`, a limit or a filter on status asks for them.

    Raises:
        InvalidInputError: a filter is unknown or has a value that it cannot have.
    """
    filters.refuse_unknown(FILTERS)
    wanted = _Wanted(ctx, filters)
    everything = all or limit > 0 or "status" in filters or "exited" in filters
    found = []
    for container in sorted(ctx.registry, key=lambda c: c.record.created_ns, reverse=True):
        if (everything or container.is_running or container.state.status == "restarting") and (
            wanted.includes(container)
        ):
            found.append(container)
        if 0 < limit == len(found):
            break
    links = link_names(ctx)
    views = [
        summary_view(ctx, container, api_version, links.get(container.id, ()))
        for container in found
    ]
    if size:
        for view, container in zip(views, found, strict=True):
            sizes = await container_sizes(ctx, container)
            # Docker leaves out what is zero here, and shows it in inspect.
            view |= {name: size for name, size in sizes.items() if size}
    return views


class _Wanted:
    """The filters of one request, checked and looked up once."""

    def __init__(self, ctx: EngineContext, filters: Filters) -> None:
        self._ctx = ctx
        self._filters = filters
        for status in filters.get("status"):
            if status not in _STATUSES:
                raise InvalidInputError(f"invalid filter 'status={status}'")
        for status in filters.get("health"):
            if status not in _HEALTH:
                raise InvalidInputError(f"Unrecognised filter value for health: {status}")
        self._exit_codes = {_number(text) for text in filters.get("exited")}
        for text in filters.get("is-task"):
            if text not in ("true", "false", "1", "0"):
                raise InvalidInputError(f"invalid filter 'is-task={text}'")
        self._before = [ctx.registry.find(name).record.created_ns for name in filters.get("before")]
        self._since = [ctx.registry.find(name).record.created_ns for name in filters.get("since")]
        self._ancestors = _image_ids(ctx, filters.get("ancestor"))
        self._publish = [_port_range(text) for text in filters.get("publish")]
        self._expose = [_port_range(text) for text in filters.get("expose")]

    def includes(self, container: Container) -> bool:
        """Say whether every filter lets the container through."""
        given, record, state = self._filters, container.record, container.state
        return (
            given.matches_fuzzily("name", container.name, f"/{container.name}")
            and given.matches_prefix("id", container.id)
            and given.matches_labels("label", record.config.labels or {})
            and given.matches("status", state.status)
            and (not self._exit_codes or self._has_exited_so(container))
            and all(record.created_ns < moment for moment in self._before)
            and all(record.created_ns > moment for moment in self._since)
            and (self._ancestors is None or record.image_id in self._ancestors)
            and self._has_mount(container)
            and self._has_network(container)
            and self._has_port(container)
            and given.matches("health", state.health.status if state.health else "none")
            and not ({"true", "1"} & set(given.get("is-task")))
            and ("isolation" not in given or "default" in given.get("isolation"))
        )

    def _has_exited_so(self, container: Container) -> bool:
        state = container.state
        return state.status == "exited" and state.exit_code in self._exit_codes

    def _has_mount(self, container: Container) -> bool:
        wanted = self._filters.get("volume")
        places = {p for m in container.record.mounts for p in (m.name, m.source, m.destination)}
        return not wanted or any(place in places for place in wanted)

    def _has_network(self, container: Container) -> bool:
        wanted = self._filters.get("network")
        if not wanted:
            return True
        for name, view in networks_view(self._ctx, container).items():
            network_id = view["NetworkID"]
            if any(text == name or (network_id and network_id.startswith(text)) for text in wanted):
                return True
        return False

    def _has_port(self, container: Container) -> bool:
        ports = port_list(self._ctx, container)
        public = {(p.get("PublicPort", 0), p["Type"]) for p in ports}
        exposed = set(exposed_ports(container))
        return (not self._publish or any(_in_range(r, public) for r in self._publish)) and (
            not self._expose or any(_in_range(r, exposed) for r in self._expose)
        )


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise InvalidInputError(f"invalid filter 'exited={text}'") from error


def _port_range(text: str) -> tuple[int, int, str]:
    numbers, _, protocol = text.partition("/")
    first, _, last = numbers.partition("-")
    if not first.isdigit() or not (last or first).isdigit():
        raise InvalidInputError(f"invalid port '{text}'")
    return int(first), int(last or first), protocol or "tcp"


def _in_range(wanted: tuple[int, int, str], ports: set[tuple[int, str]]) -> bool:
    first, last, protocol = wanted
    return any(first <= port <= last and kind == protocol for port, kind in ports)


def _image_ids(ctx: EngineContext, names: list[str]) -> set[str] | None:
    """Return the images named, and those built on them; None when none is named."""
    if not names:
        return None
    ids: set[str] = set()
    for name in names:
        try:
            base = ctx.images.catalog.resolve(name)
        except NotFoundError:
            continue
        ids |= {
            image.id
            for image in ctx.images.catalog.images()
            if image.layers[: len(base.layers)] == base.layers
        }
    return ids


def summary_view(
    ctx: EngineContext, container: Container, api_version: ApiVersion, links: Sequence[str]
) -> dict[str, Any]:
    """Return one row of `GET /containers/json`; `links` are names by links of others."""
    record = container.record
    return {
        "Id": container.id,
        "Names": [f"/{container.name}", *links],
        "Image": _shown_image(ctx, container),
        "ImageID": record.image_id,
        "Command": " ".join(_quoted(word) for word in container.config.argv()),
        "Created": record.created_ns // 10**9,
        "Ports": port_list(ctx, container),
        "Labels": container.config.labels or {},
        "State": container.state.status,
        "Status": status_text(container, ctx.clock),
        "HostConfig": host_summary_view(container, api_version),
        "NetworkSettings": {"Networks": networks_view(ctx, container, api_version)},
        "Mounts": mounts_view(container),
    }


def _shown_image(ctx: EngineContext, container: Container) -> str:
    """Return the name that was asked for, or the id when that names another image by now."""
    name = container.record.image_name
    try:
        image = ctx.images.catalog.resolve(name)
    except NotFoundError:
        return container.record.image_id if not name.startswith("sha256:") else name
    return name if image.id == container.record.image_id else container.record.image_id


def _quoted(word: str) -> str:
    return f"'{word}'" if " " in word and "'" not in word else word


def status_text(container: Container, clock: Clock) -> str:
    """Return the words of the STATUS column."""
    state = container.state
    now = clock.now_ns()
    match state.status:
        case "running":
            health = _health_text(state.health)
            return f"Up {human_duration((now - state.started_ns) / 10**9)}{health}"
        case "paused":
            return f"Up {human_duration((now - state.started_ns) / 10**9)} (Paused)"
        case "restarting":
            ago = human_duration((now - state.finished_ns) / 10**9)
            return f"Restarting ({state.exit_code}) {ago} ago"
        case "removing":
            return "Removal In Progress"
        case "dead":
            return "Dead"
        case "exited":
            ago = human_duration((now - state.finished_ns) / 10**9)
            return f"Exited ({state.exit_code}) {ago} ago"
        case _:
            return "Created"


def _health_text(health: Health | None) -> str:
    if health is None:
        return ""
    return " (health: starting)" if health.status == "starting" else f" ({health.status})"


def human_duration(seconds: float) -> str:
    """Say a length of time roughly, in go-units' words (HumanDuration)."""
    whole = int(seconds)
    minutes, hours = int(seconds / 60), round(seconds / 3600)
    if whole < 1:
        return "Less than a second"
    if whole < 60:
        return "1 second" if whole == 1 else f"{whole} seconds"
    if minutes < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    if hours < 48:
        return "About an hour" if hours == 1 else f"{hours} hours"
    for length, unit, limit in (
        (24, "days", 24 * 14),
        (168, "weeks", 720 * 2),
        (720, "months", 8760 * 2),
    ):
        if hours < limit:
            return f"{hours // length} {unit}"
    return f"{int(seconds / 3600) // 8760} years"
