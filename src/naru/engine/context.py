"""What every use-case is handed: the collaborators, and the engine's own settings.

The context holds no behaviour. `naru.daemon.wiring` builds the only one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from naru.aio import KeyedLock, TaskSet
from naru.builder.services import BuildServices
from naru.clock import Clock
from naru.db.row_sync import RowSync
from naru.engine.events.bus import EventBus
from naru.engine.live.attachments import Attachments
from naru.engine.live.exec_sessions import ExecSessions
from naru.engine.live.health_watches import HealthWatches
from naru.engine.live.open_files import OpenFiles
from naru.engine.live.registry import Registry
from naru.engine.live.samplers import Samplers
from naru.engine.live.waiters import Waiters
from naru.engine.pruning import Pruning
from naru.images.services import ImageServices
from naru.network.networks import Networks
from naru.network.resolver import Resolver
from naru.runtime.exits import ExitWatcher
from naru.runtime.log_keeping import LogKeeper
from naru.runtime.oci_runtime import OciRuntime
from naru.runtime.oom import OomWatcher
from naru.specgen.facts import HostFacts
from naru.specgen.id_maps import IdMaps
from naru.volumes.volumes import Volumes


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """The settings that use-cases read; sizes in bytes, times in seconds."""

    data_root: Path
    exec_root: Path
    engine_id: str
    hostname: str
    default_runtime: str
    storage_driver: str
    cgroup_parent: str = "/naru"
    init_by_default: bool = False
    shm_size: int = 64 << 20
    log_driver: str = "json-file"
    log_options: Mapping[str, str] = field(default_factory=dict)
    ulimits: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    dns: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    no_new_privileges: bool = False
    # The text of a profile, `unconfined`, or nothing for the built-in one; and what it is called.
    seccomp_profile: str = ""
    seccomp_name: str = "builtin"
    ipc_mode: str = "private"
    cgroupns_mode: str = ""
    host_gateway_ip: str = ""
    debug: bool = False
    stop_timeout: int = 10
    # The base and the size of each pool that replaces the default ones.
    address_pools: tuple[tuple[str, int], ...] = ()
    # What is dangerous about these settings, told by `info`.
    warnings: tuple[str, ...] = ()
    cdi_spec_dirs: tuple[str, ...] = ()
    # Who containers' users are on the host; None where they are the host's own.
    id_maps: IdMaps | None = None

    def container_dir(self, container_id: str) -> Path:
        """Return the folder with a container's own files: hosts, resolv.conf, log."""
        return self.data_root / "containers" / container_id


@dataclass(frozen=True, slots=True)
class EngineContext:
    """The engine's collaborators."""

    config: EngineConfig
    clock: Clock
    facts: HostFacts
    tasks: TaskSet
    locks: KeyedLock
    events: EventBus
    registry: Registry
    row_sync: RowSync
    pruning: Pruning
    images: ImageServices
    builds: BuildServices
    networks: Networks
    resolver: Resolver
    volumes: Volumes
    runtimes: Mapping[str, OciRuntime]
    exits: ExitWatcher
    ooms: OomWatcher
    logs: LogKeeper
    waiters: Waiters
    attachments: Attachments
    execs: ExecSessions
    health: HealthWatches
    samplers: Samplers
    open_files: OpenFiles
