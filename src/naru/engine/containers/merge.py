"""A container's config with the image's defaults filled in. Pure.

Spec: moby, runconfig merge rules; an entrypoint given by the user drops the image's command.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from naru.api.container_config import ContainerConfig, HealthConfig
from naru.errors import InvalidInputError

V = TypeVar("V")
_MISSING = object()
_NONE: tuple[list[str] | None, ...] = (None, [], [""])


def merge_config(config: ContainerConfig, image: ContainerConfig) -> ContainerConfig:
    """Return `config` with everything that it leaves open taken from the image.

    Raises:
        InvalidInputError: neither names a command.
    """
    merged = msgspec.structs.replace(config)
    _inherit(merged, image)
    merged.entrypoint = _word_list(merged.entrypoint)
    merged.cmd = _word_list(merged.cmd)
    if merged.entrypoint == [""]:
        merged.entrypoint = None
    if not merged.argv():
        raise InvalidInputError("no command specified")
    return merged


def _inherit(merged: ContainerConfig, image: ContainerConfig) -> None:
    merged.user = merged.user or image.user
    merged.working_dir = merged.working_dir or image.working_dir
    merged.stop_signal = merged.stop_signal or image.stop_signal
    merged.exposed_ports = {**(image.exposed_ports or {}), **(merged.exposed_ports or {})} or None
    merged.volumes = {**(image.volumes or {}), **(merged.volumes or {})} or None
    merged.labels = {**(image.labels or {}), **(merged.labels or {})}
    merged.env = _merged_env(merged.env, image.env)
    merged.shell = merged.shell or image.shell
    merged.healthcheck = _merged_healthcheck(merged.healthcheck, image.healthcheck)
    if not merged.entrypoint:
        if not merged.cmd:
            merged.cmd = image.cmd
            merged.args_escaped = image.args_escaped
        if merged.entrypoint is None:
            merged.entrypoint = image.entrypoint


def _merged_env(own: list[str] | None, inherited: list[str] | None) -> list[str] | None:
    if own is None and inherited is None:
        return None
    names = {entry.partition("=")[0] for entry in own or ()}
    kept = [entry for entry in inherited or () if entry.partition("=")[0] not in names]
    return [*(own or ()), *kept]


def _merged_healthcheck(
    own: HealthConfig | None, inherited: HealthConfig | None
) -> HealthConfig | None:
    if own is None or inherited is None:
        return own or inherited
    return HealthConfig(
        test=own.test or inherited.test,
        interval=own.interval or inherited.interval,
        timeout=own.timeout or inherited.timeout,
        retries=own.retries or inherited.retries,
        start_period=own.start_period or inherited.start_period,
        start_interval=own.start_interval or inherited.start_interval,
        on_failure=own.on_failure or inherited.on_failure,
    )


def own_part(merged: ContainerConfig, image: ContainerConfig) -> ContainerConfig:
    """Return what a container has that its image does not give it: the inverse of the merge.

    Merged with the image again it is what it was, and merged with another image it has what that
    image gives.
    """
    own = msgspec.structs.replace(merged)
    for name in ("user", "working_dir", "stop_signal"):
        if getattr(own, name) == getattr(image, name):
            setattr(own, name, "")
    own.exposed_ports = _without(own.exposed_ports, image.exposed_ports)
    own.volumes = _without(own.volumes, image.volumes)
    own.labels = _without(own.labels, image.labels) or {}
    inherited = set(image.env or ())
    own.env = [entry for entry in own.env or () if entry not in inherited] or None
    if own.shell == image.shell:
        own.shell = None
    if own.healthcheck == image.healthcheck:
        own.healthcheck = None
    # A command of the image's comes back only to a container that names neither.
    if own.entrypoint == image.entrypoint and (own.cmd or not image.cmd):
        own.entrypoint = None
        if own.cmd == image.cmd:
            own.cmd = None
    if merged.entrypoint is None and image.entrypoint not in _NONE:
        # Said so with an empty word, for leaving it out means the image's.
        own.entrypoint = [""]
    return own


def _without(own: dict[str, V] | None, image: dict[str, V] | None) -> dict[str, V] | None:
    inherited = image or {}
    kept = {k: v for k, v in (own or {}).items() if inherited.get(k, _MISSING) != v}
    return kept or None


def _word_list(value: list[str] | str | None) -> list[str] | None:
    return [value] if isinstance(value, str) else value
