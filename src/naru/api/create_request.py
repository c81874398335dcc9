"""The body of create, and what it meant in the version that the client speaks. Pure.

Owns the differences between versions of the request; whether it makes sense is for the engine
to say.

Spec: Engine API 1.50, ContainerCreate, and the version history; moby, postContainersCreate.
"""

from __future__ import annotations

from msgspec import field

from naru.api.container_config import ContainerConfig, EndpointSettings, NetworkingConfig
from naru.api.host_config import BindOptions, HostConfig, Mount
from naru.api.version import ApiVersion
from naru.errors import InvalidInputError

_DEFAULT_NETWORK = "bridge"
# The fields of an endpoint that only answers have.
OUTCOMES = (
    "network_id",
    "endpoint_id",
    "gateway",
    "ip_address",
    "ip_prefix_len",
    "ipv6_gateway",
    "global_ipv6_address",
    "global_ipv6_prefix_len",
    "dns_names",
)
_BLANK = EndpointSettings()
_WITHOUT_ENDPOINT = ("host", "none", "container")
_MAC_WARNING = (
    "The container-wide MacAddress field is now deprecated. It should be specified in "
    "EndpointsConfig instead."
)


class CreateRequest(ContainerConfig):
    """A config with the rest beside it."""

    host_config: HostConfig = field(default_factory=HostConfig)
    networking_config: NetworkingConfig = field(default_factory=NetworkingConfig)

    def config(self) -> ContainerConfig:
        """Return the config alone.

        Raises:
            InvalidInputError: nothing was asked for.
        """
        names = ContainerConfig.__struct_fields__
        config = ContainerConfig(**{name: getattr(self, name) for name in names})
        if config == ContainerConfig():
            raise InvalidInputError("config cannot be empty in order to create a container")
        return config


def adapt(request: CreateRequest, version: ApiVersion) -> list[str]:
    """Make `request` say what it said in `version`; return warnings.

    Fields that a version did not know have no effect, as its clients expect; new refusals do
    not hit old clients.

    Raises:
        InvalidInputError: it asks for what its version cannot have.
    """
    host = request.host_config
    if version < (1, 25):
        host.auto_remove = False
    if version < (1, 40):
        host.kernel_memory_tcp = 0
        host.ipc_mode = host.ipc_mode or "shareable"
    if version < (1, 42):
        host.console_size = None
    else:
        host.kernel_memory = 0
    if host.console_size is not None:
        # As Go reads an array of two.
        host.console_size = [*host.console_size, 0, 0][:2]
    if version < (1, 43):
        host.annotations = None
    if version < (1, 44) and request.healthcheck is not None:
        request.healthcheck.start_interval = 0
    for mount in host.mounts or ():
        _adapt_mount(mount, version)
    # Zero and less mean no limit.
    if host.pids_limit is not None and host.pids_limit <= 0:
        host.pids_limit = None
    _name_default_network(request)
    for endpoint in (request.networking_config.endpoints_config or {}).values():
        _forget_outcome(endpoint)
    _check_endpoint_count(request, version)
    return [*_adapt_mac_address(request, version), *_windows_warnings(host)]


def _forget_outcome(endpoint: EndpointSettings | None) -> None:
    """Forget what an endpoint came to: whoever sends back an answer of inspect asks for none."""
    if endpoint is not None:
        for name in OUTCOMES:
            setattr(endpoint, name, getattr(_BLANK, name))


