"""What a registry has under a name, without fetching it: descriptor and platforms.

Spec: moby, api/server/router/distribution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from naru.distribution.auth import RegistryAuth
from naru.distribution.fetch import FetchedManifest, RemoteRepository
from naru.errors import CorruptDataError, InvalidInputError
from naru.images.services import ImageServices
from naru.oci.descriptor import Descriptor
from naru.oci.digest import algorithm_of, digest_bytes, is_digest
from naru.oci.image_config import MAX_CONFIG_SIZE, parse_image_config
from naru.oci.manifest import Index, Manifest, parse_manifest
from naru.oci.platform import Platform
from naru.oci.reference import Reference


@dataclass(frozen=True, slots=True)
class RemoteImage:
    """A manifest or an index in a registry, and the platforms that it is for."""

    descriptor: Descriptor
    platforms: tuple[Platform, ...]


async def inspect_remote(
    services: ImageServices, name: str, auth: RegistryAuth | None
) -> RemoteImage:
    """Ask the registry what an image is.

    Raises:
        InvalidInputError: `name` is no reference.
        NotFoundError: the registry does not have it.
        UnauthenticatedError, ForbiddenError: the registry does not show it.
        FaultError: the registry cannot be reached.
    """
    if is_digest(f"sha256:{name.removeprefix('sha256:')}"):
        raise InvalidInputError("no manifest found for full image ID")
    reference = Reference.parse(name).with_default_tag()
    remote = RemoteRepository(
        services.http, reference.registry, reference.repository, auth, services.clock
    )
    fetched = await remote.manifest(reference.digest or reference.tag)
    manifest = parse_manifest(fetched.raw, fetched.media_type)
    descriptor = _descriptor(fetched, manifest)
    if isinstance(manifest, Index):
        platforms = tuple(entry.platform for entry in manifest.manifests if entry.platform)
        return RemoteImage(descriptor, platforms)
    return RemoteImage(descriptor, await _platforms(remote, manifest))


def _descriptor(fetched: FetchedManifest, manifest: Manifest | Index) -> Descriptor:
    return Descriptor(media_type=manifest.media_type, digest=fetched.digest, size=len(fetched.raw))


async def _platforms(remote: RemoteRepository, manifest: Manifest) -> tuple[Platform, ...]:
    """Return what the config says; an artifact that is no image has none."""
    if manifest.config.size > MAX_CONFIG_SIZE:
        return ()
    sink = _Memory()
    await remote.blob(manifest.config, sink, lambda _: None)
    raw = bytes(sink.data)
    if digest_bytes(raw, algorithm_of(manifest.config.digest)) != manifest.config.digest:
        raise CorruptDataError(f"blob {manifest.config.digest}: the registry sent other bytes")
    try:
        platform = parse_image_config(raw).platform
    except CorruptDataError:
        return ()
    return (platform,) if platform.os or platform.architecture else ()


class _Memory:
    """A small blob, kept."""

    def __init__(self) -> None:
        self.data = bytearray()

    @property
    def offset(self) -> int:
        return len(self.data)

    def write_all(self, pieces: Sequence[bytes]) -> None:
        self.data += b"".join(pieces)
