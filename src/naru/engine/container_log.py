"""A container's log as the engine sees it: where it is, what is kept, and where it goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from naru.engine.context import EngineContext
from naru.engine.live.attachments import log_path
from naru.engine.model import Container
from naru.runtime import bundle as bundles
from naru.runtime.fluentd_sink import FluentdSink
from naru.runtime.gelf_sink import GelfSink
from naru.runtime.journald_sink import JournaldSink
from naru.runtime.json_log import JsonFormat, JsonLog
from naru.runtime.log_attributes import LogSource, extra_attributes
from naru.runtime.log_driver import LogPolicy
from naru.runtime.log_keeping import KeptLog
from naru.runtime.log_shipment import FileShipment, RemoteShipment, Shipment
from naru.runtime.log_sink import RemoteSink
from naru.runtime.log_tag import tag_text
from naru.runtime.syslog_sink import SyslogSink
from naru.units import print_rfc3339

_REMOTE_SINKS: dict[str, Callable[[Mapping[str, str], LogSource], RemoteSink]] = {
    "fluentd": FluentdSink,
    "gelf": GelfSink,
    "journald": JournaldSink,
    "syslog": SyslogSink,
}


def json_path(ctx: EngineContext, container: Container) -> Path:
    """Return where the driver `json-file` has its file."""
    return ctx.config.container_dir(container.id) / f"{container.id}-json.log"


def log_attributes(ctx: EngineContext, container: Container) -> dict[str, str]:
    """Return what the log options ask to be said of the container with each line."""
    options = container.host_config.log_config.config or {}
    source = log_source(ctx, container)
    attributes = extra_attributes(source, options)
    if container.host_config.log_config.type == "json-file" and options.get("tag"):
        attributes["tag"] = tag_text(options["tag"], source)
    return attributes


def log_source(ctx: EngineContext, container: Container) -> LogSource:
    """Return the facts that drivers may name."""
    return LogSource(
        container_id=container.id,
        name=container.name,
        image_id=container.record.image_id,
        image_name=container.record.image_name,
        argv=tuple(container.config.argv()),
        env=tuple(container.config.env or ()),
        labels=container.config.labels or {},
        created=print_rfc3339(container.record.created_ns),
        hostname=ctx.config.hostname,
    )


def kept_log(ctx: EngineContext, container: Container) -> KeptLog | None:
    """Return how the container's log is looked after; None where nothing is written."""
    policy = container.log_policy()
    if not policy.is_written:
        return None
    spool = log_path(ctx.config.container_dir(container.id))
    return KeptLog(
        monitored=bundles.existing(ctx.config.exec_root, container.id),
        spool=spool,
        max_bytes=policy.max_bytes,
        max_files=policy.max_files,
        shipment=_shipment(ctx, container, policy, spool) if policy.has_sink else None,
    )


def _shipment(ctx: EngineContext, container: Container, policy: LogPolicy, spool: Path) -> Shipment:
    log_config = container.host_config.log_config
    if log_config.type == "json-file":
        target = JsonLog(
            json_path(ctx, container),
            policy.max_bytes,
            policy.max_files,
            compress=policy.compress,
        )
        return FileShipment(spool, target, JsonFormat(log_attributes(ctx, container)))
    sink = _REMOTE_SINKS[log_config.type](log_config.config or {}, log_source(ctx, container))
    return RemoteShipment(spool, sink, policy.buffer_bytes)


async def keep_log(ctx: EngineContext, container: Container) -> None:
    """Look after the log of a container that runs."""
    if log := kept_log(ctx, container):
        await ctx.logs.keep(container.id, log)


async def end_log(ctx: EngineContext, container: Container) -> None:
    """See that the log of a container that has ended is where it belongs. Idempotent.

    What goes with the container anyway is not written for nobody.

    Raises:
        OSError: the disk does not take it.
    """
    log = kept_log(ctx, container)
    if log is None:
        return
    goes = container.host_config.auto_remove and not container.state.comes_back
    if goes and not isinstance(log.shipment, RemoteShipment):
        await ctx.logs.forget(container.id)
    else:
        await ctx.logs.ended(container.id, log)