def _adapt_mount(mount: Mount, version: ApiVersion) -> None:
    bind = mount.bind_options
    if bind is not None and version < (1, 40):
        bind.non_recursive = False
    if version < (1, 42):
        if bind is not None:
            bind.create_mountpoint = False
        _drop_options_of_other_types(mount)
    else:
        _refuse_options_of_other_types(mount)
    if version < (1, 44):
        if bind is not None and bind.read_only_force_recursive:
            raise InvalidInputError("BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer")
        if mount.type == "bind" and mount.read_only:
            mount.bind_options = mount.bind_options or BindOptions()
            mount.bind_options.read_only_non_recursive = True
    volume = mount.volume_options
    if version < (1, 45) and volume is not None and volume.subpath:
        raise InvalidInputError("VolumeOptions.Subpath needs API v1.45 or newer")
    if version < (1, 46) and mount.tmpfs_options is not None:
        mount.tmpfs_options.options = None
    if version < (1, 48) and mount.type == "image":
        raise InvalidInputError('Mount type "image" needs API v1.48 or newer')


def _drop_options_of_other_types(mount: Mount) -> None:
    if mount.type != "bind":
        mount.bind_options = None
    if mount.type != "volume":
        mount.volume_options = None
    if mount.type != "tmpfs":
        mount.tmpfs_options = None


def _refuse_options_of_other_types(mount: Mount) -> None:
    for kind, options in (
        ("Volume", mount.volume_options),
        ("Bind", mount.bind_options),
        ("Tmpfs", mount.tmpfs_options),
    ):
        if options is not None and mount.type != kind.lower():
            raise InvalidInputError(
                f'{kind}Options must not be specified on mount type "{mount.type}"'
            )


def _name_default_network(request: CreateRequest) -> None:
    host, networking = request.host_config, request.networking_config
    endpoints = networking.endpoints_config = networking.endpoints_config or {}
    if host.network_mode in ("", "default"):
        host.network_mode = _DEFAULT_NETWORK
    if "default" in endpoints and _DEFAULT_NETWORK not in endpoints:
        endpoints[_DEFAULT_NETWORK] = endpoints.pop("default")


def _check_endpoint_count(request: CreateRequest, version: ApiVersion) -> None:
    names = sorted(request.networking_config.endpoints_config or {})
    if version < (1, 44) and len(names) > 1:
        raise InvalidInputError(
            f"Container cannot be created with multiple network endpoints: {', '.join(names)}"
        )


def _adapt_mac_address(request: CreateRequest, version: ApiVersion) -> list[str]:
    """Give the container-wide address to the endpoint of the main network."""
    endpoints = request.networking_config.endpoints_config
    assert endpoints is not None
    mode = request.host_config.network_mode
    has_endpoint = mode.partition(":")[0] not in _WITHOUT_ENDPOINT
    if version < (1, 44):
        for endpoint in endpoints.values():
            if endpoint is not None:
                endpoint.mac_address = ""
        if request.mac_address and not has_endpoint:
            raise InvalidInputError("conflicting options: mac-address and the network mode")
        # There is one at most, and it had the address, whatever the mode says.
        mode = next(iter(endpoints), mode)
    if not request.mac_address:
        return []
    if has_endpoint:
        _set_mac_address(endpoints, mode, request.mac_address)
    return [_MAC_WARNING] if version >= (1, 44) else []


def _set_mac_address(
    endpoints: dict[str, EndpointSettings | None], network: str, address: str
) -> None:
    if endpoints and network not in endpoints:
        raise InvalidInputError(
            "if a container-wide MAC address is supplied, HostConfig.NetworkMode must match the "
            "identity of a network in NetworkSettings.Networks"
        )
    main = endpoints[network] = endpoints.get(network) or EndpointSettings()
    if main.mac_address and main.mac_address != address:
        raise InvalidInputError(
            "the container-wide MAC address must match the endpoint-specific MAC address for "
            "the main network, or be left empty"
        )
    main.mac_address = address


def _windows_warnings(host: HostConfig) -> list[str]:
    given = {
        "CpuCount": host.cpu_count,
        "CpuPercent": host.cpu_percent,
        "IOMaximumIOps": host.io_maximum_iops,
        "IOMaximumBandwidth": host.io_maximum_bandwidth,
    }
    return [
        f"{name} is an option of Windows containers and was ignored"
        for name, value in given.items()
        if value
    ]
