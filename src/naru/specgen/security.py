"""What a process may do: capabilities, seccomp, labels, hidden paths. Pure.

Spec: Docker's `--cap-add`, `--cap-drop`, `--privileged` and `--security-opt`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from naru.api.host_config import HostConfig
from naru.errors import InvalidInputError, NotSupportedError
from naru.oci.runtime_spec import Json
from naru.specgen import seccomp
from naru.specgen.facts import ALL_CAPABILITIES, HostFacts
from naru.specgen.seccomp_profile import from_profile

DEFAULT_CAPABILITIES: Final = tuple(
    f"CAP_{name}"
    for name in (
        "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP"
        " NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE"
    ).split()
)
MASKED_PATHS: Final = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)
READONLY_PATHS: Final = (
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
)
_ALL: Final = "ALL"
_BOOLEANS: Final = {"": True, "true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class SecurityOptions:
    """`--security-opt`, read; None where nothing was said."""

    no_new_privileges: bool | None = None
    seccomp: str | None = None
    apparmor: str | None = None
    system_paths_open: bool = False
    writable_cgroups: bool = False
    labels: tuple[str, ...] = ()


def parse_security_options(options: Iterable[str]) -> SecurityOptions:
    """Read security options; `name=value` and the older `name:value` are both taken.

    Raises:
        InvalidInputError: an unknown option or a value that makes no sense.
    """
    no_new_privileges: bool | None = None
    profile: str | None = None
    apparmor: str | None = None
    labels: list[str] = []
    open_paths = writable_cgroups = False
    for option in options:
        separator = "=" if "=" in option else ":"
        name, found, value = option.partition(separator)
        if name == "no-new-privileges":
            no_new_privileges = _boolean(value, option)
        elif name == "writable-cgroups" and found:
            writable_cgroups = _boolean(value, option)
        elif not found:
            raise InvalidInputError(f'invalid --security-opt 1: "{option}"')
        elif name == "seccomp":
            profile = value
        elif name == "apparmor":
            apparmor = value
        elif name == "label":
            labels.append(value)
        elif name == "systempaths" and value == "unconfined":
            open_paths = True
        else:
            raise InvalidInputError(f'invalid --security-opt 2: "{option}"')
    return SecurityOptions(
        no_new_privileges, profile, apparmor, open_paths, writable_cgroups, tuple(labels)
    )


def _boolean(value: str, option: str) -> bool:
    if value.lower() not in _BOOLEANS:
        raise InvalidInputError(f'invalid --security-opt 2: "{option}"')
    return _BOOLEANS[value.lower()]


def capabilities_of(host_config: HostConfig, facts: HostFacts) -> list[str]:
    """Return the capabilities of a container's processes.

    `ALL` and `--privileged` mean all that the engine itself holds.

    Raises:
        InvalidInputError: an unknown capability, or one that the engine cannot hand on.
    """
    added = _names(host_config.cap_add, "CapAdd")
    dropped = _names(host_config.cap_drop, "CapDrop")
    if host_config.privileged:
        return sorted(facts.capabilities)
    if _ALL in added:
        wanted = [name for name in sorted(facts.capabilities) if name not in dropped]
    else:
        start = () if _ALL in dropped else DEFAULT_CAPABILITIES
        wanted = [name for name in start if name not in dropped]
        wanted += [name for name in added if name not in wanted]
    for name in added:
        if name != _ALL and name not in facts.capabilities:
            raise InvalidInputError(
                "invalid CapAdd: capability not supported by your kernel or not available in the "
                f'current environment: "{name}"'
            )
    return [name for name in wanted if name in facts.capabilities]


def check_capabilities(host_config: HostConfig) -> None:
    """Refuse names that are no capabilities.

    Raises:
        InvalidInputError: one is not.
    """
    _names(host_config.cap_add, "CapAdd")
    _names(host_config.cap_drop, "CapDrop")


def _names(value: list[str] | str | None, what: str) -> list[str]:
    names = [value] if isinstance(value, str) else value or []
    found = []
    for name in names:
        upper = name.upper()
        if upper != _ALL and not upper.startswith("CAP_"):
            upper = f"CAP_{upper}"
        if upper != _ALL and upper not in ALL_CAPABILITIES:
            raise InvalidInputError(f'invalid {what}: unknown capability: "{upper}"')
        found.append(upper)
    return found


def capability_sets(capabilities: list[str], *, uid: int) -> Json:
    """Return the spec's sets; execve(2) leaves other users than root only the bounding set."""
    if uid != 0:
        return {"bounding": capabilities}
    return {"bounding": capabilities, "effective": capabilities, "permitted": capabilities}


def process_security(host_config: HostConfig, facts: HostFacts, *, no_new_privileges: bool) -> Json:
    """Return the parts of a process that forbid; `no_new_privileges` is the engine's default.

    Raises:
        InvalidInputError, NotSupportedError: a security option that cannot be honoured.
    """
    options = parse_security_options(host_config.security_opt or ())
    check_labels(options, facts)
    chosen = options.no_new_privileges
    result: Json = {"noNewPrivileges": no_new_privileges if chosen is None else chosen}
    profile = options.apparmor
    if profile and profile != "unconfined":
        if not facts.apparmor:
            raise InvalidInputError(
                f"apparmor profile {profile} cannot be used: AppArmor is not enabled on this host"
            )
        result["apparmorProfile"] = profile
    return result


def check_labels(options: SecurityOptions, facts: HostFacts) -> None:
    """Refuse labels where they would mean something; without SELinux they do not, as in Docker.

    Raises:
        NotSupportedError: SELinux is there, and a label other than `disable` is asked for.
    """
    asked = [label for label in options.labels if label != "disable"]
    if asked and facts.selinux:
        raise NotSupportedError(f"security option label={asked[0]}: SELinux labels are not set")


def seccomp_filter(
    host_config: HostConfig, facts: HostFacts, capabilities: Iterable[str], default_profile: str
) -> Json | None:
    """Return the system call filter, or None for none.

    `default_profile` is the engine's own: JSON text, `unconfined`, or "" for the built-in one.

    Raises:
        InvalidInputError: a profile is no profile, or the kernel has no seccomp.
    """
    chosen = parse_security_options(host_config.security_opt or ()).seccomp
    if host_config.privileged and not chosen:
        return None
    text = default_profile if chosen is None else chosen
    if text == "unconfined":
        return None
    if not facts.seccomp:
        if chosen not in (None, "builtin", ""):
            raise InvalidInputError(
                "seccomp is not enabled in your kernel, cannot run a custom seccomp profile"
            )
        return None
    if text in ("", "builtin"):
        return seccomp.default_filter(facts.architecture, facts.kernel, capabilities)
    return from_profile(text, facts.architecture, facts.kernel, capabilities)


def hidden_paths(host_config: HostConfig, facts: HostFacts) -> Json:
    """Return the masked and the read-only paths of the spec."""
    options = parse_security_options(host_config.security_opt or ())
    masked, readonly = host_config.masked_paths, host_config.readonly_paths
    is_open = host_config.privileged or options.system_paths_open
    if masked is None:
        masked = [] if is_open else [*MASKED_PATHS, *facts.thermal_paths]
    if readonly is None:
        readonly = [] if is_open else list(READONLY_PATHS)
    return {"maskedPaths": masked, "readonlyPaths": readonly}
