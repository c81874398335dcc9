"""narud: read the configuration, wire, serve, and go without stopping a container."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from pathlib import Path

import uvloop

from naru.daemon import signals
from naru.daemon.config import DaemonConfig, load_config
from naru.daemon.listeners import listen, lock_data_root, write_pidfile
from naru.daemon.wiring import build_context
from naru.engine.engine import start_engine, stop_engine
from naru.engine.system import ENGINE_VERSION
from naru.errors import NaruError, NotSupportedError
from naru.server.api_server import ApiServer
from naru.server.app import build_app

_log = logging.getLogger("naru")
_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
}


def main() -> None:
    """Run the engine until it is told to end."""
    try:
        config = load_config(sys.argv[1:], version=ENGINE_VERSION)
        if config.validate:
            sys.stdout.write("configuration OK\n")
            return
        logging.basicConfig(
            level=logging.DEBUG if config.debug else _LEVELS[config.log_level],
            format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        )
        if os.geteuid() != 0:
            raise NotSupportedError("narud needs root", hint="run it with sudo")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(config))
    except NaruError as error:
        sys.stderr.write(f"narud: {error.message}\n")
        if error.hint:
            sys.stderr.write(f"{error.hint}\n")
        sys.exit(1)


async def _serve(config: DaemonConfig) -> None:
    stop = asyncio.Event()
    signals.install(stop)
    # Held as long as the process lives.
    lock = lock_data_root(Path(config.data_root))
    pidfile = Path(config.pidfile)
    write_pidfile(pidfile)
    context = build_context(config, _log.warning)
    await start_engine(context)
    server = ApiServer(build_app(context), access_log=_log if config.debug else None)
    await server.start()
    listeners = listen(config)
    for listener in listeners:
        await server.listen(listener.socket, listener.tls)
        _log.info("API listens on %s", listener.address)
    await stop.wait()
    _log.info("the engine ends; containers go on")
    await server.close(config.shutdown_timeout)
    await stop_engine(context)
    await context.images.close()
    for listener in listeners:
        if listener.address.startswith("unix://"):
            Path(listener.address.removeprefix("unix://")).unlink(missing_ok=True)
    pidfile.unlink(missing_ok=True)
    os.close(lock)


if __name__ == "__main__":
    main()
