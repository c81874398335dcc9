"""Links of containers on the default network: kept, followed, removed.

A container's record says which other containers it links to, by their ids; names are made when
they are shown. On networks of one's own a link is one more name, and name resolution's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from naru.aio import in_thread
from naru.api.host_config import HostConfig
from naru.engine.context import EngineContext
from naru.engine.model import Container, network_name
from naru.errors import FaultError, InvalidInputError, NotFoundError
from naru.network import etc_files
from naru.network.legacy_links import LegacyLink, parse_link
from naru.network.model import DEFAULT_NETWORK


def wanted_links(ctx: EngineContext, host_config: HostConfig) -> dict[str, str]:
    """Return the links of a new container: ids of other containers by alias.

    Raises:
        InvalidInputError: one is no link, or to no container, in Docker's words.
    """
    if network_name(host_config.network_mode) != DEFAULT_NETWORK:
        return {}
    found = {}
    for text in host_config.links or ():
        name, alias = parse_link(text)
        try:
            target = ctx.registry.find(name)
            while target.joined_container():
                target = ctx.registry.find(target.joined_container())
        except NotFoundError as error:
            # Not as a 404: clients would take it for a missing image.
            raise InvalidInputError(f"could not get container for {name}: {error}") from error
        if target.network_mode == "host":
            raise InvalidInputError(
                "conflicting options: host type networking can't be used with links. This would "
                "result in undefined behavior"
            )
        found[alias] = target.id
    return found


def links_of(ctx: EngineContext, container: Container) -> list[LegacyLink]:
    """Return what a container that starts, or runs, has to know of those it links to.

    Raises:
        FaultError: one of them does not run, or is not on the default network.
    """
    return [
        _link(ctx, container, alias, target_id)
        for alias, target_id in container.record.links.items()
    ]


def _link(ctx: EngineContext, container: Container, alias: str, target_id: str) -> LegacyLink:
    target = ctx.registry.get(target_id)
    name = f"/{container.name}/{alias}"
    if target is None or not target.is_running:
        shown = f"/{target.name}" if target else target_id
        raise FaultError(f"Cannot link to a non running container: {shown} AS {name}")
    address = _default_address(ctx, target.id)
    if not address:
        raise FaultError(f"{target.id} does not belong to the default network")
    return LegacyLink(
        name=name,
        address=address,
        container_name=target.name,
        hostname=target.config.hostname,
        ports=tuple(target.config.exposed_ports or ()),
        env=tuple(target.config.env or ()),
    )


def reaches(links: Iterable[LegacyLink]) -> tuple[tuple[str, str], ...]:
    """Return address and port of everything that links open where neighbours are apart."""
    return tuple((link.address, port) for link in links for port in link.ports)


def _default_address(ctx: EngineContext, container_id: str) -> str:
    sandbox = ctx.networks.sandbox(container_id)
    for endpoint in sandbox.endpoints if sandbox else ():
        if endpoint.network_name == DEFAULT_NETWORK:
            return endpoint.ipv4
    return ""


async def remove_link(ctx: EngineContext, name: str) -> None:
    """Remove the link that `name`, `container/alias`, names; the containers stay.

    Raises:
        NotFoundError: no such link.
        FaultError: it names a container alone; Docker's status for it is 500.
    """
    target = ctx.registry.find(name)
    parent_name, slash, alias = name.strip("/").partition("/")
    if not slash:
        raise FaultError("Conflict, cannot remove the default link name of the container")
    parent = ctx.registry.find(parent_name)
    async with ctx.locks.hold(parent.id):
        links = {k: v for k, v in parent.record.links.items() if k != alias}
        record = msgspec.structs.replace(parent.record, links=links)
        ctx.registry.save_record(parent, record)
        link = LegacyLink(f"/{parent.name}/{alias}", "", target.name, target.config.hostname)
        await in_thread(_tell, ctx, parent, {" ".join(link.host_names): ""})


async def follow_links(ctx: EngineContext, started: Container) -> None:
    """Tell running containers that link to one which has started where it is now."""
    address = _default_address(ctx, started.id)
    for parent in ctx.registry:
        if not (parent.record.links and parent.is_running and address):
            continue
        names = [
            " ".join(_link(ctx, parent, alias, target_id).host_names)
            for alias, target_id in parent.record.links.items()
            if target_id == started.id
        ]
        if names:
            await in_thread(_tell, ctx, parent, dict.fromkeys(names, address))


def _tell(ctx: EngineContext, container: Container, links: Mapping[str, str]) -> None:
    """Let hosts file and firewall of a running container say where its links lead now."""
    _amend_hosts(ctx, container, links)
    there = [
        _link(ctx, container, alias, target_id)
        for alias, target_id in container.record.links.items()
        if _runs(ctx, target_id) and _default_address(ctx, target_id)
    ]
    network = ctx.networks.resolve(DEFAULT_NETWORK)
    ctx.networks.relink(container.id, network.id, reaches(there))


def _runs(ctx: EngineContext, container_id: str) -> bool:
    """Say whether it runs; one that has just ended keeps its address for a moment."""
    target = ctx.registry.get(container_id)
    return target is not None and target.is_running


def _amend_hosts(ctx: EngineContext, container: Container, links: Mapping[str, str]) -> None:
    path = ctx.config.container_dir(container.id) / "hosts"
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return
    amended = etc_files.with_links(text, links)
    if amended != text:
        path.write_text(amended, encoding="utf-8", errors="surrogateescape")
