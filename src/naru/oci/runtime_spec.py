"""Words of the OCI runtime spec: its version, capabilities, limits, namespaces. Pure.

The spec itself travels as plain dictionaries, because `config.json` is all it becomes.

Spec: runtime-spec v1.0.2, config.md and config-linux.md; capabilities(7); getrlimit(2).
"""

from __future__ import annotations

from typing import Any, Final

SPEC_VERSION: Final = "1.0.2"

# One value of config.json.
Json = dict[str, Any]

# In the order of their numbers, without the prefix CAP_.
CAPABILITIES: Final = tuple(
    """
    CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
    NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO
    SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME
    SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG
    WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE
    """.split()
)

# Docker's names for limits; the spec's are RLIMIT_ and the same in capitals.
RLIMITS: Final = frozenset(
    "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending"
    " stack".split()
)
UNLIMITED: Final = (1 << 64) - 1


def capability_names(mask: int) -> frozenset[str]:
    """Return the names, with CAP_, of the bits in a mask as `/proc/<pid>/status` shows it."""
    return frozenset(
        f"CAP_{name}" for number, name in enumerate(CAPABILITIES) if mask >> number & 1
    )
