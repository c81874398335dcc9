"""Where images are copied from and to: the words of `image copy`, read into places.

    web:1                        the engine that the command talks to
    engine:oci                   the same, for a name that looks like something else
    engine:                      the same, for an image that keeps its name
    ssh://me@prod#web:1          another engine, by ssh:// unix:// tcp:// or context:NAME
    docker://host/repo:tag       a registry
    oci:DIR:tag                  an OCI layout in a folder
    oci-archive:FILE:tag         an OCI layout in an archive
    docker-archive:FILE:name     an archive as of `docker save`

What stands behind `#`, or behind the second colon, may be left out: the image keeps its name.
"""

from __future__ import annotations

from dataclasses import dataclass

from naru.cli.failure import CommandFailedError
from naru.errors import InvalidInputError
from naru.oci.digest import is_digest
from naru.oci.reference import Reference, is_tag

_ENGINES = ("ssh", "unix", "tcp")
_FILES = ("oci", "oci-archive", "docker-archive")
_KNOWN = (
    "a name, engine:NAME, ssh://HOST#NAME, unix://SOCKET#NAME, tcp://HOST:PORT#NAME, "
    "context:CONTEXT#NAME, docker://REGISTRY/NAME, oci:DIR:TAG, oci-archive:FILE:TAG or "
    "docker-archive:FILE:NAME"
)


@dataclass(frozen=True)
class EnginePlace:
    """An engine: by `host` or by `context`, or with neither the one of the command."""

    text: str
    name: str
    host: str = ""
    context: str = ""


@dataclass(frozen=True)
class RegistryPlace:
    """A repository of a registry, with a tag or a digest."""

    text: str
    reference: Reference


@dataclass(frozen=True)
class FilePlace:
    """A folder or a file; `kind` is `oci`, `oci-archive` or `docker-archive`."""

    text: str
    kind: str
    path: str
    name: str


Place = EnginePlace | RegistryPlace | FilePlace


def parse_place(text: str) -> Place:
    """Read one place.

    Raises:
        CommandFailedError: it is none, and what would be.
    """
    scheme, separator, rest = text.partition("://")
    if separator and scheme == "docker":
        return RegistryPlace(text, _reference(rest, text).with_default_tag())
    if separator and scheme in _ENGINES:
        host, _, name = text.partition("#")
        return EnginePlace(text, name, host=host)
    if separator:
        raise CommandFailedError(f'"{text}": {scheme}:// is no place for images, use {_KNOWN}')
    kind, colon, rest = text.partition(":")
    if colon and kind in _FILES:
        path, _, name = rest.partition(":")
        if not path:
            what = "folder" if kind == "oci" else "file"
            raise CommandFailedError(f'"{text}" names no {what}, as in {kind}:PATH')
        return FilePlace(text, kind, path, name)
    if colon and kind == "context":
        context, _, name = rest.partition("#")
        if not context:
            raise CommandFailedError(f'"{text}" names no context, as in context:NAME#IMAGE')
        return EnginePlace(text, name, context=context)
    if colon and kind == "engine":
        return EnginePlace(text, rest)
    if not text:
        raise CommandFailedError(f"an empty place: use {_KNOWN}")
    return EnginePlace(text, text)


def check_source(place: Place) -> None:
    """Refuse what an image cannot come from.

    Raises:
        CommandFailedError: an engine without a name, or a name that can be none.
    """
    if isinstance(place, EnginePlace):
        if not place.name:
            sign = "" if place.text.endswith((":", "#")) else "#"
            raise CommandFailedError(f'"{place.text}" names no image, as in {place.text}{sign}NAME')
        if not is_digest(place.name) and not is_digest(f"sha256:{place.name}"):
            _reference(place.name, place.text)
    elif isinstance(place, FilePlace) and place.kind == "docker-archive" and place.name:
        _reference(place.name, place.text)


def target_name(place: Place) -> Reference | None:
    """Return what an image is to be called at its target; None for the name it has.

    Raises:
        CommandFailedError: what the place says can be no name there.
    """
    if isinstance(place, RegistryPlace):
        if place.reference.digest:
            raise CommandFailedError(f'"{place.text}": an image is sent under a tag, not a digest')
        return place.reference
    if not place.name:
        return None
    if isinstance(place, FilePlace) and place.kind != "docker-archive":
        if is_tag(place.name):
            # A tag alone, which only the layout has.
            return None
        return _tagged(place.name, place.text)
    if is_digest(f"sha256:{place.name}"):
        raise CommandFailedError(f'"{place.text}": an id cannot be a name')
    return _tagged(place.name, place.text)


def layout_tag(place: FilePlace) -> str:
    """Return the tag under which a layout is to list an image; "" for its name."""
    return place.name if place.kind != "docker-archive" and is_tag(place.name) else ""


def _tagged(name: str, text: str) -> Reference:
    reference = _reference(name, text).with_default_tag()
    if reference.digest:
        raise CommandFailedError(f'"{text}": an image is named by a tag, not by a digest')
    return reference


def _reference(name: str, text: str) -> Reference:
    try:
        return Reference.parse(name)
    except InvalidInputError as error:
        raise CommandFailedError(f'"{text}": {error.message}') from error
