"""What a build was asked for: the options of one request, checked and in our own types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from naru.api.host_config import HostConfig
from naru.distribution.auth import RegistryAuth
from naru.oci.platform import Platform
from naru.oci.reference import Reference


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """The options of one build.

    `host` is what the containers of its steps get. `arguments` hold None for a name without a
    value. `auths` are logins, by the registry as the client names it. `removes` and
    `always_removes` say when the containers of steps go: after they went well, or in any case.
    """

    dockerfile: str = "Dockerfile"
    remote: str = ""
    tags: tuple[Reference, ...] = ()
    target: str = ""
    platform: Platform | None = None
    arguments: Mapping[str, str | None] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    cache_from: tuple[str, ...] = ()
    host: HostConfig = field(default_factory=HostConfig)
    auths: Mapping[str, RegistryAuth] = field(default_factory=dict)
    uses_cache: bool = True
    pulls: bool = False
    removes: bool = True
    always_removes: bool = False
    is_quiet: bool = False
