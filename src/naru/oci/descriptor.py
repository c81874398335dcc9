"""Descriptors: media type, digest and size of a blob somewhere else.

Spec: image-spec v1.1, descriptor.md.
"""

from __future__ import annotations

import msgspec

from naru.errors import CorruptDataError, InvalidInputError
from naru.oci.digest import Digest, parse_digest
from naru.oci.platform import Platform


class Descriptor(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", kw_only=True):
    """Points at a blob and says what it is. Attributes are the wire's names in snake case."""

    media_type: str = ""
    digest: Digest
    size: int
    urls: tuple[str, ...] = ()
    annotations: dict[str, str] | None = None
    data: str = ""
    artifact_type: str = ""
    platform: Platform | None = None

    def checked(self) -> Descriptor:
        """Return the descriptor itself if its digest and size make sense.

        Raises:
            CorruptDataError: they do not.
        """
        try:
            parse_digest(self.digest)
        except InvalidInputError as error:
            raise CorruptDataError(f"descriptor digest {self.digest!r}: {error.message}") from error
        if not 0 <= self.size < 2**63:
            raise CorruptDataError(f"descriptor of {self.digest} has size {self.size}")
        return self
