"""Builds every object of the engine once, by hand. Read this to see the whole system."""

from __future__ import annotations

import platform
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from naru.aio import KeyedLock, TaskSet
from naru.builder.cache_mounts import CacheMounts
from naru.builder.context import Workshop
from naru.builder.running import RunningBuilds
from naru.builder.services import BuildServices
from naru.clock import Clock, SystemClock
from naru.daemon.checks import open_api_warnings
from naru.daemon.config import NO_WORD
from naru.daemon.flags import DEFAULT_FIREWALL_RULES
from naru.daemon.registries import hosts_of, proxies_of
from naru.daemon.remapping import remapped
from naru.daemon.settings import DaemonConfig
from naru.db.build_cache import BuildCacheRows
from naru.db.containers import ContainerRows
from naru.db.database import Database
from naru.db.row_sync import RowSync
from naru.engine.containers.resolver_file import name_servers
from naru.engine.context import EngineConfig, EngineContext
from naru.engine.events.bus import EventBus
from naru.engine.events.journal import EventJournal
from naru.engine.live.attachments import Attachments
from naru.engine.live.exec_sessions import ExecSessions
from naru.engine.live.health_watches import HealthWatches
from naru.engine.live.open_files import OpenFiles
from naru.engine.live.registry import Registry
from naru.engine.live.samplers import Samplers
from naru.engine.live.waiters import Waiters
from naru.engine.pruning import Pruning
from naru.errors import InvalidInputError, NotSupportedError
from naru.ids import new_id
from naru.images.services import ImageServices
from naru.images.services import build as build_images
from naru.linux import cgroup, probe
from naru.network.ipam import parse_address_pool
from naru.network.model import NetworkConfig
from naru.network.networks import Networks
from naru.network.port_policy import port_policy
from naru.network.resolver import Resolver
from naru.runtime.exits import ExitWatcher
from naru.runtime.log_keeping import LogKeeper
from naru.runtime.oci_runtime import OciRuntime
from naru.runtime.oom import OomWatcher
from naru.specgen.id_maps import IdMaps
from naru.specgen.seccomp_profile import from_profile
from naru.store.content import ContentStore
from naru.store.native import NativeSnapshotter
from naru.store.overlay import OverlaySnapshotter, supports_overlay
from naru.store.snapshotter import Snapshotter
from naru.volumes.drivers import Drivers
from naru.volumes.volumes import Volumes

_NATIVE = ("vfs", "native")


def build_context(config: DaemonConfig, say: Callable[[str], None]) -> EngineContext:
    """Return the engine's collaborators; nothing is started yet.

    `say` is told what was found missing and what was done about it.

    Raises:
        NotSupportedError: this machine lacks something that no container can do without.
        CorruptDataError: the state database is none.
        InvalidInputError, FaultError: containers cannot be given the ids that they are to have.
    """
    config, id_maps = remapped(config)
    clock: Clock = SystemClock()
    data_root, exec_root = Path(config.data_root), Path(config.exec_root)
    for folder in (data_root / "containers", exec_root):
        folder.mkdir(parents=True, exist_ok=True, mode=0o711)
    tasks = TaskSet("engine")
    database = Database(data_root / "naru.db")
    for message in cgroup.prepare():
        say(message)
    runtimes = _runtimes(config, exec_root)
    default_runtime = _default_runtime(config, runtimes, say)
    facts = probe.host_facts(data_root)
    if config.init_path:
        facts = replace(facts, init_path=config.init_path)
    snapshots, driver = _snapshotter(config, data_root, database, say)
    images = _images(config, data_root, snapshots, database, clock)
    settings = replace(_engine_config(config, default_runtime, driver), id_maps=id_maps)
    registry = Registry(ContainerRows(database))
    networks = Networks(_network_config(config, data_root), database, clock)
    return EngineContext(
        config=settings,
        clock=clock,
        facts=facts,
        tasks=tasks,
        locks=KeyedLock(),
        events=EventBus(clock, EventJournal(data_root / "events")),
        registry=registry,
        row_sync=RowSync(database),
        pruning=Pruning(),
        images=images,
        builds=_builds(data_root, images, database, id_maps),
        networks=networks,
        resolver=_resolver(networks, registry, settings),
        volumes=Volumes(data_root / "volumes", database, clock, Drivers(config.plugin_dir)),
        runtimes=runtimes,
        exits=ExitWatcher(exec_root, clock),
        ooms=OomWatcher(),
        logs=LogKeeper(),
        waiters=Waiters(),
        attachments=Attachments(),
        execs=ExecSessions(),
        health=HealthWatches(),
        samplers=Samplers(tasks, clock),
        open_files=OpenFiles(),
    )


def _resolver(networks: Networks, registry: Registry, settings: EngineConfig) -> Resolver:
    resolver = Resolver(
        networks,
        lambda container_id: name_servers(settings, registry.get(container_id)),
    )
    networks.on_names_changed = resolver.names_changed
    return resolver


