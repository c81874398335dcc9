"""What the engine knows of one container: the record, the state, and both together.

The record keeps the request in the API's own structs, merged with the image's defaults; there
is no further model of a container. `engine.views.containers` turns it into answers, `specgen` into a
runtime spec.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from naru.api.container_config import ContainerConfig, EndpointSettings
from naru.api.host_config import HostConfig
from naru.engine.health_rule import Health
from naru.ids import short_id
from naru.runtime.log_driver import LogPolicy, log_policy

Json = dict[str, Any]
Status = Literal["created", "running", "paused", "restarting", "exited", "dead", "removing"]


class MountRecord(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One resolved mount: `source` is a host path, `name` the volume's if it is one."""

    type: str
    destination: str
    source: str = ""
    name: str = ""
    driver: str = ""
    mode: str = ""
    read_write: bool = True
    propagation: str = ""
    subpath: str = ""
    copy_up: bool = False
    anonymous: bool = False
    options: list[str] = []


class Recreation(msgspec.Struct, kw_only=True):
    """What a container that is being recreated was, or is to be; part of the intent.

    `other` is the record to come until `is_switched`, and the one to go back to from then on.
    """

    other: ContainerRecord
    is_switched: bool = False
    # How many seconds the new one has to become healthy; zero where that does not count.
    patience: float = 0
    # The addresses that it had on its networks, by their names: of IPv4, of IPv6.
    addresses: dict[str, tuple[str, str]] = {}


class ContainerRecord(msgspec.Struct, kw_only=True):
    """What was asked for; changes only by rename, update and recreate."""

    created_ns: int
    image_id: str
    image_name: str
    config: ContainerConfig
    host_config: HostConfig
    endpoints: dict[str, EndpointSettings]
    mounts: list[MountRecord]
    # Made for one step of a build: a start of the engine finds the build gone, and removes it.
    is_build_step: bool = False
    # Links on the default network: ids of other containers by alias.
    links: dict[str, str] = {}
    # The snapshot that the container writes to; empty where it has the container's own id.
    layer: str = ""
    # None but for the time that it takes to recreate the container.
    recreation: Recreation | None = None

    def held_mounts(self) -> list[MountRecord]:
        """Return the mounts, and those that a recreation under way leads to, or back to."""
        return [*self.mounts, *(self.recreation.other.mounts if self.recreation else ())]


class ContainerState(msgspec.Struct, kw_only=True):
    """What became of it."""

    status: Status = "created"
    pid: int = 0
    monitor_pid: int = 0
    exit_code: int = 0
    error: str = ""
    oom_killed: bool = False
    started_ns: int = 0
    finished_ns: int = 0
    restart_count: int = 0
    # Set by stop and kill; keeps restart policies from bringing the container back.
    stopped_by_user: bool = False
    # A restart is between its stop and its start: --rm must not strike, and an engine that is
    # started goes on with it.
    comes_back: bool = False
    # Part of the intent to remove: whether anonymous volumes go along.
    removes_volumes: bool = False
    # Seconds that the restart before this run was held back; zero after a user's start.
    restart_delay: float = 0
    # Paused by the engine itself, which lets it go on; its user's pause is another matter.
    is_frozen: bool = False
    # The limits in force may be those before or after an update that was cut short.
    limits_pending: bool = False
    # The ports in force may be those before a change of them that was cut short.
    ports_pending: bool = False
    # The network namespace that a container: mode joined at the last start.
    netns_path: str = ""
    # The name that this container is about to take from another; part of the intent.
    takes_name: str = ""
    # None where no check has ever run.
    health: Health | None = None


def network_name(text: str) -> str:
    """Return the network that a mode or a key names; `default` is the bridge."""
    return "bridge" if text in ("", "default") else text


@dataclass(slots=True)
class Container:
    """A container in memory; `engine.live.registry` keeps it equal to its row."""

    id: str
    name: str
    record: ContainerRecord
    state: ContainerState
    # What the last run used was not given back, or not all of it; the next step tries again.
    needs_tidying: bool = False
    # The name of its layer, and where that and those below it are: the same for a layer's life.
    layer_paths: tuple[str, dict[str, str]] | None = None

    @property
    def short_id(self) -> str:
        return short_id(self.id)

    @property
    def config(self) -> ContainerConfig:
        return self.record.config

    @property
    def host_config(self) -> HostConfig:
        return self.record.host_config

    @property
    def layer(self) -> str:
        """Return the key of the snapshot that the container writes to."""
        return self.record.layer or self.id

    @property
    def is_running(self) -> bool:
        """Say whether a process is there: running or paused."""
        return self.state.status in ("running", "paused")

    @property
    def is_leaving(self) -> bool:
        """Say whether it is being removed, or its removal has failed."""
        return self.state.status in ("removing", "dead")

    @property
    def is_to_stay(self) -> bool:
        """Say whether it is to be there after a power cut: not so if its end is its removal."""
        return not (self.host_config.auto_remove or self.record.is_build_step)

    @property
    def network_mode(self) -> str:
        """Return the network mode, with the default spelled out."""
        return network_name(self.host_config.network_mode)

    def log_policy(self) -> LogPolicy:
        """Return what is kept of the container's output."""
        log_config = self.host_config.log_config
        return log_policy(log_config.type, log_config.config or {})

    def joined_container(self) -> str:
        """Return the name after `container:` in the network mode, or nothing."""
        kind, _, name = self.host_config.network_mode.partition(":")
        return name if kind == "container" else ""


_encode = msgspec.json.Encoder().encode
_decode_record = msgspec.json.Decoder(ContainerRecord).decode
_decode_state = msgspec.json.Decoder(ContainerState).decode


def encode_record(record: ContainerRecord) -> bytes:
    """Return the record as stored."""
    return _encode(record)


def encode_state(state: ContainerState) -> bytes:
    """Return the state as stored."""
    return _encode(state)


def decode(container_id: str, name: str, record: bytes, state: bytes) -> Container:
    """Rebuild a container from its row."""
    return Container(container_id, name, _decode_record(record), _decode_state(state))
