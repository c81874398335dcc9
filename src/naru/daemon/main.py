"""narud: read the configuration, wire, serve, and go without stopping a container."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from functools import partial
from pathlib import Path
from typing import NoReturn

import uvloop

from naru.aio import in_thread
from naru.daemon import signals
from naru.daemon.config import load_config
from naru.daemon.embedding import running_engine
from naru.daemon.listeners import (
    Listener,
    close_all,
    listen,
    lock_data_root,
    notify_ready,
    remove_pidfile,
    write_pidfile,
)
from naru.daemon.log_format import LogFormatter
from naru.daemon.registries import reload_registries
from naru.daemon.reloading import Reloader, set_log_level
from naru.daemon.settings import DaemonConfig
from naru.engine.context import EngineContext
from naru.engine.system import ENGINE_VERSION
from naru.errors import NaruError, NotSupportedError
from naru.linux.memory import bound_memory
from naru.server.api_server import ApiServer
from naru.server.app import build_app

_log = logging.getLogger("naru")
# Beyond what requests get to finish.
_TIDYING_S = 5.0


def main() -> None:
    """Run the engine until it is told to end."""
    try:
        config = _load()
        if config.validate:
            sys.stderr.write("configuration OK\n")
            return
        log = logging.StreamHandler()
        log.setFormatter(LogFormatter())
        logging.basicConfig(handlers=[log])
        set_log_level(config)
        bound_memory()
        if os.geteuid() != 0:
            raise NotSupportedError("narud needs root", hint="run it with sudo")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(config))
        # Python would wait for threads that wait for a plugin or a file server, maybe for ever.
        _end()
    except NaruError as error:
        sys.stderr.write(f"narud: {error.message}\n")
        if error.hint:
            sys.stderr.write(f"{error.hint}\n")
        sys.exit(1)
    except OSError as error:
        sys.stderr.write(f"narud: {error}\n")
        sys.exit(1)


def _end_in(seconds: float) -> None:
    """End after so long, whatever is not done then: it is done by the next start, as after a kill."""
    timer = threading.Timer(seconds, _end)
    timer.daemon = True
    timer.start()


def _end() -> NoReturn:
    logging.shutdown()
    os._exit(0)


def _load() -> DaemonConfig:
    return load_config(sys.argv[1:], version=ENGINE_VERSION)


async def _run(config: DaemonConfig) -> None:
    """Hold what only one engine may hold, and serve."""
    stop = asyncio.Event()
    reloader = Reloader(config, _load)
    signals.install(stop, reloader)
    # The lock is held as long as the process lives.
    lock = lock_data_root(Path(config.data_root))
    pidfile = Path(config.pidfile)
    write_pidfile(pidfile)
    try:
        # Clients that come early wait in the sockets' queues until the engine is there.
        listeners = listen(config)
        try:
            async with running_engine(config) as context:
                reloader.apply = partial(_apply, context)
                await _serve(config, context, listeners, stop)
        finally:
            close_all(listeners)
    finally:
        remove_pidfile(pidfile)
        os.close(lock)


def _apply(context: EngineContext, config: DaemonConfig) -> None:
    """Put in force what a running engine can change."""
    reload_registries(context, config)
    context.tasks.start(_reload_firewall_rules(context), name="reload firewall rules")


async def _reload_firewall_rules(context: EngineContext) -> None:
    try:
        if await in_thread(context.networks.reload_firewall_rules):
            _log.info("reloaded: the firewall rules are in force")
    except NaruError as error:
        _log.error("the firewall rules stay as they were: %s", error.message)


async def _serve(
    config: DaemonConfig, context: EngineContext, listeners: list[Listener], stop: asyncio.Event
) -> None:
    server = ApiServer(build_app(context), access_log=_log if config.debug else None)
    await server.start()
    for listener in listeners:
        await server.listen(listener.socket, listener.tls)
        _log.info("API listens on %s", listener.address)
    notify_ready()
    await stop.wait()
    _log.info("the engine ends; containers go on")
    _end_in(config.shutdown_timeout + _TIDYING_S)
    await server.close(config.shutdown_timeout)


if __name__ == "__main__":
    main()
