"""The HTTP application: which path leads to which handler."""

from __future__ import annotations

from aiohttp import web

from naru.engine.context import EngineContext
from naru.server.keys import CONTEXT
from naru.server.middleware import add_headers, errors_as_answers
from naru.server.routes import (
    archive,
    build,
    containers,
    distribution,
    events,
    image_copy,
    images,
    networks,
    plugins,
    rootfs,
    swarm,
    system,
    volume_copies,
    volumes,
)
from naru.server.routes import exec as execs

_ROUTES = (
    *system.ROUTES,
    *events.ROUTES,
    *containers.ROUTES,
    *rootfs.ROUTES,
    *archive.ROUTES,
    *execs.ROUTES,
    *image_copy.ROUTES,
    *images.ROUTES,
    *build.ROUTES,
    *distribution.ROUTES,
    *networks.ROUTES,
    *volumes.ROUTES,
    *volume_copies.ROUTES,
    *plugins.ROUTES,
    *swarm.ROUTES,
)
_VERSION = r"/v{version:[0-9.]+}"


def build_app(context: EngineContext) -> web.Application:
    """Return the application that serves `context`, with and without a version in the path."""
    # Bodies of load and import are streams of any length; JSON bodies are bounded where read.
    app = web.Application(middlewares=[errors_as_answers], client_max_size=16 << 20)
    app[CONTEXT] = context
    app.on_response_prepare.append(add_headers)
    for method, path, handler in _ROUTES:
        for prefix in (_VERSION, ""):
            if method == "GET":
                app.router.add_get(prefix + path, handler, allow_head=path == "/_ping")
            else:
                app.router.add_route(method, prefix + path, handler)
    return app
