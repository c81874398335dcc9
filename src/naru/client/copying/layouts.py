"""OCI image layouts, in folders and archives: reading an image out of one, writing one into one.

Spec: image-spec v1.1, image-layout.md; annotations as `save` writes them.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from contextlib import contextmanager, suppress

from naru.client.copying import content as contents
from naru.client.copying.content import ImageContent, file_failure
from naru.client.copying.files import Files, FolderFiles, read_document, write_whole
from naru.client.copying.portable import ORIGINAL, blob_name, original, portable
from naru.errors import CorruptDataError, InvalidInputError, NotFoundError, NotSupportedError
from naru.oci import mediatype
from naru.oci.annotations import FULL_NAME, REF_NAME
from naru.oci.descriptor import Descriptor
from naru.oci.digest import Digest, Hasher, algorithm_of, digest_bytes
from naru.oci.image_config import parse_image_config
from naru.oci.manifest import Index, Manifest, build_index, parse_manifest
from naru.oci.platform import Platform, host_platform
from naru.oci.reference import Reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from naru.client.copying.content import Pieces

LAYOUT = b'{"imageLayoutVersion": "1.0.0"}'
_DEPTH = 8
_MODE = 0o644
_TEMPORARY = ".naru-copy-"


class LayoutSource:
    """One image of a layout."""

    def __init__(
        self, files: Files, name: str, platform: Platform | None, preferred: Platform | None = None
    ) -> None:
        """Find the image called `name`, or the only one.

        Of one for several platforms that for `platform` is taken, or else the best for the
        `preferred` one, which by default is this machine's.

        Raises:
            NotFoundError: there is none, or not for this platform.
            InvalidInputError: several would do.
            CorruptDataError: the layout contradicts itself.
        """
        self._files = files
        wanted = platform or preferred or host_platform()
        entry = _chosen(_read_index(files), name, wanted, files.label)
        manifest = self._manifest(entry, wanted)
        for layer in manifest.layers:
            if not mediatype.is_layer(layer.media_type):
                raise NotSupportedError(
                    f"{files.label}: {layer.media_type!r} is no layer of an image"
                )
        config = parse_image_config(self._document(manifest.config))
        self.content = contents.make_content(manifest, config, _name_of(entry), is_original=True)
        contents.require_platform(self.content, platform, files.label)

    def layers(self, positions: Sequence[int]) -> Iterator[Pieces]:
        for position in positions:
            layer = self.content.layers[position]
            yield contents.exactly(self._files.pieces(blob_name(layer.digest)), layer)

    def close(self) -> None:
        self._files.close()

    def _manifest(self, entry: Descriptor, wanted: Platform) -> Manifest:
        for _ in range(_DEPTH):
            found = parse_manifest(self._document(entry), entry.media_type)
            if isinstance(found, Manifest):
                return original(self._files, entry, found)
            entry = _for_platform(found.manifests, wanted, self._files.label)
        raise CorruptDataError(f"{self._files.label}: an index of indexes that is too deep")

    def _document(self, entry: Descriptor) -> bytes:
        raw = read_document(self._files, blob_name(entry.checked().digest))
        actual = digest_bytes(raw, algorithm_of(entry.digest))
        if actual != entry.digest:
            raise CorruptDataError(f"{self._files.label}: blob {entry.digest} is {actual}")
        return raw


class LayoutTarget:
    """A folder that is a layout, or becomes one. Blobs that are there are not written again."""

    keeps_manifests = True

    def __init__(self, path: str, tag: str) -> None:
        """Write into `path`, under `tag`, or under the image's own name if that is empty.

        Raises:
            InvalidInputError: there is something else at `path`.
        """
        self._path = path
        self._tag = tag
        if os.path.lexists(path) and not os.path.isdir(path):
            raise InvalidInputError(f"{path} is no folder, as an OCI layout is")
        if os.path.isdir(path) and os.listdir(path) and not os.path.exists(f"{path}/oci-layout"):
            raise InvalidInputError(f"{path} has files in it and is no OCI layout")

    def missing(self, content: ImageContent) -> list[int]:
        return [
            position
            for position, layer in enumerate(content.layers)
            if not self._has(layer.digest, layer.size)
        ]

    def put(
        self,
        content: ImageContent,
        name: Reference | None,
        positions: Sequence[int],
        layers: Iterator[Pieces],
    ) -> None:
        """Write the image, its entry in `index.json` last.

        What is cut off leaves whole blobs that nothing names, for the next copy to use.
        """
        listed = portable(content.manifest)
        entry = index_entry(listed, name, self._tag, original=content.manifest.digest)
        try:
            self._begin()
            with self._locked():
                for position, pieces in zip(positions, layers, strict=True):
                    self._write_blob(content.layers[position].digest, pieces)
                for raw in dict.fromkeys((content.config.raw, content.manifest.raw, listed.raw)):
                    self._write_blob(digest_bytes(raw), [raw])
                self._enter(entry)
        except OSError as error:
            raise file_failure(self._path, error) from error

    def _begin(self) -> None:
        os.makedirs(f"{self._path}/blobs/sha256", exist_ok=True)
        if not os.path.exists(f"{self._path}/oci-layout"):
            self._write("oci-layout", [LAYOUT])

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other copies out of the folder, and clear away what a killed one left."""
        folder = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            for left in os.listdir(self._path):
                if left.startswith(_TEMPORARY):
                    os.unlink(f"{self._path}/{left}")
            yield
        finally:
            os.close(folder)

    def _has(self, digest: Digest, size: int) -> bool:
        with suppress(OSError):
            return os.stat(f"{self._path}/{blob_name(digest)}").st_size == size
        return False

    def _write_blob(self, digest: Digest, pieces: Iterable[bytes]) -> None:
        hasher = Hasher(algorithm_of(digest))

        def checked() -> Iterator[bytes]:
            for piece in pieces:
                hasher.update(piece)
                yield piece
            if hasher.digest() != digest:
                raise CorruptDataError(f"blob {digest} came as {hasher.digest()}")

        os.makedirs(f"{self._path}/blobs/{algorithm_of(digest)}", exist_ok=True)
        self._write(blob_name(digest), checked())

    def _enter(self, entry: Descriptor) -> None:
        """Put the entry in place of any of its name."""
        try:
            index = _read_index(FolderFiles(self._path))
        except NotFoundError:
            index = build_index(())
        key = _key(entry)
        kept = [
            other
            for other in index.manifests
            if (_key(other) != key if any(key) else other.digest != entry.digest)
        ]
        annotations = index.annotations
        self._write("index.json", [build_index([*kept, entry], annotations=annotations).raw])

    def _write(self, name: str, pieces: Iterable[bytes]) -> None:
        temporary = f"{self._path}/{_TEMPORARY}{secrets.token_hex(8)}"
        write_whole(f"{self._path}/{name}", temporary, pieces, _MODE)


