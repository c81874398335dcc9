"""Archives on disk as the target of a copy: they appear whole, or not at all."""

from __future__ import annotations

import os
import secrets

from naru.client.copying.composed import compose
from naru.client.copying.content import file_failure
from naru.client.copying.files import write_whole
from naru.errors import InvalidInputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from naru.client.copying.content import ImageContent, Pieces
    from naru.oci.reference import Reference

_MODE = 0o600


class ArchiveTarget:
    """A file that is made, or replaced once the archive is whole."""

    keeps_manifests = True

    def __init__(self, path: str, *, tag: str = "", as_saved: bool) -> None:
        """Write to `path`: as `docker save` does, or an OCI layout, in it under `tag` if given.

        Raises:
            InvalidInputError: there is no such folder, or something else than a file at `path`.
        """
        self._path = path
        self._tag = tag
        self._as_saved = as_saved
        folder = os.path.dirname(path) or "."
        if not os.path.isdir(folder):
            raise InvalidInputError(f"{path}: there is no folder {folder}")
        if os.path.lexists(path) and not os.path.isfile(path):
            raise InvalidInputError(f"{path} is no file, as an archive is")

    def missing(self, content: ImageContent) -> list[int]:
        return list(range(len(content.layers)))

    def put(
        self,
        content: ImageContent,
        name: Reference | None,
        positions: Sequence[int],
        layers: Iterator[Pieces],
    ) -> None:
        pieces = compose(
            content,
            name,
            positions,
            layers,
            as_layout=True,
            as_saved=self._as_saved,
            is_portable=True,
            tag=self._tag,
        )
        folder = os.path.dirname(self._path) or "."
        temporary = f"{folder}/.naru-copy-{secrets.token_hex(8)}"
        try:
            write_whole(self._path, temporary, pieces, _MODE)
        except OSError as error:
            raise file_failure(self._path, error) from error
