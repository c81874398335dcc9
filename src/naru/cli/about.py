"""What this command is: its version and build, as `version`, `info` and `--version` show it."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


def client_version() -> str:
    """Return the version of the installed distribution."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("naru-engine")
    except PackageNotFoundError:
        return "unknown"


def architecture() -> str:
    """Return this machine's architecture in Go's words."""
    machine = os.uname().machine
    return _MACHINES.get(machine, machine)


def client_facts(api_version: str, default_api_version: str, context: str) -> dict[str, Any]:
    """Return the client's half of `version --format json`, keyed as docker's."""
    return {
        "Platform": {"Name": "Naru"},
        "Version": client_version(),
        "ApiVersion": api_version,
        "DefaultAPIVersion": default_api_version,
        "GitCommit": "",
        "GoVersion": "",
        "PythonVersion": ".".join(map(str, sys.version_info[:3])),
        "Os": sys.platform,
        "Arch": architecture(),
        "BuildTime": "",
        "Context": context,
    }
