"""References: the names of images, parsed once, with Docker Hub's short forms in one place.

A reference is always whole inside: `nginx` is the registry `docker.io` and the repository
`library/nginx`. The familiar form leaves out again what Docker's users leave out.

Spec: distribution/reference, grammar and normalisation; messages are that package's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from naru.errors import InvalidInputError
from naru.oci.digest import Digest, parse_digest

DEFAULT_REGISTRY = "docker.io"
DEFAULT_TAG = "latest"
_LEGACY_REGISTRY = "index.docker.io"
_OFFICIAL = "library/"
_MAX_REPOSITORY = 255

_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REPOSITORY = rf"{_COMPONENT}(?:/{_COMPONENT})*"
_HOST_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_HOST_LABEL}(?:\.{_HOST_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_TAG = r"[\w][\w.-]{0,127}"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
_REFERENCE = re.compile(
    rf"(?P<registry>{_HOST})/(?P<repository>{_REPOSITORY})"
    rf"(?::(?P<tag>{_TAG}))?(?:@(?P<digest>{_DIGEST}))?",
    re.ASCII,
)
_TAG_ALONE = re.compile(_TAG, re.ASCII)
_IMAGE_ID = re.compile(r"[a-f0-9]{64}")


@dataclass(frozen=True, slots=True)
class Reference:
    """`registry/repository[:tag][@digest]`. Made by `parse`; parts are valid by construction."""

    registry: str
    repository: str
    tag: str = ""
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read a familiar or canonical reference. No tag is added.

        Raises:
            InvalidInputError: with the message that Docker's own clients show.
        """
        if _IMAGE_ID.fullmatch(text):
            raise InvalidInputError(
                f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings"
            )
        registry, remainder = _split_registry(text)
        repository = remainder.partition(":")[0]
        if repository.lower() != repository:
            raise InvalidInputError(
                f"invalid reference format: repository name ({repository}) must be lowercase"
            )
        match = _REFERENCE.fullmatch(f"{registry}/{remainder}")
        if match is None:
            raise InvalidInputError("invalid reference format")
        if len(match["repository"]) > _MAX_REPOSITORY:
            raise InvalidInputError(
                f"repository name must not be more than {_MAX_REPOSITORY} characters"
            )
        digest = match["digest"]
        return cls(
            registry=match["registry"],
            repository=match["repository"],
            tag=match["tag"] or "",
            digest=parse_digest(digest) if digest else None,
        )

    @property
    def name(self) -> str:
        """`docker.io/library/nginx`: registry and repository."""
        return f"{self.registry}/{self.repository}"

    @property
    def canonical(self) -> str:
        """`docker.io/library/nginx:latest`: everything that is known, nothing left out."""
        return self.name + self._suffix()

    @property
    def familiar_name(self) -> str:
        """`nginx`: registry and repository as Docker's users write them."""
        if self.registry != DEFAULT_REGISTRY:
            return self.name
        short = self.repository.removeprefix(_OFFICIAL)
        if "/" in short:
            short = self.repository
        # What would be read as something else is not shortened.
        first, slash, _ = short.partition("/")
        is_ambiguous = (slash and _is_host(first)) or _IMAGE_ID.fullmatch(short)
        return self.name if is_ambiguous else short

    @property
    def familiar(self) -> str:
        """`nginx:latest`: the whole reference as Docker's users write it."""
        return self.familiar_name + self._suffix()

    @property
    def is_name_only(self) -> bool:
        """Neither tag nor digest is given."""
        return not self.tag and self.digest is None

    def _suffix(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{tag}@{self.digest}" if self.digest else tag

    def with_default_tag(self) -> Reference:
        """Return the reference with `latest` if it has neither tag nor digest."""
        return replace(self, tag=DEFAULT_TAG) if self.is_name_only else self

    def with_tag(self, tag: str) -> Reference:
        """Return the reference with another tag and no digest.

        Raises:
            InvalidInputError: no tag.
        """
        if not is_tag(tag):
            raise InvalidInputError("invalid tag format")
        return replace(self, tag=tag, digest=None)

    def with_digest(self, digest: Digest) -> Reference:
        """Return the repository at `digest`, without a tag."""
        return replace(self, tag="", digest=digest)

    def __str__(self) -> str:
        return self.familiar


def is_tag(text: str) -> bool:
    """Say whether `text` may be a tag."""
    return _TAG_ALONE.fullmatch(text) is not None


def split_search_term(term: str) -> tuple[str, str]:
    """Tell the registry that a search is for from the word. Pure.

    Unlike in a reference, capital letters make no host.

    Spec: moby, registry/search.go, splitReposSearchTerm.
    """
    first, slash, rest = term.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        return DEFAULT_REGISTRY, term
    return DEFAULT_REGISTRY if first == _LEGACY_REGISTRY else first, rest


def _split_registry(text: str) -> tuple[str, str]:
    """Tell the registry, which is the first part if that can be a host, from the rest."""
    first, slash, rest = text.partition("/")
    registry, remainder = (first, rest) if slash and _is_host(first) else (DEFAULT_REGISTRY, text)
    if registry == _LEGACY_REGISTRY:
        registry = DEFAULT_REGISTRY
    if registry == DEFAULT_REGISTRY and "/" not in remainder:
        remainder = _OFFICIAL + remainder
    return registry, remainder


def _is_host(first: str) -> bool:
    return "." in first or ":" in first or first == "localhost" or first.lower() != first