def _engine_config(config: DaemonConfig, default_runtime: str, driver: str) -> EngineConfig:
    data_root = Path(config.data_root)
    return EngineConfig(
        data_root=data_root,
        exec_root=Path(config.exec_root),
        engine_id=_engine_id(data_root),
        hostname=socket.gethostname(),
        default_runtime=default_runtime,
        storage_driver=driver,
        cgroup_parent=config.cgroup_parent,
        init_by_default=config.init,
        shm_size=config.default_shm_size,
        log_driver=config.log_driver,
        log_options=_pairs(config.log_opt),
        ulimits=dict(_ulimit(entry) for entry in config.default_ulimit),
        dns=config.dns,
        dns_options=config.dns_opt,
        dns_search=config.dns_search,
        labels=config.label,
        no_new_privileges=config.no_new_privileges,
        seccomp_profile=_seccomp_text(config.seccomp_profile),
        seccomp_name=config.seccomp_profile or "builtin",
        ipc_mode=config.default_ipc_mode,
        cgroupns_mode=config.default_cgroupns_mode,
        host_gateway_ip=config.host_gateway_ip,
        debug=config.debug,
        cdi_spec_dirs=config.cdi_spec_dir,
        address_pools=tuple(
            (str(pool.base), pool.size)
            for pool in map(parse_address_pool, config.default_address_pool)
        ),
        warnings=open_api_warnings(config),
    )


def _seccomp_text(setting: str) -> str:
    """Return the profile that the engine gives to containers, checked once for all of them.

    Raises:
        InvalidInputError: the file cannot be read, or holds none.
    """
    if setting in ("", "builtin"):
        return ""
    if setting == "unconfined":
        return setting
    try:
        text = Path(setting).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"opening seccomp profile ({setting}) failed: {error}") from error
    from_profile(text, platform.machine(), (0, 0), ())
    return text


def _engine_id(data_root: Path) -> str:
    """Return what tells this engine from others, made at its first start."""
    path = data_root / "engine-id"
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        engine_id = new_id()[:32]
        path.write_text(engine_id)
        return engine_id


def _pairs(entries: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name, _, value in (entry.partition("=") for entry in entries)}


def _ulimit(entry: str) -> tuple[str, tuple[int, int]]:
    name, _, limits = entry.partition("=")
    soft, _, hard = limits.partition(":")
    try:
        return name, (int(soft), int(hard or soft))
    except ValueError as error:
        raise InvalidInputError(f"invalid ulimit argument: {entry}") from error


def _runtimes(config: DaemonConfig, exec_root: Path) -> dict[str, OciRuntime]:
    programs = {**probe.installed_runtimes(), **_pairs(config.add_runtime)}
    found = {}
    for name, words in programs.items():
        program, *options = words.split(NO_WORD)
        root = exec_root / "runtime" / name
        found[name] = OciRuntime(name, program, root, tuple(options))
    return found


def _default_runtime(
    config: DaemonConfig, runtimes: dict[str, OciRuntime], say: Callable[[str], None]
) -> str:
    if config.default_runtime:
        if config.default_runtime not in runtimes:
            raise InvalidInputError(
                f"specified default runtime '{config.default_runtime}' does not exist"
            )
        return config.default_runtime
    chosen = probe.default_runtime({name: runtime.program for name, runtime in runtimes.items()})
    if chosen != "crun":
        say(f"crun cannot run here; containers are run by {chosen}")
    return chosen


def _snapshotter(
    config: DaemonConfig, data_root: Path, database: Database, say: Callable[[str], None]
) -> tuple[Snapshotter, str]:
    if config.storage_driver not in _NATIVE:
        if supports_overlay(data_root):
            return OverlaySnapshotter(data_root / "snapshots", database), "overlay2"
        if config.storage_driver:
            raise NotSupportedError(f"{data_root} cannot hold overlay file systems")
        say(f"{data_root} cannot hold overlay file systems; layers are copied instead")
    return NativeSnapshotter(data_root / "snapshots-native", database), "vfs"


def _builds(
    data_root: Path, images: ImageServices, database: Database, id_maps: IdMaps | None
) -> BuildServices:
    return BuildServices(
        images,
        BuildCacheRows(database),
        Workshop(data_root / "builds"),
        CacheMounts(data_root / "build-cache", id_maps),
        RunningBuilds(),
    )


def _images(
    config: DaemonConfig,
    data_root: Path,
    snapshots: Snapshotter,
    database: Database,
    clock: Clock,
) -> ImageServices:
    return build_images(
        ContentStore(data_root / "content"),
        snapshots,
        database,
        clock,
        hosts_of(config),
        proxies=proxies_of(config),
        parallel_downloads=config.max_concurrent_downloads,
        download_attempts=config.max_download_attempts,
        parallel_uploads=config.max_concurrent_uploads,
        push_compression=config.push_compression,
    )


def _network_config(config: DaemonConfig, data_root: Path) -> NetworkConfig:
    policy = port_policy(config.published_ports_policy, config.ip)
    return NetworkConfig(
        exec_root=Path(config.exec_root),
        bridge=config.bridge,
        bip=config.bip or None,
        bip6=config.bip6 or None,
        fixed_cidr=config.fixed_cidr or None,
        fixed_cidr_v6=config.fixed_cidr_v6 or None,
        ipv6=config.ipv6,
        table=config.nft_table,
        mtu=config.mtu,
        address_pools=tuple(map(parse_address_pool, config.default_address_pool)),
        icc=config.icc,
        ip_masq=config.ip_masq,
        ip_forward=config.ip_forward,
        default_host_ips=policy.addresses,
        asks_host=policy.asks_host,
        relays_ports=config.userland_proxy,
        firewall_rules=Path(config.firewall_rules),
        needs_firewall_rules=config.firewall_rules != DEFAULT_FIREWALL_RULES,
        engine_id=_engine_id(data_root),
    )
