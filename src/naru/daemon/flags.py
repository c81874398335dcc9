"""Every setting of narud, declared once: flag, key of daemon.json, kind, default.

From this table come the flags, the checks of the file, and the values of `DaemonConfig`. Names
are dockerd's. A setting of dockerd that is not here is refused, in the file as on the command
line, so nothing is accepted and ignored.

Spec: dockerd 28, command line and daemon.json.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from naru.daemon.settings import DEFAULT_HOST

DEFAULT_FIREWALL_RULES = "/etc/naru/firewall.nft"
Kind = Literal["text", "bool", "int", "bytes", "list", "map"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting; `key` is its name in daemon.json, empty when only a flag exists.

    With a dot in it, it is the name of an object there and the name in that.
    """

    flag: str
    kind: Kind
    default: object
    help: str
    key: str = ""
    short: str = ""

    @property
    def name(self) -> str:
        """The attribute of `DaemonConfig`."""
        return self.flag.replace("-", "_")


SETTINGS = (
    Setting(
        "add-runtime", "list", (), "Register an additional OCI runtime (NAME=PATH)", "runtimes"
    ),
    Setting("bip", "text", "", "Address of the bridge, with prefix length", "bip"),
    Setting("bip6", "text", "", "IPv6 address of the bridge, with prefix length", "bip6"),
    Setting("bridge", "text", "naru0", "Bridge of the default network", "bridge", "b"),
    Setting(
        "cdi-spec-dir",
        "list",
        ("/etc/cdi", "/var/run/cdi"),
        "Directories with CDI specifications of devices",
        "cdi-spec-dirs",
    ),
    Setting("cgroup-parent", "text", "/naru", "Parent cgroup of all containers", "cgroup-parent"),
    Setting("config-file", "text", "/etc/naru/daemon.json", "Configuration file"),
    Setting("data-root", "text", "/var/lib/naru", "Where everything lasting is kept", "data-root"),
    Setting("debug", "bool", False, "Log on level debug", "debug", "D"),
    Setting(
        "default-address-pool",
        "list",
        (),
        "Where subnets come from (base=CIDR,size=BITS)",
        "default-address-pools",
    ),
    Setting(
        "default-cgroupns-mode",
        "text",
        "",
        "cgroup namespace of containers: private or host",
        "default-cgroupns-mode",
    ),
    Setting(
        "default-ipc-mode",
        "text",
        "private",
        "IPC namespace of containers: private or shareable",
        "default-ipc-mode",
    ),
    Setting("default-runtime", "text", "", "OCI runtime of containers", "default-runtime"),
    Setting("default-shm-size", "bytes", 64 << 20, "Size of /dev/shm", "default-shm-size"),
    Setting(
        "default-ulimit", "list", (), "Limits of containers (NAME=SOFT[:HARD])", "default-ulimits"
    ),
    Setting("dns", "list", (), "Name servers of containers", "dns"),
    Setting("dns-opt", "list", (), "Resolver options of containers", "dns-opts"),
    Setting("dns-search", "list", (), "Search domains of containers", "dns-search"),
    Setting(
        "exec-root", "text", "/run/naru", "Where state of running containers is kept", "exec-root"
    ),
    Setting(
        "firewall-rules",
        "text",
        DEFAULT_FIREWALL_RULES,
        "File with the administrator's rules for traffic from and to containers",
        "firewall-rules",
    ),
    Setting("fixed-cidr", "text", "", "Part of the bridge's subnet for containers", "fixed-cidr"),
    Setting("fixed-cidr-v6", "text", "", "IPv6 subnet of the bridge's containers", "fixed-cidr-v6"),
    Setting("group", "text", "docker", "Group that may use the unix socket", "group", "G"),
    Setting(
        "host",
        "list",
        (),
        f"Where to listen: unix://PATH, tcp://HOST:PORT or fd:// (default {DEFAULT_HOST})",
        "hosts",
        "H",
    ),
    Setting("host-gateway-ip", "text", "", "What host-gateway means", "host-gateway-ip"),
    Setting("http-proxy", "text", "", "Proxy for http, else HTTP_PROXY", "proxies.http-proxy"),
    Setting("https-proxy", "text", "", "Proxy for https, else HTTPS_PROXY", "proxies.https-proxy"),
    Setting("icc", "bool", True, "Let containers talk to each other", "icc"),
    Setting("init", "bool", False, "Run an init in containers", "init"),
    Setting("init-path", "text", "", "Path of that init", "init-path"),
    Setting(
        "insecure-registry", "list", (), "Registries without verified TLS", "insecure-registries"
    ),
    Setting("ip", "text", "0.0.0.0", "Address that ports are published on", "ip"),
    Setting("ip-forward", "bool", True, "Switch on IP forwarding", "ip-forward"),
    Setting("ip-masq", "bool", True, "Masquerade what containers send out", "ip-masq"),
    Setting("ipv6", "bool", False, "Give the default network IPv6", "ipv6"),
    Setting("label", "list", (), "Labels of the engine (KEY=VALUE)", "labels"),
    Setting(
        "live-restore", "bool", True, "Containers outlive the engine; always so", "live-restore"
    ),
    Setting("log-driver", "text", "json-file", "Log driver of containers", "log-driver"),
    Setting("log-level", "text", "info", "debug, info, warn, error or fatal", "log-level", "l"),
    Setting("log-opt", "map", (), "Options of the log driver (KEY=VALUE)", "log-opts"),
    Setting(
        "max-concurrent-downloads",
        "int",
        3,
        "Layers that one pull downloads at a time",
        "max-concurrent-downloads",
    ),
    Setting(
        "max-concurrent-uploads",
        "int",
        5,
        "Layers that one push uploads at a time",
        "max-concurrent-uploads",
    ),
    Setting(
        "max-download-attempts",
        "int",
        5,
        "How often a download is tried",
        "max-download-attempts",
    ),
    Setting("mtu", "int", 1500, "MTU of the bridge", "mtu"),
    Setting("nft-table", "text", "naru", "nftables table of this engine", "nft-table"),
    Setting("no-new-privileges", "bool", False, "Set no-new-privileges", "no-new-privileges"),
    Setting(
        "no-proxy", "text", "", "Whom to ask without a proxy, else NO_PROXY", "proxies.no-proxy"
    ),
    Setting("pidfile", "text", "/run/naru.pid", "File with the engine's pid", "pidfile", "p"),
    Setting(
        "plugin-dir",
        "list",
        ("/run/docker/plugins", "/etc/docker/plugins", "/usr/lib/docker/plugins"),
        "Directories with sockets and specifications of plugins",
        "plugin-dirs",
    ),
    Setting(
        "published-ports-policy",
        "text",
        "open",
        "Who reaches published ports: open (everybody), host-firewall (whom the host's own "
        "firewall lets in), or the default ADDRESS[,ADDRESS] to publish on",
        "published-ports-policy",
    ),
    Setting(
        "push-compression",
        "text",
        "gzip",
        "How new layers are compressed for registries: gzip or zstd",
        "push-compression",
    ),
    Setting(
        "registry-certs-dir",
        "text",
        "/etc/docker/certs.d",
        "Certificates: HOST[:PORT]/*.crt to trust, *.cert and *.key to show",
        "registry-certs-dir",
    ),
    Setting(
        "registry-mirror",
        "list",
        (),
        "Mirrors: URL of Docker Hub, REGISTRY=URL of another registry, *=URL of all",
        "registry-mirrors",
    ),
    Setting(
        "seccomp-profile",
        "text",
        "",
        "File with the seccomp profile of containers, builtin or unconfined",
        "seccomp-profile",
    ),
    Setting(
        "shutdown-timeout",
        "int",
        15,
        "Seconds that open requests get at the end",
        "shutdown-timeout",
    ),
    Setting("storage-driver", "text", "", "overlay2 or vfs", "storage-driver", "s"),
    Setting("tls", "bool", False, "Use TLS; implied by --tlsverify", "tls"),
    Setting("tlscacert", "text", "", "Trust clients with certificates of this CA", "tlscacert"),
    Setting("tlscert", "text", "", "Certificate of the engine", "tlscert"),
    Setting("tlskey", "text", "", "Key of the engine", "tlskey"),
    Setting("tlsverify", "bool", False, "Use TLS and verify clients", "tlsverify"),
    Setting(
        "userland-proxy",
        "bool",
        True,
        "Let IPv6 clients reach published ports of containers that have IPv4 alone",
        "userland-proxy",
    ),
    Setting(
        "userns-remap",
        "text",
        "",
        "Run containers in user namespaces: default, or USER[:GROUP] with subordinate ids",
        "userns-remap",
    ),
    Setting("validate", "bool", False, "Check the configuration and exit"),
)
