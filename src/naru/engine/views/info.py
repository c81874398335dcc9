"""How `info` reads to clients of each API version. Pure.

Spec: Engine API 1.50, SystemInfo; its version history for what came and went when.
"""

from __future__ import annotations

from naru.api.version import ApiVersion
from naru.engine.model import Json

_FIELDS_SINCE: dict[str, ApiVersion] = {
    "CDISpecDirs": (1, 44),
    "FirewallBackend": (1, 49),
    "DiscoveredDevices": (1, 50),
}
_COMMITS = ("ContainerdCommit", "RuncCommit", "InitCommit")


def info_for(view: Json, api: ApiVersion) -> Json:
    """Return `GET /info` as a version of the API has it."""
    shaped = {key: value for key, value in view.items() if api >= _FIELDS_SINCE.get(key, api)}
    if api < (1, 49):
        for name in _COMMITS:
            # Nothing else is expected than what is there.
            shaped[name] = {**view[name], "Expected": view[name]["ID"]}
        # Packets between containers do not pass through the host's tables for bridges.
        shaped |= {"BridgeNfIptables": False, "BridgeNfIp6tables": False}
    if api < (1, 48):
        shaped["RegistryConfig"] = {
            **view["RegistryConfig"],
            "AllowNondistributableArtifactsCIDRs": None,
            "AllowNondistributableArtifactsHostnames": None,
        }
    if api < (1, 25):
        shaped["ExecutionDriver"] = "<not supported>"
        shaped["SecurityOptions"] = [option_name(text) for text in view["SecurityOptions"]]
    return shaped


def option_name(text: str) -> str:
    """Return the name in `name=seccomp,profile=builtin`, which is all that old clients know."""
    return text.partition(",")[0].removeprefix("name=")
