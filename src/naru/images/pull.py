"""`docker pull`: an image from a registry, as far as it is not here already.

Decides what is missing; `naru.distribution` fetches it, and `naru.images.layers.unpack` puts it on
disk. What was fetched before a cut, a cancellation or a kill is kept for a day, and the next try
goes on there.

Spec: distribution-spec v1.1, §Pull; records and messages as moby, distribution/pull_v2.go.
"""

from __future__ import annotations

import contextlib
import errno

from naru.aio import in_thread
from naru.db.images import ImageRow
from naru.distribution.auth import RegistryAuth
from naru.distribution.fetch import FetchedManifest, RemoteRepository
from naru.distribution.session import RegistryUnreachableError
from naru.errors import (
    CorruptDataError,
    FaultError,
    InvalidInputError,
    NaruError,
    NotFoundError,
    NotSupportedError,
    UnauthenticatedError,
)
from naru.faults import fault_point
from naru.images.catalog import Image
from naru.images.progress import Report, status_record
from naru.images.pulling.blobs import BlobPull, Watcher
from naru.images.pulling.layers import LayersPull
from naru.images.services import ImageServices
from naru.oci import mediatype
from naru.oci.digest import Digest
from naru.oci.distribution_errors import DeniedError, ManifestUnknownError, NameUnknownError
from naru.oci.image_config import MAX_CONFIG_SIZE, ImageConfig, parse_image_config
from naru.oci.manifest import MAX_MANIFEST_SIZE, Index, Manifest, parse_manifest
from naru.oci.platform import Platform, host_platform, matches
from naru.oci.reference import Reference

OWNER = "images.pull"
"""Owner of the leases that outlive a pull: what is under them is resumed."""

_AFTER_MANIFEST = fault_point("images.pull.after_manifest")
_BEFORE_CATALOG = fault_point("images.pull.before_catalog")
_AFTER_CATALOG = fault_point("images.pull.after_catalog")
# Nothing of these gets better by trying again: what was fetched is of no use.
_FINAL = (CorruptDataError, NotFoundError, NotSupportedError, InvalidInputError)


async def pull(
    services: ImageServices,
    reference: Reference,
    *,
    platform: Platform | None,
    auth: RegistryAuth | None,
    all_tags: bool = False,
    report: Report,
) -> Image:
    """Fetch an image, name it, and return it; with `all_tags`, every tag of the repository.

    `report` is called on the loop with Docker's progress records. What is wrong with the
    request comes as an exception before the first record. Pulls share what they have in common,
    and each tells how that comes along. An index gives the image that fits `platform` best,
    or else this host.

    Raises:
        InvalidInputError: the reference cannot be pulled.
        NotFoundError: the registry does not have it or does not show it, or not for the
            platform.
        NotSupportedError: it is no image, or of schema 1.
        CorruptDataError: the registry sends what does not fit its digests.
        FaultError: the registry cannot be reached or refuses us, or the disk is full.
    """
    remote = RemoteRepository(
        services.http, reference.registry, reference.repository, auth, services.clock
    )
    try:
        if not all_tags:
            shown = reference.with_default_tag()
            return await _pull_one(services, remote, shown, platform, report, shown=shown.familiar)
        image = None
        for tag in await remote.tags():
            wanted = reference.with_tag(tag)
            image = await _pull_one(
                services, remote, wanted, platform, report, shown=reference.familiar_name
            )
    except NaruError as error:
        told = _as_docker_says(error, reference)
        if told is error:
            raise
        raise told from error
    if image is None:
        raise NotFoundError(f"repository {reference.familiar_name} has no tags")
    return image


async def _pull_one(
    services: ImageServices,
    remote: RemoteRepository,
    reference: Reference,
    platform: Platform | None,
    report: Report,
    *,
    shown: str,
) -> Image:
    lease_id = f"{OWNER} {reference.canonical}"
    services.take_lease(lease_id, OWNER)
    services.pulls[lease_id] += 1
    one = _Pull(services, remote, reference, platform, report, lease_id)
    # Most failures, a cancellation and a kill leave what came to the next try.
    is_of_use, is_garbage = True, False
    try:
        image = await one.run(shown)
        is_of_use = False
    except NaruError as error:
        is_garbage = isinstance(error, _FINAL) or _is_disk_full(error)
        is_of_use = not is_garbage
        raise
    finally:
        services.pulls[lease_id] -= 1
        if not services.pulls[lease_id]:
            del services.pulls[lease_id]
            if not is_of_use or not _holds_anything(services, lease_id):
                services.leases.release(lease_id)
        if is_garbage:
            await in_thread(services.garbage.collect)
    return image


