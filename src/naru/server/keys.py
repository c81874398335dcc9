"""What the application carries to every handler."""

from __future__ import annotations

from aiohttp import web

from naru.engine.context import EngineContext

CONTEXT: web.AppKey[EngineContext] = web.AppKey("context", EngineContext)
