"""What a copy is about: an image's documents and layers, and the two ends of its way.

A source knows the documents before the first layer is asked for, so that the target can say
which layers it lacks. Manifests are kept to the byte wherever there is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from naru.errors import CorruptDataError, FaultError, NaruError, NotFoundError, reason_of
from naru.oci.descriptor import Descriptor
from naru.oci.image_config import ImageConfig
from naru.oci.manifest import Manifest
from naru.oci.platform import Platform, matches
from naru.oci.reference import Reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    Pieces = Iterator[bytes]


class CopyFailedError(NaruError):
    """A copy failed; once it `is_blamed`, the message says at which of its ends."""

    is_blamed = False


@dataclass(frozen=True)
class ImageContent:
    """One image. `name` is what it is called where it comes from, None for nothing.

    `is_original` says that the manifest came with the image; else it was made for the copy, and
    layers are better known by their place in the image than by their digest.
    """

    manifest: Manifest
    config: ImageConfig
    name: Reference | None
    is_original: bool

    @property
    def layers(self) -> tuple[Descriptor, ...]:
        """The layers as they are stored and sent, lowest first."""
        return self.manifest.layers


class Source(Protocol):
    """Where an image comes from. Close it in the end."""

    @property
    def content(self) -> ImageContent:
        """The image."""

    def layers(self, positions: Sequence[int]) -> Iterator[Pieces]:
        """Yield the bytes of these layers, in this order; each is read before the next.

        Raises, also while a layer is read:
            NaruError: it cannot be had.
        """

    def close(self) -> None:
        """Let go of everything. Idempotent."""


class Target(Protocol):
    """Where an image goes. It `keeps_manifests` to the byte, or makes its own."""

    @property
    def keeps_manifests(self) -> bool:
        """Say which."""

    def missing(self, content: ImageContent) -> list[int]:
        """Return the positions of the layers that it has not got."""

    def put(
        self,
        content: ImageContent,
        name: Reference | None,
        positions: Sequence[int],
        layers: Iterator[Pieces],
    ) -> None:
        """Take the image in under `name`, with the layers at these positions: whole or not at all.

        Raises:
            NaruError: it cannot be done; nothing half-made is left.
        """


def make_content(
    manifest: Manifest, config: ImageConfig, name: Reference | None, *, is_original: bool
) -> ImageContent:
    """Return an image of documents that fit each other.

    Raises:
        CorruptDataError: they do not.
    """
    if manifest.config.digest != config.digest:
        raise CorruptDataError(
            f"image config {manifest.config.digest} has the digest {config.digest}"
        )
    if len(manifest.layers) != len(config.diff_ids):
        raise CorruptDataError(
            f"the manifest has {len(manifest.layers)} layers, "
            f"the image config {len(config.diff_ids)}"
        )
    return ImageContent(manifest, config, name, is_original)


def require_platform(content: ImageContent, wanted: Platform | None, label: str) -> None:
    """Refuse an image that is not for the platform that is wanted, if one is.

    Raises:
        NotFoundError: it is for another.
    """
    if wanted is not None and not matches(content.config.platform, wanted):
        raise NotFoundError(f"{label} is for {content.config.platform}, not for {wanted}")


def exactly(pieces: Iterable[bytes], layer: Descriptor) -> Pieces:
    """Yield the bytes of a layer, which must be as many as it has.

    Raises:
        CorruptDataError: they are more or fewer.
    """
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > layer.size:
            break
        yield piece
    if size != layer.size:
        found = f"only {size}" if size < layer.size else "more"
        raise CorruptDataError(f"layer {layer.digest} has {layer.size} bytes, {found} came")


def file_failure(path: str, error: OSError) -> FaultError:
    """Return the failure of a file as one of ours."""
    return FaultError(f"{error.filename or path}: {reason_of(error)}")