def _is_disk_full(error: BaseException | None) -> bool:
    """Say whether it was for want of space: then what came must not take any until the next try."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__
    return False


def _holds_anything(services: ImageServices, lease_id: str) -> bool:
    return any(
        services.leases.items(kind, lease_id=lease_id) for kind in ("blob", "ingest", "snapshot")
    )


class _Pull:
    """One pull of one reference."""

    def __init__(
        self,
        services: ImageServices,
        remote: RemoteRepository,
        reference: Reference,
        platform: Platform | None,
        report: Report,
        lease_id: str,
    ) -> None:
        self._services = services
        self._remote = remote
        self._reference = reference
        self._platform = platform
        self._report = report
        self._lease_id = lease_id
        self._blobs = BlobPull(services, remote, lease_id)

    async def run(self, shown: str) -> Image:
        """Pull, and report it under the name `shown`."""
        reference = self._reference
        name = reference.digest or reference.tag
        fetched = None
        digest = reference.digest or await self._told_digest()
        known = await in_thread(self._known, digest) if digest else None
        if known is None:
            fetched = await self._remote.manifest(name)
            digest = fetched.digest
        assert digest is not None
        shown_by = reference.with_digest(digest).canonical if reference.digest else name
        self._report(status_record(f"Pulling from {reference.repository}", shown_by))
        before = self._current_id()
        if known is None:
            assert fetched is not None
            row = await self._fetch_image(fetched)
        else:
            row = known
        _BEFORE_CATALOG()
        at_digest = reference.with_digest(digest)
        tag = None if reference.digest else reference
        # Whoever removes it from now on removes what was pulled, and the pull has not failed.
        pulled = await in_thread(self._services.catalog.add_pulled, row, tag, at_digest)
        _AFTER_CATALOG()
        self._report(status_record(f"Digest: {digest}"))
        is_same = before == row.image_id
        words = "Image is up to date" if is_same else "Downloaded newer image"
        self._report(status_record(f"Status: {words} for {shown}"))
        self._warn_of_platform(pulled)
        return pulled

    async def _told_digest(self) -> Digest | None:
        """Ask what the tag stands for now; None when the registry does not say."""
        try:
            return await self._remote.head_manifest(self._reference.tag)
        except (RegistryUnreachableError, UnauthenticatedError):
            raise
        except NaruError:
            # An answer to HEAD has no body: asking for the manifest tells what is wrong.
            return None

    def _known(self, digest: Digest) -> ImageRow | None:
        """Return the image if it was pulled with this digest, fits, and is whole.

        It stays so under the lease, even if it is removed: this pull gives it its names again.
        """
        services = self._services
        name = self._reference.with_digest(digest)
        if services.catalog.known_digest(name) is None:
            return None
        services.leases.add(self._lease_id, "blob", digest)
        image = services.catalog.known_digest(name)
        row = services.rows.get(image.id) if image else None
        if image is None or row is None:
            return None
        is_whole = (
            image.chain_id is None or services.snapshots.stat(image.chain_id) is not None
        ) and services.content.stat(digest) is not None
        return row if is_whole and self._fits(image, digest) else None

    def _fits(self, image: Image, digest: Digest) -> bool:
        """Say whether `digest` would give this image again, for the platform that is wanted now."""
        if image.manifest_digest == digest:
            return self._platform is None or matches(image.config.platform, self._platform)
        try:
            index = parse_manifest(self._services.content.read(digest, MAX_MANIFEST_SIZE))
        except NaruError:
            return False
        if not isinstance(index, Index):
            return False
        chosen = index.select(self._platform or host_platform())
        return chosen is not None and chosen.digest == image.manifest_digest

    def _current_id(self) -> str:
        """Return the image that the name stands for so far."""
        found = self._services.rows.find_name(self._reference)
        return found.image_id if found else ""

    async def _fetch_image(self, fetched: FetchedManifest) -> ImageRow:
        manifest = await self._manifest(fetched)
        _AFTER_MANIFEST()
        config = await self._config(manifest)
        if len(config.diff_ids) != len(manifest.layers):
            raise CorruptDataError("layers from manifest don't match image configuration")
        # What was removed just now may hold the space that this needs.
        await in_thread(self._services.garbage.settle)
        layers = LayersPull(self._blobs, manifest.layers, config.diff_ids, self._report)
        sizes = await layers.run()
        self._remember_place([manifest.digest, *(layer.digest for layer in manifest.layers)])
        return ImageRow(
            image_id=config.digest,
            manifest_digest=manifest.digest,
            chain_id=config.chain_id,
            layer_sizes=tuple(sizes),
        )

    def _remember_place(self, digests: list[Digest]) -> None:
        """A later push mounts these blobs from here, and sends them as they are."""
        place = (self._reference.registry, self._reference.repository)
        self._services.remote_blobs.saw(*place, digests, self._services.clock.now_ns())

    async def _manifest(self, fetched: FetchedManifest) -> Manifest:
        """Store what was fetched; through an index, fetch the manifest that fits."""
        found = parse_manifest(fetched.raw, fetched.media_type)
        await self._keep(found)
        if isinstance(found, Manifest):
            return found
        wanted = self._platform or host_platform()
        chosen = found.select(wanted)
        if chosen is None:
            raise NotFoundError(
                f"no matching manifest for {wanted} in the manifest list entries: "
                "no match for platform in manifest: not found"
            )
        inner = await self._remote.manifest(chosen.checked().digest)
        if len(inner.raw) != chosen.size:
            raise CorruptDataError(
                f"manifest {chosen.digest}: expected {chosen.size} bytes, got {len(inner.raw)}"
            )
        manifest = parse_manifest(inner.raw, chosen.media_type or inner.media_type)
        if not isinstance(manifest, Manifest):
            raise NotSupportedError(f"index {fetched.digest} holds an index where an image belongs")
        await self._keep(manifest)
        return manifest

    async def _keep(self, document: Manifest | Index) -> None:
        """Store a document under the lease. Its bytes were verified when they came."""
        self._services.leases.add(self._lease_id, "blob", document.digest)
        await in_thread(self._services.content.add, document.raw)

    async def _config(self, manifest: Manifest) -> ImageConfig:
        descriptor = manifest.config.checked()
        if descriptor.media_type not in mediatype.CONFIGS:
            raise NotSupportedError(
                f"unsupported media type {descriptor.media_type}: this is no container image"
            )
        if descriptor.size > MAX_CONFIG_SIZE:
            raise CorruptDataError(f"image config has {descriptor.size} bytes")
        for layer in manifest.layers:
            if not mediatype.is_layer(layer.checked().media_type):
                raise NotSupportedError(f"unsupported layer media type {layer.media_type!r}")
        watcher = Watcher()
        with contextlib.closing(watcher.arrival):
            await self._blobs.fetch(descriptor, watcher)
        raw = await in_thread(self._services.content.read, descriptor.digest, MAX_CONFIG_SIZE)
        return parse_image_config(raw)

    def _warn_of_platform(self, image: Image) -> None:
        if self._platform is not None and not matches(image.config.platform, self._platform):
            self._report(
                status_record(
                    f"WARNING: image with reference {self._reference.familiar_name} was found "
                    f"but does not match the specified platform: wanted {self._platform}, "
                    f"actual: {image.config.platform}"
                )
            )


def _as_docker_says(error: NaruError, reference: Reference) -> NaruError:
    """Return a registry's refusal in the words, and of the kind, that Docker's clients know."""
    name = reference.familiar_name
    match error:
        case DeniedError():
            return NotFoundError(
                f"pull access denied for {name}, repository does not exist or may require "
                f"'docker login': {error.message}"
            )
        case ManifestUnknownError():
            shown = reference.with_default_tag().familiar
            return NotFoundError(f"manifest for {shown} not found: {error.message}")
        case NameUnknownError():
            return NotFoundError(f"repository {name} not found: {error.message}")
        case UnauthenticatedError():
            # Docker answers 500 here: 401 would make clients ask for the engine's own password.
            return FaultError(error.message, hint=error.hint)
    return error
