"""Which images there are, and which of them a name means.

Owns names: everything a user may type for an image is resolved here, with Docker's precedence
and messages. All calls are short (rows, and one small blob per image the first time) and may be
made from any thread.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from naru.clock import Clock
from naru.db.images import ImageRow, ImageRows, NameRow
from naru.errors import ConflictError, CorruptDataError, InvalidInputError, NotFoundError
from naru.images.recently_read import RecentlyRead
from naru.images.removal import Removed, UsersOf, remove_rows
from naru.oci.digest import ChainId, DiffId, Digest, is_digest
from naru.oci.image_config import MAX_CONFIG_SIZE, ImageConfig, parse_image_config
from naru.oci.manifest import MAX_MANIFEST_SIZE, Manifest, parse_manifest
from naru.oci.platform import Platform, matches
from naru.oci.reference import Reference
from naru.store.content import ContentStore
from naru.units import parse_time

# Before all times that an image can have.
_NEVER = -(1 << 63)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Image:
    """One image as it stands now. Names are familiar forms, as Docker prints them.

    `size` is the sum of `layer_sizes`, bytes of unpacked layers, lowest first. `created` is
    RFC 3339 from the config, or empty. `tagged_ns` is when it was last tagged here, or 0.
    """

    id: str
    manifest_digest: Digest
    repo_tags: tuple[str, ...]
    repo_digests: tuple[str, ...]
    size: int
    layer_sizes: tuple[int, ...]
    created: str
    config: ImageConfig
    chain_id: ChainId | None
    parent_id: str
    tagged_ns: int

    @property
    def layers(self) -> tuple[DiffId, ...]:
        """The layers' diff_ids, lowest first."""
        return self.config.diff_ids

    @property
    def created_ns(self) -> int | None:
        """When it was made, in nanoseconds since 1970; None if it does not say."""
        try:
            return parse_time(self.created, now_ns=0) if self.created else None
        except InvalidInputError:
            return None

    @property
    def age_key(self) -> tuple[int, int, str]:
        """What sorts images from old to young: when they were made, tagged, and their ids."""
        created = self.created_ns
        return (_NEVER if created is None else created, self.tagged_ns, self.id)


