"""/containers: lifecycle, inspection, streams."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from naru.api.create_request import CreateRequest, adapt
from naru.api.recreate_request import read_changes
from naru.api.stream import frame
from naru.api.update_request import UpdateRequest
from naru.api.update_request import adapt as adapt_update
from naru.engine.containers import (
    create,
    inspect,
    listing,
    recreate,
    remove,
    rename,
    start,
    stats,
    stop,
    update,
    wait,
)
from naru.engine.containers import prune as prune_use_case
from naru.engine.streams import attach, logs
from naru.errors import InvalidInputError, NaruError
from naru.server import params
from naru.server.answers import (
    begin,
    byte_stream,
    json_answer,
    json_stream,
    no_content,
    stops_with_client,
)
from naru.server.streams import Carrier, check_websocket, serve_websocket, stream_type


async def list_all(request: web.Request) -> web.Response:
    """List containers."""
    views = await listing.list_containers(
        params.context(request),
        all=params.flag(request, "all"),
        limit=params.number(request, "limit") or 0,
        size=params.flag(request, "size"),
        filters=params.filters(request),
        api_version=params.api_version(request),
    )
    return json_answer(views)


async def create_one(request: web.Request) -> web.Response:
    """Create a container."""
    body = await params.body(request, CreateRequest)
    config, version = body.config(), params.api_version(request)
    notes = adapt(body, version)
    container_id, warnings = await create.create_container(
        params.context(request),
        name=params.text(request, "name"),
        config=config,
        host_config=body.host_config,
        networking_config=body.networking_config,
        platform=params.text(request, "platform") if version >= (1, 41) else "",
        replaces=params.flag(request, "replace"),
    )
    return json_answer({"Id": container_id, "Warnings": [*notes, *warnings]}, status=201)


async def inspect_one(request: web.Request) -> web.Response:
    """Inspect a container."""
    size = params.flag(request, "size")
    version = params.api_version(request)
    view = await inspect.inspect_container(
        params.context(request), params.name(request), size=size, api_version=version
    )
    return json_answer(view)


async def top(request: web.Request) -> web.Response:
    """List a container's processes."""
    ps_args = params.text(request, "ps_args")
    ctx = params.context(request)
    return json_answer(await inspect.top_container(ctx, params.name(request), ps_args))


@stops_with_client
async def read_stats(request: web.Request) -> web.StreamResponse:
    """Send what a container uses, once or every second."""
    stream = params.flag(request, "stream", default=True)
    version = params.api_version(request)
    answers = await stats.container_stats(
        params.context(request),
        params.name(request),
        stream=stream,
        one_shot=version >= (1, 41) and params.flag(request, "one-shot"),
    )
    return await json_stream(request, answers, at_once=stream, line_end=b"\n")


async def start_one(request: web.Request) -> web.Response:
    """Start a container."""
    if (await request.read()).strip() not in (b"", b"{}", b"null"):
        raise InvalidInputError(
            "starting container with non-empty request body was deprecated since API v1.22 and "
            "removed in v1.24"
        )
    await start.start_container(params.context(request), params.name(request))
    return no_content()


def _stop_signal(request: web.Request) -> str:
    return params.text(request, "signal") if params.api_version(request) >= (1, 42) else ""


async def stop_one(request: web.Request) -> web.Response:
    """Stop a container."""
    await stop.stop_container(
        params.context(request),
        params.name(request),
        signal=_stop_signal(request),
        timeout=params.number(request, "t"),
    )
    return no_content()


async def restart_one(request: web.Request) -> web.Response:
    """Restart a container."""
    await stop.restart_container(
        params.context(request),
        params.name(request),
        signal=_stop_signal(request),
        timeout=params.number(request, "t"),
    )
    return no_content()


async def kill_one(request: web.Request) -> web.Response:
    """Send a signal to a container."""
    signal = params.text(request, "signal")
    await stop.kill_container(params.context(request), params.name(request), signal)
    return no_content()


async def pause_one(request: web.Request) -> web.Response:
    """Freeze a container."""
    await stop.pause_container(params.context(request), params.name(request))
    return no_content()


async def unpause_one(request: web.Request) -> web.Response:
    """Let a container go on."""
    await stop.unpause_container(params.context(request), params.name(request))
    return no_content()


async def rename_one(request: web.Request) -> web.Response:
    """Rename a container."""
    new_name = params.text(request, "name")
    await rename.rename_container(params.context(request), params.name(request), new_name)
    return no_content()


async def update_one(request: web.Request) -> web.Response:
    """Change a container's limits and restart policy."""
    body = await params.body(request, UpdateRequest)
    adapt_update(body, params.api_version(request))
    warnings = await update.update_container(params.context(request), params.name(request), body)
    return json_answer({"Warnings": warnings or None})


