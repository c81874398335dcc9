"""The settings in force, as one frozen value."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_HOST = "unix:///run/naru.sock"


@dataclass(frozen=True, kw_only=True)
class DaemonConfig:
    """The settings in force; names as in `flags.SETTINGS`."""

    add_runtime: tuple[str, ...]
    bip: str
    bip6: str
    bridge: str
    cdi_spec_dir: tuple[str, ...]
    cgroup_parent: str
    config_file: str
    data_root: str
    debug: bool
    default_address_pool: tuple[str, ...]
    default_cgroupns_mode: str
    default_ipc_mode: str
    default_runtime: str
    default_shm_size: int
    default_ulimit: tuple[str, ...]
    dns: tuple[str, ...]
    dns_opt: tuple[str, ...]
    dns_search: tuple[str, ...]
    exec_root: str
    firewall_rules: str
    fixed_cidr: str
    fixed_cidr_v6: str
    group: str
    host: tuple[str, ...]
    host_gateway_ip: str
    http_proxy: str
    https_proxy: str
    icc: bool
    init: bool
    init_path: str
    insecure_registry: tuple[str, ...]
    ip: str
    ip_forward: bool
    ip_masq: bool
    ipv6: bool
    label: tuple[str, ...]
    live_restore: bool
    log_driver: str
    log_level: str
    log_opt: tuple[str, ...]
    max_concurrent_downloads: int
    max_concurrent_uploads: int
    max_download_attempts: int
    mtu: int
    nft_table: str
    no_new_privileges: bool
    no_proxy: str
    pidfile: str
    plugin_dir: tuple[str, ...]
    push_compression: str
    registry_certs_dir: str
    published_ports_policy: str
    registry_mirror: tuple[str, ...]
    seccomp_profile: str
    shutdown_timeout: int
    storage_driver: str
    tls: bool
    tlscacert: str
    tlscert: str
    tlskey: str
    tlsverify: bool
    userland_proxy: bool
    userns_remap: str
    validate: bool
    # Whether --tls or --tlsverify stands anywhere: plain TCP must be asked for by name.
    tls_was_named: bool

    @property
    def hosts(self) -> tuple[str, ...]:
        """Where to listen."""
        return self.host or (DEFAULT_HOST,)
