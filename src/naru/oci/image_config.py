"""Image configs: what to run and on which layers, with the received bytes beside it.

Spec: image-spec v1.1, config.md; and the further keys that Docker writes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from naru import untrusted_json
from naru.errors import CorruptDataError, InvalidInputError
from naru.oci.digest import ChainId, DiffId, Digest, digest_bytes, parse_digest
from naru.oci.platform import Platform

MAX_CONFIG_SIZE = 16 << 20
"""Bytes. Real ones are a few KiB; history and labels can grow."""


class HealthCheck(msgspec.Struct, frozen=True, omit_defaults=True, rename="pascal"):
    """Docker's health check; times in nanoseconds."""

    test: tuple[str, ...] | None = None
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


class RunDefaults(msgspec.Struct, frozen=True, omit_defaults=True, rename="pascal", kw_only=True):
    """The `config` object: what a container gets unless its user says otherwise."""

    hostname: str = ""
    domainname: str = ""
    user: str = ""
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    exposed_ports: dict[str, dict[str, str]] | None = None
    tty: bool = False
    open_stdin: bool = False
    stdin_once: bool = False
    env: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | str | None = None
    healthcheck: HealthCheck | None = None
    args_escaped: bool = False
    image: str = ""
    volumes: dict[str, dict[str, str]] | None = None
    working_dir: str = ""
    entrypoint: tuple[str, ...] | str | None = None
    network_disabled: bool = False
    mac_address: str = ""
    on_build: tuple[str, ...] | None = None
    labels: dict[str, str] | None = None
    stop_signal: str = ""
    stop_timeout: int | None = None
    shell: tuple[str, ...] | None = None


class History(msgspec.Struct, frozen=True, omit_defaults=True):
    """One step of a build, oldest first in the config."""

    created: str | None = None
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False


class RootFs(msgspec.Struct, frozen=True):
    """The layers, lowest first."""

    type: str = "layers"
    diff_ids: tuple[DiffId, ...] | None = ()


class _Wire(msgspec.Struct, omit_defaults=True, kw_only=True):
    architecture: str = ""
    os: str = ""
    os_version: str = msgspec.field(default="", name="os.version")
    os_features: tuple[str, ...] | None = msgspec.field(default=None, name="os.features")
    variant: str = ""
    created: str | None = None
    author: str = ""
    comment: str = ""
    docker_version: str = ""
    container: str = ""
    config: RunDefaults | None = None
    container_config: RunDefaults | None = None
    rootfs: RootFs | None = None
    history: tuple[History, ...] | None = None


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """A parsed image config. `created` is RFC 3339 as written, or empty."""

    raw: bytes
    platform: Platform
    created: str
    author: str
    comment: str
    docker_version: str
    config: RunDefaults
    diff_ids: tuple[DiffId, ...]
    history: tuple[History, ...]
    container: str = ""
    container_config: RunDefaults | None = None

    @property
    def digest(self) -> Digest:
        """Digest of the bytes as received: Docker's image id."""
        return digest_bytes(self.raw)

    @property
    def architecture(self) -> str:
        return self.platform.architecture

    @property
    def os(self) -> str:
        return self.platform.os

    @property
    def variant(self) -> str:
        return self.platform.variant

    @property
    def chain_id(self) -> ChainId | None:
        """The stack of all layers; None for an image without any."""
        chain = chain_ids(self.diff_ids)
        return chain[-1] if chain else None


def parse_image_config(raw: bytes) -> ImageConfig:
    """Read an image config.

    Raises:
        CorruptDataError: no image config, or layers that are no digests.
    """
    if len(raw) > MAX_CONFIG_SIZE:
        raise CorruptDataError(f"image config has {len(raw)} bytes, at most 16 MiB are read")
    try:
        wire = untrusted_json.decode(raw, type=_Wire)
        rootfs = wire.rootfs or RootFs()
        diff_ids = tuple(DiffId(parse_digest(diff_id)) for diff_id in rootfs.diff_ids or ())
    except msgspec.MsgspecError as error:
        raise CorruptDataError(f"image config is not readable: {error}") from error
    except InvalidInputError as error:
        raise CorruptDataError(f"image config: diff_ids: {error.message}") from error
    if rootfs.type != "layers" and diff_ids:
        raise CorruptDataError(f"image config: rootfs type is {rootfs.type!r}, not 'layers'")
    return ImageConfig(
        raw=raw,
        platform=Platform(
            architecture=wire.architecture,
            os=wire.os,
            os_version=wire.os_version,
            os_features=wire.os_features or (),
            variant=wire.variant,
        ),
        created=wire.created or "",
        author=wire.author,
        comment=wire.comment,
        docker_version=wire.docker_version,
        config=wire.config or RunDefaults(),
        diff_ids=diff_ids,
        history=wire.history or (),
        container=wire.container,
        container_config=wire.container_config,
    )


def build_image_config(
    *,
    platform: Platform,
    diff_ids: Sequence[DiffId],
    config: RunDefaults | None = None,
    created: str = "",
    author: str = "",
    comment: str = "",
    history: Sequence[History] = (),
    docker_version: str = "",
    container: str = "",
    container_config: RunDefaults | None = None,
) -> ImageConfig:
    """Make an image config; equal arguments give equal bytes."""
    wire = _Wire(
        architecture=platform.architecture,
        os=platform.os,
        os_version=platform.os_version,
        os_features=platform.os_features or None,
        variant=platform.variant,
        created=created or None,
        author=author,
        comment=comment,
        docker_version=docker_version,
        container=container,
        config=config or RunDefaults(),
        container_config=container_config,
        rootfs=RootFs(diff_ids=tuple(diff_ids)),
        history=tuple(history) or None,
    )
    return parse_image_config(msgspec.json.encode(wire))


def chain_ids(diff_ids: Sequence[DiffId]) -> list[ChainId]:
    """Return the chain id of each layer together with all below it.

    Spec: image-spec v1.1, config.md §Layer ChainID.
    """
    chain: list[ChainId] = []
    for diff_id in diff_ids:
        if not chain:
            chain.append(ChainId(diff_id))
            continue
        joined = f"{chain[-1]} {diff_id}".encode()
        chain.append(ChainId(Digest(f"sha256:{hashlib.sha256(joined).hexdigest()}")))
    return chain
