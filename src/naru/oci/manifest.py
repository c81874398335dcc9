"""Manifests and indexes: the parsed form with the received bytes beside it.

The bytes are what is digested, stored and sent on; they are never made again from the parsed
form, so that unknown fields survive and a push of an unchanged image has an unchanged digest.

Spec: image-spec v1.1, manifest.md and image-index.md; distribution, manifest-v2-2.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from naru import untrusted_json
from naru.errors import CorruptDataError, NotSupportedError
from naru.oci import mediatype
from naru.oci.descriptor import Descriptor
from naru.oci.digest import Digest, digest_bytes
from naru.oci.platform import Platform, rank

MAX_MANIFEST_SIZE = 4 << 20
"""Bytes. Registries refuse more, and so do we."""


class _Wire(msgspec.Struct, omit_defaults=True, rename="camel", kw_only=True):
    schema_version: int = 0
    media_type: str = ""
    artifact_type: str = ""
    config: Descriptor | None = None
    layers: list[Descriptor] | None = None
    manifests: list[Descriptor] | None = None
    fs_layers: list[msgspec.Raw] | None = None
    subject: Descriptor | None = None
    annotations: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """One image: its config and its layers, lowest first."""

    raw: bytes
    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    artifact_type: str = ""
    subject: Descriptor | None = None
    annotations: dict[str, str] | None = None

    @property
    def digest(self) -> Digest:
        """Digest of the bytes as received."""
        return digest_bytes(self.raw)

    def descriptor(self, platform: Platform | None = None) -> Descriptor:
        """Return a descriptor that points here."""
        return Descriptor(
            media_type=self.media_type, digest=self.digest, size=len(self.raw), platform=platform
        )


@dataclass(frozen=True, slots=True)
class Index:
    """Several manifests, by platform or by name."""

    raw: bytes
    media_type: str
    manifests: tuple[Descriptor, ...]
    subject: Descriptor | None = None
    annotations: dict[str, str] | None = None

    @property
    def digest(self) -> Digest:
        """Digest of the bytes as received."""
        return digest_bytes(self.raw)

    def select(self, wanted: Platform) -> Descriptor | None:
        """Return the entry that runs best on `wanted`; the first of equals; None if none does.

        An entry without a platform fits anything, but only when no other entry does. Entries
        for `unknown/unknown` are attestations, not images.
        """
        ranked = [
            (fitness, position, entry)
            for position, entry in enumerate(self.manifests)
            if entry.platform is not None and (fitness := rank(entry.platform, wanted)) is not None
        ]
        if ranked:
            return min(ranked, key=lambda item: item[:2])[2]
        return next((entry for entry in self.manifests if entry.platform is None), None)


def parse_manifest(raw: bytes, media_type: str = "") -> Manifest | Index:
    """Read a manifest or an index.

    `media_type` is what the sender said it is (Content-Type or descriptor). It must not
    contradict the document, and the document must not be both things at once: two readers of
    the same bytes have to agree.

    Raises:
        CorruptDataError: no manifest, or an ambiguous one.
        NotSupportedError: a schema 1 manifest, or some other media type.
    """
    if len(raw) > MAX_MANIFEST_SIZE:
        raise CorruptDataError(f"manifest has {len(raw)} bytes, at most 4 MiB are read")
    try:
        wire = untrusted_json.decode(raw, type=_Wire)
    except msgspec.MsgspecError as error:
        raise CorruptDataError(f"manifest is not readable: {error}") from error
    kind = _kind(wire, media_type)
    if kind in mediatype.INDEXES:
        return Index(
            raw=raw,
            media_type=kind,
            manifests=tuple(entry.checked() for entry in wire.manifests or ()),
            subject=wire.subject and wire.subject.checked(),
            annotations=wire.annotations,
        )
    if wire.config is None:
        raise CorruptDataError("manifest has no config")
    return Manifest(
        raw=raw,
        media_type=kind,
        config=wire.config.checked(),
        layers=tuple(layer.checked() for layer in wire.layers or ()),
        artifact_type=wire.artifact_type,
        subject=wire.subject and wire.subject.checked(),
        annotations=wire.annotations,
    )


def _kind(wire: _Wire, said: str) -> str:
    """Decide the media type of a document, by what it says and what was said about it."""
    said = said.partition(";")[0].strip()
    if said in {"", "application/json", "application/octet-stream", "text/plain"}:
        said = ""
    is_schema1 = wire.schema_version == 1 or wire.fs_layers is not None
    if said in mediatype.SCHEMA1 or wire.media_type in mediatype.SCHEMA1 or is_schema1:
        raise NotSupportedError(
            "manifest schema 1 is not supported", hint="push the image again with a current tool"
        )
    if wire.schema_version != 2:
        raise CorruptDataError(f"manifest has schemaVersion {wire.schema_version}, expected 2")
    if wire.media_type and said and wire.media_type != said:
        raise CorruptDataError(f"manifest says it is {wire.media_type}, its sender says {said}")
    if wire.manifests is not None and (wire.layers is not None or wire.config is not None):
        raise CorruptDataError("manifest is an image and an index at once")
    looks_like = mediatype.OCI_INDEX if wire.manifests is not None else mediatype.OCI_MANIFEST
    kind = wire.media_type or said or looks_like
    if kind not in mediatype.INDEXES | mediatype.MANIFESTS:
        raise NotSupportedError(f"unsupported manifest media type {kind!r}")
    if (kind in mediatype.INDEXES) != (wire.manifests is not None):
        raise CorruptDataError(f"manifest says it is {kind}, but holds something else")
    return kind


def build_manifest(
    config: Descriptor,
    layers: tuple[Descriptor, ...] | list[Descriptor],
    *,
    media_type: str = mediatype.OCI_MANIFEST,
    annotations: dict[str, str] | None = None,
) -> Manifest:
    """Make a manifest; equal arguments give equal bytes."""
    wire = _Wire(
        schema_version=2,
        media_type=media_type,
        config=config,
        layers=list(layers),
        annotations=annotations or None,
    )
    manifest = parse_manifest(msgspec.json.encode(wire))
    assert isinstance(manifest, Manifest)
    return manifest


def build_index(
    manifests: tuple[Descriptor, ...] | list[Descriptor],
    *,
    media_type: str = mediatype.OCI_INDEX,
    annotations: dict[str, str] | None = None,
) -> Index:
    """Make an index; equal arguments give equal bytes."""
    wire = _Wire(
        schema_version=2,
        media_type=media_type,
        manifests=list(manifests),
        annotations=annotations or None,
    )
    index = parse_manifest(msgspec.json.encode(wire))
    assert isinstance(index, Index)
    return index
