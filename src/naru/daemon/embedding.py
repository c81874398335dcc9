"""An engine inside a program: `narud` itself, and whoever calls use-cases without sockets."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path

from naru.daemon.config import load_config
from naru.daemon.listeners import lock_data_root
from naru.daemon.settings import DaemonConfig
from naru.daemon.wiring import build_context
from naru.engine.context import EngineContext
from naru.engine.engine import start_engine, stop_engine
from naru.engine.system import ENGINE_VERSION

_log = logging.getLogger("naru")


@contextlib.asynccontextmanager
async def embedded_engine(*flags: str) -> AsyncIterator[EngineContext]:
    """Run an engine with the flags of `narud` for the length of the block.

    It listens nowhere and writes no pid file. Containers outlive the block, and the next engine
    on the same data root takes over. The process must be root's.

    Raises:
        InvalidInputError: a flag, or the configuration file, is wrong.
        ConflictError: another engine runs on the data root.
        NaruError: the machine cannot run one.
    """
    config = load_config(flags, version=ENGINE_VERSION)
    # Held as long as the engine runs.
    lock = lock_data_root(Path(config.data_root))
    try:
        async with running_engine(config) as engine:
            yield engine
    finally:
        os.close(lock)


@contextlib.asynccontextmanager
async def running_engine(config: DaemonConfig) -> AsyncIterator[EngineContext]:
    """Bring up an engine whose data root the caller has locked; at the end, let go of it.

    Raises:
        NaruError: the machine cannot run one, or a setting is wrong.
    """
    context = build_context(config, _log.warning)
    try:
        await start_engine(context)
        yield context
    finally:
        await stop_engine(context)
        await context.images.close()
