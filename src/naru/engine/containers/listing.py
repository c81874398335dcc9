"""`ps`: which containers, in which order, said how."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from naru.api.filters import Filters
from naru.api.version import ApiVersion
from naru.clock import Clock
from naru.engine.containers.inspect import container_sizes
from naru.engine.containers.list_filters import WantedContainers
from naru.engine.context import EngineContext
from naru.engine.health_rule import Health
from naru.engine.model import Container
from naru.engine.views.containers import host_summary_view, mounts_view
from naru.engine.views.networks import link_names, network_summaries, port_list
from naru.errors import NotFoundError


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
        NotFoundError: a filter names a container that is not there.
    """
    wanted = WantedContainers(ctx, filters)
    everything = all or limit > 0 or wanted.wants_stopped
    found = []
    for container in sorted(ctx.registry, key=lambda c: c.record.created_ns, reverse=True):
        if (everything or container.is_running or container.state.status == "restarting") and (
            wanted.includes(container)
        ):
            found.append(container)
        if 0 < limit == len(found):
            break
    links, images = link_names(ctx), _images_by_name(ctx, found)
    views = [
        {
            **summary_view(ctx, container, api_version, links.get(container.id, ())),
            "Image": _shown_image(container, images[container.record.image_name]),
        }
        for container in found
    ]
    if size:
        for view, container in zip(views, found, strict=True):
            sizes = await container_sizes(ctx, container)
            # Docker leaves out what is zero here, and shows it in inspect.
            view |= {name: size for name, size in sizes.items() if size}
    return views


def summary_view(
    ctx: EngineContext, container: Container, api_version: ApiVersion, links: Sequence[str]
) -> dict[str, Any]:
    """Return one row of `GET /containers/json`, without its image's name.

    `links` are names by links of others.
    """
    record = container.record
    return {
        "Id": container.id,
        "Names": [f"/{container.name}", *links],
        "Image": "",
        "ImageID": record.image_id,
        "Command": command_text(container.config.argv()),
        "Created": record.created_ns // 10**9,
        "Ports": port_list(ctx, container),
        "Labels": container.config.labels or {},
        "State": container.state.status,
        "Status": status_text(container, ctx.clock),
        "HostConfig": host_summary_view(container, api_version),
        "NetworkSettings": {"Networks": network_summaries(ctx, container, api_version)},
        "Mounts": mounts_view(container),
    }


def _images_by_name(ctx: EngineContext, containers: Iterable[Container]) -> dict[str, str]:
    """Return which image each name stands for now, "" for none; many containers share a few."""
    found = {}
    for name in {container.record.image_name for container in containers}:
        try:
            found[name] = ctx.images.catalog.resolve(name).id
        except NotFoundError:
            found[name] = ""
    return found


def _shown_image(container: Container, named: str) -> str:
    """Return the name that was asked for, or the id when that names another image by now."""
    name, image_id = container.record.image_name, container.record.image_id
    is_still_named = named == image_id or (not named and name.startswith("sha256:"))
    return name if is_still_named else image_id


def command_text(argv: Sequence[str]) -> str:
    """Say a command in one line: its arguments are quoted where they have spaces, not its name."""
    program, *arguments = argv
    return " ".join([program, *(f"'{word}'" if " " in word else word for word in arguments)])


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
