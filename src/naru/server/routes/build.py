"""/build: build images, call builds off, prune the cache of builds."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from aiohttp import web

from naru import untrusted_json
from naru.api.host_config import HostConfig, Ulimit
from naru.builder.request import BuildRequest
from naru.engine.builds import builds
from naru.engine.builds import cache as build_cache
from naru.errors import InvalidInputError, NotSupportedError
from naru.oci.platform import Platform, parse_platform
from naru.oci.reference import Reference
from naru.server import params
from naru.server.answers import json_answer, json_stream, stops_with_client

T = TypeVar("T")
_BUILDKIT = "2"


@stops_with_client
async def build(request: web.Request) -> web.StreamResponse:
    """Build an image from a Dockerfile and its context."""
    records = builds.build_image(
        params.context(request),
        _read_request(request),
        params.body_chunks(request),
        build_id=params.text(request, "buildid"),
    )
    return await json_stream(request, records)


def _read_request(request: web.Request) -> BuildRequest:
    _refuse_unsupported(request)
    always_removes = params.flag(request, "forcerm")
    return BuildRequest(
        dockerfile=params.text(request, "dockerfile"),
        remote=params.text(request, "remote"),
        tags=_tags(request.query.getall("t", [])),
        target=params.text(request, "target"),
        platform=_platform(request),
        arguments=_json(request, "buildargs", dict[str, str | None], "build args"),
        labels=_json(request, "labels", dict[str, str], "labels"),
        cache_from=tuple(_json(request, "cachefrom", list[str], "cache-from")),
        host=_host(request),
        auths=params.registry_auths(request),
        uses_cache=not params.flag(request, "nocache"),
        pulls=params.flag(request, "pull"),
        removes=always_removes or params.flag(request, "rm", default=True),
        always_removes=always_removes,
        is_quiet=params.flag(request, "q"),
    )


def _refuse_unsupported(request: web.Request) -> None:
    """Refuse what the classic builder of Docker refuses too, in its words where it has some."""
    if params.text(request, "version") == _BUILDKIT or params.text(request, "session"):
        raise NotSupportedError(
            "BuildKit is not supported: build with version=1",
            hint="set DOCKER_BUILDKIT=0 in the environment of the client",
        )
    if params.text(request, "outputs") not in ("", "null", "[]"):
        raise NotSupportedError("custom outputs need BuildKit, which is not supported")
    if params.flag(request, "squash"):
        raise InvalidInputError("squash is only supported with experimental mode")
    if request.query.getall("securityopt", []):
        raise InvalidInputError(
            "The daemon on this platform does not support setting security options on build"
        )
    isolation = params.text(request, "isolation")
    if isolation.lower() not in ("", "default"):
        raise InvalidInputError(f'unsupported isolation: "{isolation}"')


def _tags(texts: list[str]) -> tuple[Reference, ...]:
    tags: dict[str, Reference] = {}
    for text in filter(None, texts):
        reference = Reference.parse(text)
        if reference.digest is not None:
            raise InvalidInputError("build tag cannot contain a digest")
        named = reference.with_default_tag()
        tags[named.canonical] = named
    return tuple(tags.values())


def _platform(request: web.Request) -> Platform | None:
    text = params.text(request, "platform")
    return parse_platform(text) if text and params.api_version(request) >= (1, 32) else None


def _host(request: web.Request) -> HostConfig:
    """Return what the containers of steps get."""

    def number(key: str) -> int:
        return params.number(request, key) or 0

    network_mode = params.text(request, "networkmode")
    return HostConfig(
        cpu_shares=number("cpushares"),
        cpu_period=number("cpuperiod"),
        cpu_quota=number("cpuquota"),
        cpuset_cpus=params.text(request, "cpusetcpus"),
        cpuset_mems=params.text(request, "cpusetmems"),
        memory=number("memory"),
        memory_swap=number("memswap"),
        cgroup_parent=params.text(request, "cgroupparent"),
        shm_size=number("shmsize"),
        ulimits=_json(request, "ulimits", list[Ulimit], "ulimit settings") or None,
        extra_hosts=request.query.getall("extrahosts", []) or None,
        network_mode="" if network_mode == "default" else network_mode,
    )


def _json(request: web.Request, key: str, kind: type[T], what: str) -> T:
    """Return a parameter that holds JSON; none at all, and null, are empty."""
    text = params.text(request, key)
    try:
        return untrusted_json.decode(text, type=kind | None) or kind() if text else kind()
    except msgspec.MsgspecError as error:
        raise InvalidInputError(f"error reading {what}: {error}") from error


async def cancel(request: web.Request) -> web.Response:
    """Call a build off."""
    await builds.cancel_build(params.context(request), params.text(request, "id"))
    return web.Response(status=200)


async def prune(request: web.Request) -> web.Response:
    """Prune the cache of builds."""

    def limit(key: str) -> int:
        return params.number(request, key) or 0

    limits = build_cache.PruneLimits(
        reserved=limit("reserved-space") or limit("keep-storage"),
        most=limit("max-used-space"),
        free=limit("min-free-space"),
    )
    answer = await build_cache.prune_build_cache(
        params.context(request), params.filters(request), limits
    )
    return json_answer(answer)


ROUTES = (
    ("POST", "/build", build),
    ("POST", "/build/cancel", cancel),
    ("POST", "/build/prune", prune),
)
