"""The filters of `ps`: checked and looked up once, then asked of every container.

Spec: Engine API 1.50, ContainerList; moby's daemon/list.go for what each one looks at.
"""

from __future__ import annotations

from naru.api.filters import Filters
from naru.engine.context import EngineContext
from naru.engine.model import Container, Json
from naru.engine.views.containers import mounts_view
from naru.engine.views.networks import networks_view, port_list
from naru.errors import ConflictError, InvalidInputError, NotFoundError

FILTERS = frozenset(
    "ancestor before exited expose health id is-task isolation label name network publish "
    "since status volume".split()
)
_STATUSES = ("created", "restarting", "running", "removing", "paused", "exited", "dead")
_HEALTH = ("none", "starting", "healthy", "unhealthy")
_HIGHEST_PORT = 65535
_EXIT_CODE_DIGITS = 18

PortRange = tuple[int, int, str]


class WantedContainers:
    """Which containers one request is about."""

    def __init__(self, ctx: EngineContext, filters: Filters) -> None:
        """Check the filters.

        Raises:
            InvalidInputError: one is unknown or has a value that it cannot have.
            NotFoundError: `before` or `since` names no container.
        """
        filters.refuse_unknown(FILTERS)
        for status in filters.get("status"):
            if status not in _STATUSES:
                raise InvalidInputError(f"invalid filter 'status={status}'")
        for status in filters.get("health"):
            if status not in _HEALTH:
                raise InvalidInputError(f"Unrecognised filter value for health: {status}")
        self._ctx = ctx
        self._filters = filters
        self._exit_codes = {exit_code(text) for text in filters.get("exited")}
        self._tasks_only = filters.is_true("is-task")
        self._before = [ctx.registry.find(name).record.created_ns for name in filters.get("before")]
        self._since = [ctx.registry.find(name).record.created_ns for name in filters.get("since")]
        self._images = _images_on(ctx, filters.get("ancestor"))
        self._ids = _named_ids(ctx, filters.get("id"))
        self._publish = [port_range("publish", text) for text in filters.get("publish")]
        self._expose = [port_range("expose", text) for text in filters.get("expose")]

    @property
    def wants_stopped(self) -> bool:
        """Say whether stopped containers are asked for, as a status of any kind does."""
        return "status" in self._filters

    def includes(self, container: Container) -> bool:
        """Say whether every filter lets the container through.

        Isolation is a matter of Windows: the filter is known, and chooses nothing. A name that a
        container has by another's link is shown, and not looked for.
        """
        given, record, state = self._filters, container.record, container.state
        return (
            # No container here is the task of a swarm.
            not self._tasks_only
            and (self._ids is None or container.id in self._ids)
            and given.matches_fuzzily("name", container.name, f"/{container.name}")
            and given.matches_labels("label", record.config.labels or {})
            and given.matches("status", state.status)
            and (not self._exit_codes or self._has_exited_so(container))
            and all(record.created_ns < moment for moment in self._before)
            and all(record.created_ns > moment for moment in self._since)
            and (self._images is None or record.image_id in self._images)
            and given.matches("health", state.health.status if state.health else "none")
            and self._has_mount(container)
            and self._has_network(container)
            and self._has_port(container)
        )

    def _has_exited_so(self, container: Container) -> bool:
        state = container.state
        has_run = state.status == "exited" and state.started_ns > 0
        return has_run and state.exit_code in self._exit_codes

    def _has_mount(self, container: Container) -> bool:
        wanted = self._filters.get("volume")
        return not wanted or not mount_names(mounts_view(container)).isdisjoint(wanted)

    def _has_network(self, container: Container) -> bool:
        wanted = self._filters.get("network")
        return not wanted or any(
            text == name or view["NetworkID"].startswith(text)
            for name, view in networks_view(self._ctx, container).items()
            for text in wanted
        )

    def _has_port(self, container: Container) -> bool:
        if not (self._publish or self._expose):
            return True
        ports = port_list(self._ctx, container)
        public = {(port.get("PublicPort", 0), port["Type"]) for port in ports}
        private = {(port["PrivatePort"], port["Type"]) for port in ports}
        return _in_ranges(self._publish, public) and _in_ranges(self._expose, private)


def exit_code(text: str) -> int:
    """Read a value of `exited`.

    Raises:
        InvalidInputError: it is no number.
    """
    digits = text.removeprefix("-") if text.startswith("-") else text.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        raise InvalidInputError(f'strconv.Atoi: parsing "{text}": invalid syntax')
    if len(digits) > _EXIT_CODE_DIGITS:
        raise InvalidInputError(f'strconv.Atoi: parsing "{text}": value out of range')
    return int(text)


def port_range(name: str, text: str) -> PortRange:
    """Read a value of `publish` or `expose`: `80`, `80/udp`, `8000-8010/tcp`.

    Raises:
        InvalidInputError: it is none of these, in Docker's words.
    """
    if ":" in text:
        raise InvalidInputError(f"filter for '{name}' should not contain ':': {text}")
    numbers, _, protocol = text.partition("/")
    first, has_last, last = numbers.partition("-")
    try:
        if not numbers:
            raise ValueError("empty string specified for ports")
        start = _port(first)
        end = _port(last) if has_last else start
        if end < start:
            raise ValueError(f"invalid range specified for port: {numbers}")
    except ValueError as error:
        raise InvalidInputError(f"error while looking up for {name} {text}: {error}") from error
    return start, end, protocol or "tcp"


def _port(text: str) -> int:
    problem = f'strconv.ParseUint: parsing "{text}": '
    if not (text.isascii() and text.isdigit()):
        raise ValueError(problem + "invalid syntax")
    digits = text.lstrip("0") or "0"
    # More digits than a port can have are not worth a conversion.
    if len(digits) > len(str(_HIGHEST_PORT)) or int(digits) > _HIGHEST_PORT:
        raise ValueError(problem + "value out of range")
    return int(digits)


def _in_ranges(ranges: list[PortRange], ports: set[tuple[int, str]]) -> bool:
    return not ranges or any(
        first <= port <= last and kind == protocol
        for first, last, protocol in ranges
        for port, kind in ports
    )


def mount_names(mounts: list[Json]) -> set[str]:
    """Return what `volume` may name mounts by: where they are, and the volume or the source."""
    places = {mount["Destination"] for mount in mounts}
    return places | {mount.get("Name") or mount["Source"] for mount in mounts}


def _named_ids(ctx: EngineContext, starts: list[str]) -> set[str] | None:
    """Return the ids that begin so, None when none is asked for; one that fits several is none."""
    if not starts:
        return None
    fitting = ([c.id for c in ctx.registry if c.id.startswith(start)] for start in starts)
    return {ids[0] for ids in fitting if len(ids) == 1}


def _images_on(ctx: EngineContext, names: list[str]) -> set[str] | None:
    """Return the images named, and those built on them; None when none is named."""
    if not names:
        return None
    children: dict[str, list[str]] = {}
    for image in ctx.images.catalog.images():
        children.setdefault(image.parent_id, []).append(image.id)
    found: set[str] = set()
    for name in names:
        try:
            waiting = [ctx.images.catalog.resolve(name).id]
        except (NotFoundError, ConflictError, InvalidInputError):
            # As in Docker, what is no image here has no containers.
            continue
        while waiting:
            image_id = waiting.pop()
            if image_id not in found:
                found.add(image_id)
                waiting += children.get(image_id, ())
    return found