class Catalog:
    """The images of one engine, by name and by id."""

    def __init__(
        self,
        rows: ImageRows,
        content: ContentStore,
        clock: Clock,
        *,
        changed: Callable[[], object],
        collect: Callable[[], Sequence[ChainId]],
        settle: Callable[[], object],
    ) -> None:
        """Serve `rows`.

        `changed` hears of every change of names. `collect` frees what nothing names any more
        and returns the layers that went, topmost first. `settle` puts all blobs on the disk.
        """
        self._rows = rows
        self._content = content
        self._clock = clock
        self._changed = changed
        self._collect = collect
        self._settle = settle
        self._configs = RecentlyRead(self._read_config)
        self._manifests = RecentlyRead(self._read_manifest)

    def resolve(self, name: str, platform: Platform | None = None) -> Image:
        """Return the image that a user means: a name counts before an id.

        Accepted are familiar and canonical names, with a tag, a digest or neither (`latest`),
        whole ids, and the start of an id that no other image shares, with and without
        `sha256:`.

        Raises:
            InvalidInputError: this can name nothing.
            NotFoundError: `No such image: name:tag`, also when a prefix fits several images,
                which only the hint tells; or the image is for another `platform` than wanted.

        Spec: moby, daemon/images/image.go, GetImage.
        """
        row = self._find(name)
        image = self._image(row, self._rows.names(row.image_id))
        if platform is not None and not matches(image.config.platform, platform):
            raise NotFoundError(
                f"image with reference {name} was found but its platform "
                f"({image.config.platform}) does not match the specified platform ({platform})"
            )
        return image

    def get(self, image_id: str) -> Image | None:
        """Return an image by its whole id; None if there is none."""
        row = self._rows.get(image_id)
        return self._image(row, self._rows.names(image_id)) if row else None

    def manifest(self, image: Image) -> Manifest:
        """Return the manifest that an image came with, or that was made for it.

        Raises:
            NotFoundError, CorruptDataError, NotSupportedError: it has just gone, is damaged, or
                is not of this image.
        """
        manifest = self._manifests.get(image.manifest_digest)
        if len(manifest.layers) != len(image.layers):
            raise CorruptDataError(f"image {image.id} has no manifest that fits its config")
        return manifest

    def in_repository(self, repository: Reference) -> list[Reference]:
        """Return all names of images in a repository, sorted, tags before digests."""
        names = (row.reference for row in self._rows.names())
        return [reference for reference in names if reference.name == repository.name]

    def images(self) -> list[Image]:
        """Return all images, youngest first, as `docker images` lists them."""
        names: dict[str, list[NameRow]] = {}
        for name in self._rows.names():
            names.setdefault(name.image_id, []).append(name)
        found = []
        for row in self._rows.all():
            try:
                found.append(self._image(row, names.get(row.image_id, [])))
            except (NotFoundError, CorruptDataError) as error:
                # Removed just now, or damaged: the others are still worth listing.
                _log.warning("image %s is not readable: %s", row.image_id, error)
        return sorted(found, key=lambda image: image.age_key, reverse=True)

    def refresh_index(self) -> None:
        """Tell the world outside anew which images there are."""
        self._changed()

    def children(self, image_id: str) -> list[Digest]:
        """Return the images that were built on this one."""
        return self._rows.children(image_id)

    def add(
        self, images: Sequence[tuple[ImageRow, Sequence[Reference]]], *, durable: bool = True
    ) -> bool:
        """Make images known, and give them names: all of it, or nothing. Durable, idempotent.

        Without `durable` a power cut in the next seconds may take them away again, but no name
        that another image had: where one is taken over, all of it is durable all the same.

        Their manifests, configs and layers must be stored, and leased until this returns. An
        image that is known already keeps the manifest that it has, which a registry may have
        given it. Says whether that left some of the new content without use.
        """
        now = self._clock.now_ns()
        superseded = False
        with self._rows.write():
            for row, names in images:
                known = self._rows.get(row.image_id)
                if known is not None and self._content.stat(known.manifest_digest) is not None:
                    superseded = superseded or known.manifest_digest != row.manifest_digest
                    row = replace(row, manifest_digest=known.manifest_digest)
                self._rows.put(row)
                for reference in names:
                    durable = durable or self._is_others(reference, row.image_id)
                    self._rows.set_name(NameRow(reference, row.image_id), now)
        if durable:
            self._make_durable()
        self._changed()
        return superseded

    def _is_others(self, reference: Reference, image_id: str) -> bool:
        found = self._rows.find_name(reference)
        return found is not None and found.image_id != image_id

    def _make_durable(self) -> None:
        """Put all on the disk, and what it may stand on: who hears of it may pull the plug."""
        self._settle()
        self._rows.sync()

    def add_pulled(self, row: ImageRow, tag: Reference | None, digest: Reference) -> Image:
        """Make a pulled image known under its tag and under the digest that the registry uses.

        Returns it as it then is. All of it, or nothing. Durable, idempotent. Its manifest, config
        and layers must be stored, and leased until this returns. Unlike tagging, pulling is no
        event in the life of the image, so the time of its last tagging stays.
        """
        with self._rows.write():
            self._rows.put(row)
            for reference in (tag, digest):
                if reference is not None:
                    name = NameRow(reference, row.image_id, row.manifest_digest)
                    self._rows.set_name(name)
            image = self._image(self._rows.get(row.image_id) or row, self._rows.names(row.image_id))
        self._make_durable()
        self._changed()
        return image

    def add_pushed(self, image_id: str, digest: Reference) -> None:
        """Name an image as the registry does that it was pushed to. Idempotent.

        An image that was removed meanwhile stays so. The manifest must be stored, and leased
        until this returns.
        """
        with self._rows.write():
            row = self._rows.get(image_id)
            if row is None:
                return
            self._rows.set_name(NameRow(digest, row.image_id, row.manifest_digest))
        self._changed()

    def known_digest(self, reference: Reference) -> Image | None:
        """Return the image that was pulled from this repository with this digest, if any."""
        found = self._rows.find_name(reference)
        return self.get(found.image_id) if found else None

    def tag(self, image_id: str, target: Reference) -> None:
        """Name an image `target`, taking the name from any other. Durable, idempotent.

        Raises:
            InvalidInputError: `target` has a digest, or is named like a digest algorithm.
            NotFoundError: no such image.
        """
        check_tag_target(target)
        if self._rows.get(image_id) is None:
            raise NotFoundError(f"No such image: {image_id}")
        name = NameRow(target.with_default_tag(), Digest(image_id))
        self._rows.set_name(name, self._clock.now_ns())
        self._make_durable()
        self._changed()

    def remove(
        self, name: str, *, force: bool, prune: bool, users: UsersOf
    ) -> list[dict[str, str]]:
        """Untag `name`, delete the image if that was its last name, and free what it took.

        Returns what was done, in order: `{"Untagged": name}` and `{"Deleted": id or chain id}`.
        Names and image go in one transaction; freeing the space afterwards is repeated by the
        next collection if it is cut short.

        Raises:
            InvalidInputError, NotFoundError: as `resolve`.
            ConflictError: with Docker's reason why the image stays.
        """
        row = self._find(name)
        removed = remove_rows(self._rows, row, name, force=force, prune=prune, users=users)
        self._changed()
        if any(map(_frees_content, removed.records)):
            for chain_id in self._collect():
                removed.deleted(chain_id)
        return removed.records

    def remove_unused(
        self, unused: Iterable[tuple[str, Sequence[str]]], *, users: UsersOf
    ) -> list[list[dict[str, str]]]:
        """Remove names of images, and images without one, as far as nothing needs them any more.

        `unused` are pairs of an image's id and of the names that go; of an image without a
        name there are none, and it goes itself. Returns what was done, as `remove`, for each
        pair and then for the layers. Space is freed once, at the end.
        """
        done: list[list[dict[str, str]]] = []
        for image_id, names in unused:
            row = self._rows.get(image_id)
            records: list[dict[str, str]] = []
            for name in names or [image_id]:
                if row is None:
                    continue
                text = Reference.parse(name).canonical if names else name
                # A digest goes with the last tag of its repository, before its turn comes.
                with contextlib.suppress(ConflictError, NotFoundError):
                    records += remove_rows(
                        self._rows, row, text, force=False, prune=True, users=users
                    ).records
            done.append(records)
        self._changed()
        layers = Removed()
        if any(_frees_content(record) for records in done for record in records):
            for chain_id in self._collect():
                layers.deleted(chain_id)
        return [*done, layers.records]

    def _find(self, text: str) -> ImageRow:
        """Return the row that `text` means."""
        if is_digest(text) or is_digest(f"sha256:{text}"):
            whole = text if ":" in text else f"sha256:{text}"
            row = self._rows.get(whole)
            if row is None:
                raise NotFoundError(f"No such image: {whole}")
            return row
        reference = Reference.parse(text).with_default_tag()
        name = self._rows.find_name(reference)
        row = self._rows.get(name.image_id) if name else None
        found = [row] if row else self._by_prefix(text)
        if len(found) != 1:
            hint = f"the ids of several images begin with {text}" if found else ""
            raise NotFoundError(f"No such image: {reference.familiar}", hint=hint)
        return found[0]

    def _by_prefix(self, text: str) -> list[ImageRow]:
        prefix = text.removeprefix("sha256:")
        if not prefix or any(character not in "0123456789abcdef" for character in prefix):
            return []
        return self._rows.by_prefix(f"sha256:{prefix}")

    def _image(self, row: ImageRow, names: Sequence[NameRow]) -> Image:
        config = self._configs.get(row.image_id)
        references = [name.reference for name in names]
        return Image(
            id=row.image_id,
            manifest_digest=row.manifest_digest,
            repo_tags=tuple(ref.familiar for ref in references if not ref.digest),
            repo_digests=tuple(ref.familiar for ref in references if ref.digest),
            size=sum(row.layer_sizes),
            layer_sizes=row.layer_sizes,
            created=config.created,
            config=config,
            chain_id=row.chain_id,
            parent_id=row.parent_id,
            tagged_ns=row.tagged_ns,
        )

    def _read_config(self, digest: Digest) -> ImageConfig:
        return parse_image_config(self._content.read(digest, MAX_CONFIG_SIZE))

    def _read_manifest(self, digest: Digest) -> Manifest:
        found = parse_manifest(self._content.read(digest, MAX_MANIFEST_SIZE))
        if not isinstance(found, Manifest):
            raise CorruptDataError(f"manifest {digest} is an index, not one of an image")
        return found


def _frees_content(record: dict[str, str]) -> bool:
    """Say whether what was removed may have been the last to need something.

    A digest is one that a registry uses, of an index or of a manifest of its own.
    """
    return "Deleted" in record or "@" in record.get("Untagged", "")


def check_tag_target(target: Reference) -> None:
    """Refuse what must not become a tag.

    Raises:
        InvalidInputError: `target` has a digest, or is named like a digest algorithm.
    """
    if target.digest is not None:
        raise InvalidInputError("refusing to create a tag with a digest reference")
    if target.familiar_name == "sha256":
        raise InvalidInputError(
            "refusing to create an ambiguous tag using digest algorithm as name"
        )
