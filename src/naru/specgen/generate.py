"""From a container to the runtime spec: the one public function, and the order of its steps. Pure.

Nothing here looks at the machine; all that is known of it comes in as `HostFacts`, and all that
is known of the container as `SpecRequest`. The same request gives the same spec.

Spec: runtime-spec v1.0.2, config.md; the defaults are Docker's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from naru.api.container_config import ContainerConfig
from naru.api.host_config import HostConfig
from naru.errors import InvalidInputError
from naru.oci.runtime_spec import SPEC_VERSION, Json
from naru.specgen.cdi import Edits, apply_edits
from naru.specgen.devices import devices
from naru.specgen.facts import HostFacts
from naru.specgen.id_maps import IdMaps, spec_mappings
from naru.specgen.mounts import MountPoint, container_mounts, rootfs_propagation
from naru.specgen.namespaces import namespaces, sysctls
from naru.specgen.process import container_process, wants_init
from naru.specgen.resources import resources
from naru.specgen.security import hidden_paths, parse_security_options, seccomp_filter
from naru.specgen.users import resolve_user


@dataclass(frozen=True, slots=True)
class SpecRequest:
    """One start of one container.

    `config` holds the image's defaults already; `passwd` and `group` are the texts of the
    container's own files; `netns_path` None means the host's network. The namespace paths and
    `shm_path` are those of a container that is joined; `user_namespace` has the `id_maps`.
    `device_edits` are what devices need that were asked for by name. The last three are the
    engine's defaults.
    """

    container_id: str
    config: ContainerConfig
    host_config: HostConfig
    rootfs: Path
    hostname: str
    cgroups_path: str
    passwd: str = ""
    group: str = ""
    mounts: tuple[MountPoint, ...] = ()
    etc_files: Mapping[str, Path] = field(default_factory=dict)
    netns_path: Path | None = None
    pid_namespace: Path | None = None
    ipc_namespace: Path | None = None
    shm_path: Path | None = None
    id_maps: IdMaps | None = None
    user_namespace: Path | None = None
    device_edits: tuple[Edits, ...] = ()
    ulimits: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    no_new_privileges: bool = False
    seccomp_profile: str = ""


def generate(request: SpecRequest, facts: HostFacts) -> Json:
    """Return the runtime spec, ready for JSON.

    Raises:
        InvalidInputError: something asked for makes no sense or is not there; Docker's words.
        NotSupportedError: something asked for cannot be honoured.
    """
    config, host_config = request.config, request.host_config
    user = resolve_user(config.user, request.passwd, request.group, host_config.group_add or ())
    process = container_process(
        config,
        host_config,
        facts,
        hostname=request.hostname,
        user=user,
        default_ulimits=request.ulimits,
        no_new_privileges=request.no_new_privileges,
    )
    spec: Json = {
        "ociVersion": SPEC_VERSION,
        "process": process,
        "root": {"path": str(request.rootfs), "readonly": host_config.readonly_rootfs},
        "mounts": container_mounts(
            host_config,
            request.mounts,
            request.etc_files,
            shm_path=request.shm_path,
            init_path=_init_path(host_config, facts),
            writable_cgroups=parse_security_options(
                host_config.security_opt or ()
            ).writable_cgroups,
            is_mapped=request.id_maps is not None,
        ),
        "linux": _linux(request, facts, process["capabilities"]["bounding"]),
    }
    if host_config.uts_mode != "host":
        spec["hostname"] = request.hostname
    if host_config.annotations:
        spec["annotations"] = dict(host_config.annotations)
    apply_edits(spec, request.device_edits, facts)
    return spec


def _init_path(host_config: HostConfig, facts: HostFacts) -> str:
    if not wants_init(host_config):
        return ""
    if not facts.init_path:
        raise InvalidInputError(
            'exec: "docker-init": executable file not found in $PATH',
            hint="install tini or catatonit on the host",
        )
    return facts.init_path


def _linux(request: SpecRequest, facts: HostFacts, capabilities: list[str]) -> Json:
    config, host_config = request.config, request.host_config
    nodes, rules = devices(host_config, facts)
    linux: Json = {
        "cgroupsPath": request.cgroups_path,
        "namespaces": namespaces(
            host_config,
            netns_path=request.netns_path,
            pid_namespace=request.pid_namespace,
            ipc_namespace=request.ipc_namespace,
            user_namespace=request.user_namespace,
        ),
        "resources": {"devices": rules, **resources(host_config, facts)},
        "sysctl": sysctls(config, host_config, request.netns_path, request.id_maps),
        **hidden_paths(host_config, facts),
    }
    if request.id_maps:
        linux["uidMappings"] = spec_mappings(request.id_maps.uids)
        linux["gidMappings"] = spec_mappings(request.id_maps.gids)
    if nodes:
        linux["devices"] = nodes
    if propagation := rootfs_propagation(request.mounts):
        linux["rootfsPropagation"] = propagation
    seccomp = seccomp_filter(host_config, facts, capabilities, request.seccomp_profile)
    if seccomp is not None:
        linux["seccomp"] = seccomp
    return linux
