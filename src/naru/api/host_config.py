"""HostConfig: what a container may use of its host.

Spec: Engine API 1.50, definitions HostConfig, Resources, Mount, PortMap.
"""

from __future__ import annotations

from msgspec import field

from naru.api.wire import Wire


class PortBinding(Wire):
    """Where on the host a container's port is published; empty means any address, any port."""

    host_ip: str | None = field(default="", name="HostIp")
    host_port: str | None = ""


PortMap = dict[str, list[PortBinding] | None]


class RestartPolicy(Wire):
    """`no`, `always`, `unless-stopped` or `on-failure`, the last with a limit."""

    name: str = ""
    maximum_retry_count: int = 0


class LogConfig(Wire):
    """Log driver and its options."""

    type: str = ""
    config: dict[str, str] | None = None


class WeightDevice(Wire):
    """Block I/O weight of one device."""

    path: str = ""
    weight: int = 0


class ThrottleDevice(Wire):
    """Block I/O rate of one device."""

    path: str = ""
    rate: int = 0


class DeviceMapping(Wire):
    """A device of the host inside the container."""

    path_on_host: str = ""
    path_in_container: str = ""
    cgroup_permissions: str = ""


class DeviceRequest(Wire):
    """Devices that a driver chooses, such as GPUs."""

    driver: str = ""
    count: int = 0
    device_ids: list[str] | None = field(default=None, name="DeviceIDs")
    capabilities: list[list[str]] | None = None
    options: dict[str, str] | None = None


class Ulimit(Wire):
    """A resource limit of the container's processes."""

    name: str = ""
    hard: int = 0
    soft: int = 0


class BindOptions(Wire):
    """Options of a mount of type bind."""

    propagation: str = ""
    non_recursive: bool = False
    create_mountpoint: bool = False
    read_only_non_recursive: bool = False
    read_only_force_recursive: bool = False


class VolumeDriverConfig(Wire):
    """Which driver makes a volume that does not exist yet."""

    name: str = ""
    options: dict[str, str] | None = None


class VolumeOptions(Wire):
    """Options of a mount of type volume."""

    no_copy: bool = False
    labels: dict[str, str] | None = None
    driver_config: VolumeDriverConfig | None = None
    subpath: str = ""


class ImageOptions(Wire):
    """Options of a mount of type image."""

    subpath: str = ""


class TmpfsOptions(Wire):
    """Options of a mount of type tmpfs; `mode` is an octal mode as a number."""

    size_bytes: int = 0
    mode: int = 0
    options: list[list[str]] | None = None


class Mount(Wire):
    """A mount as `--mount` asks for it."""

    type: str = ""
    source: str = ""
    target: str = ""
    read_only: bool = False
    consistency: str = ""
    bind_options: BindOptions | None = None
    volume_options: VolumeOptions | None = None
    image_options: ImageOptions | None = None
    tmpfs_options: TmpfsOptions | None = None


class Resources(Wire):
    """Limits that `update` may change; zero means none."""

    cpu_shares: int = 0
    memory: int = 0
    cgroup_parent: str = ""
    nano_cpus: int = 0
    blkio_weight: int = 0
    blkio_weight_device: list[WeightDevice] | None = None
    blkio_device_read_bps: list[ThrottleDevice] | None = None
    blkio_device_write_bps: list[ThrottleDevice] | None = None
    blkio_device_read_iops: list[ThrottleDevice] | None = None
    blkio_device_write_iops: list[ThrottleDevice] | None = None
    cpu_period: int = 0
    cpu_quota: int = 0
    cpu_realtime_period: int = 0
    cpu_realtime_runtime: int = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    devices: list[DeviceMapping] | None = None
    device_cgroup_rules: list[str] | None = None
    device_requests: list[DeviceRequest] | None = None
    # Asked for by clients before API 1.42; never stored.
    kernel_memory: int = 0
    kernel_memory_tcp: int = field(default=0, name="KernelMemoryTCP")
    memory_reservation: int = 0
    memory_swap: int = 0
    memory_swappiness: int | None = None
    oom_kill_disable: bool | None = None
    pids_limit: int | None = None
    ulimits: list[Ulimit] | None = None
    # Of Windows only; they are shown as zeros.
    cpu_count: int = 0
    cpu_percent: int = 0
    io_maximum_iops: int = field(default=0, name="IOMaximumIOps")
    io_maximum_bandwidth: int = field(default=0, name="IOMaximumBandwidth")


class HostConfig(Resources):
    """The part of a container that depends on the host."""

    binds: list[str] | None = None
    container_id_file: str = field(default="", name="ContainerIDFile")
    log_config: LogConfig = field(default_factory=LogConfig)
    network_mode: str = ""
    port_bindings: PortMap | None = None
    restart_policy: RestartPolicy = field(default_factory=RestartPolicy)
    auto_remove: bool = False
    volume_driver: str = ""
    volumes_from: list[str] | None = None
    console_size: list[int] | None = None
    annotations: dict[str, str] | None = None
    cap_add: list[str] | str | None = None
    cap_drop: list[str] | str | None = None
    cgroupns_mode: str = ""
    dns: list[str] | None = None
    dns_options: list[str] | None = None
    dns_search: list[str] | None = None
    extra_hosts: list[str] | None = None
    group_add: list[str] | None = None
    ipc_mode: str = ""
    cgroup: str = ""
    links: list[str] | None = None
    oom_score_adj: int = 0
    pid_mode: str = ""
    privileged: bool = False
    publish_all_ports: bool = False
    readonly_rootfs: bool = False
    security_opt: list[str] | None = None
    storage_opt: dict[str, str] | None = None
    tmpfs: dict[str, str] | None = None
    uts_mode: str = field(default="", name="UTSMode")
    userns_mode: str = ""
    shm_size: int = 0
    sysctls: dict[str, str] | None = None
    runtime: str = ""
    isolation: str = ""
    mounts: list[Mount] | None = None
    masked_paths: list[str] | None = None
    readonly_paths: list[str] | None = None
    init: bool | None = None