async def recreate_one(request: web.Request) -> web.Response:
    """Change a container's options or image; our extension."""
    changes = read_changes(await params.json_bytes(request))
    warnings = await recreate.recreate_container(
        params.context(request),
        params.name(request),
        changes,
        platform=params.text(request, "platform"),
        keeps_layer=params.flag(request, "keep-layer"),
        patience=params.number(request, "wait") or 0,
        timeout=params.number(request, "t"),
    )
    return json_answer({"Warnings": warnings or None})


async def prune(request: web.Request) -> web.Response:
    """Remove the containers that do not run."""
    return json_answer(
        await prune_use_case.prune_containers(params.context(request), params.filters(request))
    )


async def remove_one(request: web.Request) -> web.Response:
    """Remove a container."""
    await remove.remove_container(
        params.context(request),
        params.name(request),
        force=params.flag(request, "force"),
        volumes=params.flag(request, "v"),
        link=params.flag(request, "link"),
    )
    return no_content()


@stops_with_client
async def wait_for(request: web.Request) -> web.StreamResponse:
    """Wait for a container; the head is sent as soon as the wait is certain."""
    version = params.api_version(request)
    # Before 1.30 there were no conditions, and nothing was sent before the answer.
    condition = params.text(request, "condition") if version >= (1, 30) else ""
    waiter = await wait.wait_container(params.context(request), params.name(request), condition)
    if version < (1, 30):
        return json_answer(await waiter.result())
    response = await begin(request, "application/json")
    await response.write_eof(msgspec.json.encode(await waiter.result()) + b"\n")
    return response


@stops_with_client
async def read_logs(request: web.Request) -> web.StreamResponse:
    """Send a container's log."""
    version = params.api_version(request)
    tty, blocks = await logs.container_logs(
        params.context(request),
        params.name(request),
        follow=params.flag(request, "follow"),
        stdout=params.flag(request, "stdout"),
        stderr=params.flag(request, "stderr"),
        since=params.text(request, "since"),
        until=params.text(request, "until"),
        timestamps=params.flag(request, "timestamps"),
        details=params.flag(request, "details"),
        tail=params.text(request, "tail", "all"),
    )

    def last_words(error: NaruError) -> bytes:
        text = f"Error grabbing logs: {error.message}\n".encode()
        return text if tty else frame(2, text)

    content_type = stream_type(tty=tty, api_version=version)
    return await byte_stream(request, blocks, content_type, last_words=last_words)


def _attach_options(request: web.Request) -> dict[str, Any]:
    return {
        **{
            key: params.flag(request, key)
            for key in ("stdin", "stdout", "stderr", "stream", "logs")
        },
        "detach_keys": params.text(request, "detachKeys"),
    }


@stops_with_client
async def attach_to(request: web.Request) -> web.StreamResponse:
    """Attach to a container over the connection itself."""
    await request.read()
    streams = await attach.attach_container(
        params.context(request), params.name(request), **_attach_options(request)
    )
    carrier = Carrier(request, tty=streams.tty, api_version=params.api_version(request))
    return await carrier.carry(streams)


@stops_with_client
async def attach_websocket(request: web.Request) -> web.StreamResponse:
    """Attach to a container over a WebSocket."""
    ctx, name = params.context(request), params.name(request)
    ctx.registry.find(name)
    check_websocket(request)
    streams = await attach.attach_container(ctx, name, **_attach_options(request))
    return await serve_websocket(request, streams, params.api_version(request))


async def resize(request: web.Request) -> web.Response:
    """Tell a container's terminal its size."""
    rows, columns = params.terminal_size(request)
    await attach.resize_container(params.context(request), params.name(request), rows, columns)
    return web.Response(status=200)


ROUTES = (
    ("GET", "/containers/json", list_all),
    ("POST", "/containers/create", create_one),
    ("POST", "/containers/prune", prune),
    ("GET", "/containers/{name:.+}/json", inspect_one),
    ("GET", "/containers/{name}/top", top),
    ("GET", "/containers/{name}/stats", read_stats),
    ("GET", "/containers/{name}/logs", read_logs),
    ("POST", "/containers/{name}/start", start_one),
    ("POST", "/containers/{name}/stop", stop_one),
    ("POST", "/containers/{name}/restart", restart_one),
    ("POST", "/containers/{name}/kill", kill_one),
    ("POST", "/containers/{name}/pause", pause_one),
    ("POST", "/containers/{name}/unpause", unpause_one),
    ("POST", "/containers/{name}/rename", rename_one),
    ("POST", "/containers/{name}/update", update_one),
    ("POST", "/containers/{name}/recreate", recreate_one),
    ("POST", "/containers/{name}/wait", wait_for),
    ("POST", "/containers/{name}/attach", attach_to),
    ("GET", "/containers/{name}/attach/ws", attach_websocket),
    ("POST", "/containers/{name}/resize", resize),
    ("DELETE", "/containers/{name:.+}", remove_one),
)