def index_entry(
    manifest: Manifest, name: Reference | None, tag: str = "", *, original: Digest | None = None
) -> Descriptor:
    """Return how an index lists an image: by its name, or else by a tag alone.

    `original` is the manifest that this one was made of, if it is another.
    """
    annotations = {}
    if tag:
        annotations = {REF_NAME: tag}
    elif name is not None:
        annotations = {FULL_NAME: name.canonical, REF_NAME: name.tag}
    if original is not None and original != manifest.digest:
        annotations[ORIGINAL] = original
    return Descriptor(
        media_type=manifest.media_type,
        digest=manifest.digest,
        size=len(manifest.raw),
        annotations=annotations or None,
    )


def _read_index(files: Files) -> Index:
    index = parse_manifest(read_document(files, "index.json"), mediatype.OCI_INDEX)
    if not isinstance(index, Index):
        raise CorruptDataError(f"{files.label}: index.json is no index")
    return index


def _key(entry: Descriptor) -> tuple[str, str]:
    annotations = entry.annotations or {}
    return annotations.get(FULL_NAME, ""), annotations.get(REF_NAME, "")


def _name_of(entry: Descriptor) -> Reference | None:
    """Return the name that an entry gives its image; a bare tag is none."""
    full, ref = _key(entry)
    name = full or (ref if any(mark in ref for mark in "/:") else "")
    return Reference.parse(name).with_default_tag() if name else None


def _is_called(entry: Descriptor, name: str) -> bool:
    full, ref = _key(entry)
    if name in (full, ref):
        return True
    own = _name_of(entry)
    with suppress(InvalidInputError):
        return own is not None and Reference.parse(name).with_default_tag() == own
    return False


def _chosen(index: Index, name: str, wanted: Platform, label: str) -> Descriptor:
    images = [
        entry
        for entry in index.manifests
        if entry.media_type in mediatype.INDEXES | mediatype.MANIFESTS
    ]
    found = [entry for entry in images if not name or _is_called(entry, name)]
    names = sorted({" ".join(filter(None, _key(entry))) or entry.digest for entry in images})
    if not found:
        there = f", only {', '.join(names)}" if names else ""
        raise NotFoundError(f"{label} has no image {name}".rstrip() + there)
    if len({_key(entry) for entry in found}) > 1:
        raise InvalidInputError(f"{label} has several images, say which: {', '.join(names)}")
    return found[0] if len(found) == 1 else _for_platform(found, wanted, label)


def _for_platform(entries: Sequence[Descriptor], wanted: Platform, label: str) -> Descriptor:
    chosen = Index(b"", mediatype.OCI_INDEX, tuple(entries)).select(wanted)
    if chosen is None:
        raise NotFoundError(f"{label} has nothing for {wanted}")
    return chosen
