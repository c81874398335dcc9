"""`image copy`: an image from one place to another, without a registry between them."""

from __future__ import annotations

from contextlib import contextmanager

from naru.cli import registry_auth
from naru.cli.failure import CommandFailedError
from naru.cli.image_places import (
    EnginePlace,
    FilePlace,
    RegistryPlace,
    check_source,
    layout_tag,
    parse_place,
    target_name,
)
from naru.client.copying import registries
from naru.client.copying.engines import EngineTarget, NaruSource, is_naru, saved_by
from naru.client.copying.transfer import blamed, transfer
from naru.errors import InvalidInputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from naru.cli.image_places import Place
    from naru.cli.invocation import Invocation
    from naru.client.copying.content import Source, Target
    from naru.client.transport import Client
    from naru.oci.platform import Platform
    from naru.oci.reference import Reference


_ENGINE = "engine"


def copy(invocation: Invocation) -> int:
    """Copy one image."""
    source, target = map(parse_place, invocation.args)
    check_source(source)
    name = target_name(target)
    copying = _Copy(invocation)
    copying.run(source, target, name)
    copying.tell_what_is_left()
    return 0


class _Copy:
    """One `image copy`: what it was told, and how it goes on, on stdout."""

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation
        self._is_quiet = invocation.options["quiet"]
        self._platform_text: str = invocation.options["platform"]
        self._platform = _platform(self._platform_text)
        self._left: list[str] = []
        from naru.cli.progress import Screen

        out = invocation.stdout
        self._screen = None if self._is_quiet else Screen(out, is_terminal=out.isatty())

    def run(self, source: Place, target: Place, name: Reference | None) -> None:
        """Copy, by way of an engine where registries are concerned."""
        if isinstance(source, RegistryPlace):
            self._from_registry(source, target, name)
        elif isinstance(target, RegistryPlace):
            self._to_registry(source, target)
        else:
            self._between(source, target, name)

    def tell_what_is_left(self) -> None:
        """Say which names an engine keeps that it had not before."""
        for name in self._left:
            self._invocation.complain(f"the engine keeps the name {name}: the image has no other")

    def _between(
        self,
        source: EnginePlace | FilePlace,
        target: EnginePlace | FilePlace,
        name: Reference | None,
    ) -> None:
        with blamed(_label(target)):
            end = self._target(target)
        with blamed(_label(source)):
            start = self._source(source, target, end)
        try:
            name = name or start.content.name
            if name is None and isinstance(target, EnginePlace):
                raise CommandFailedError(
                    f"{source.text} has no name of its own: say what it is to be called, "
                    f"as in {_with_name(target)}"
                )
            copied = transfer(
                start,
                end,
                name,
                labels=(_label(source), _label(target)),
                report=self._report,
            )
            if start.content.is_original and end.keeps_manifests:
                self._say(f"Digest: {start.content.manifest.digest}")
        finally:
            start.close()
        from naru.cli.human import size

        sent = f"{copied.sent} of {copied.layers} layers ({size(copied.sent_bytes)})"
        self._say(f"Status: Sent {sent}")
        self._done(name, target)

    def _source(
        self, place: EnginePlace | FilePlace, target: EnginePlace | FilePlace, end: Target
    ) -> Source:
        if isinstance(place, FilePlace):
            return self._file_source(place, end)
        client = self._client(place)
        wants_plain = isinstance(target, FilePlace) and target.kind == "docker-archive"
        if not wants_plain and is_naru(client):
            source = NaruSource(client, place.name, self._platform)
            if not isinstance(end, EngineTarget) or end.reads(source.content):
                return source
        return saved_by(client, place.name, self._platform)

    def _file_source(self, place: FilePlace, end: Target) -> Source:
        from naru.client.copying.files import FolderFiles, open_archive
        from naru.client.copying.layouts import LayoutSource
        from naru.client.copying.saved import SavedSource

        files = FolderFiles(place.path) if place.kind == "oci" else open_archive(place.path)
        try:
            if place.kind == "docker-archive":
                return SavedSource(files, place.name, self._platform)
            preferred = end.platform if isinstance(end, EngineTarget) else None
            return LayoutSource(files, place.name, self._platform, preferred)
        except BaseException:
            files.close()
            raise

    def _target(self, place: EnginePlace | FilePlace) -> Target:
        if isinstance(place, EnginePlace):
            return EngineTarget(self._client(place))
        if place.kind == "oci":
            from naru.client.copying.layouts import LayoutTarget

            return LayoutTarget(place.path, layout_tag(place))
        from naru.client.copying.archives import ArchiveTarget

        is_saved = place.kind == "docker-archive"
        return ArchiveTarget(place.path, tag=layout_tag(place), as_saved=is_saved)

    def _from_registry(self, source: RegistryPlace, target: Place, name: Reference | None) -> None:
        """Let the engine that the image goes to pull it, or else ours, which forgets it again."""
        if isinstance(target, EnginePlace):
            client = self._client(target)
            pulled = self._pull(client, source)
            with blamed(_label(target)):
                name = name or source.reference
                if name.digest is None:
                    registries.tag(client, pulled, name)
            self._done(name, target)
            return
        with self._borrowed(source) as place:
            name = name or (None if source.reference.digest else source.reference)
            self.run(place, target, name)

    @contextmanager
    def _borrowed(self, source: RegistryPlace) -> Iterator[EnginePlace]:
        """Have our engine pull an image for the length of the block."""
        client = self._invocation.client
        with blamed(_ENGINE):
            items = client.get("/images/json", {"all": True})
            had = {name for item in items for name in item.get("RepoDigests") or ()}
        pulled = self._pull(client, source)
        try:
            yield EnginePlace(source.text, pulled)
        finally:
            self._forget_left(client)
            if pulled not in had and registries.find_image(client, pulled):
                registries.forget(client, pulled)

    def _pull(self, client: Client, source: RegistryPlace) -> str:
        reference = source.reference
        auth = registry_auth.headers(self._invocation, reference.registry)
        with blamed(source.text):
            return registries.pull(
                client,
                reference,
                platform=self._platform_text,
                auth=auth,
                report=self._report,
            )

    def _to_registry(self, source: EnginePlace | FilePlace, target: RegistryPlace) -> None:
        """Let the engine push that has the image; what is in a file, ours takes in for that."""
        if isinstance(source, EnginePlace):
            self._push(self._client(source), source.name, target)
        else:
            client = self._invocation.client
            with self._taken_in(source, client) as image_id:
                self._push(client, image_id, target)
        self._done(None, target)

    @contextmanager
    def _taken_in(self, source: FilePlace, client: Client) -> Iterator[str]:
        """Have our engine load an image without a name, for the length of the block."""
        with blamed(_ENGINE):
            end = EngineTarget(client)
        with blamed(_label(source)):
            start = self._file_source(source, end)
        try:
            image_id = start.content.config.digest
            with blamed(_ENGINE):
                had = registries.find_image(client, image_id) is not None
            labels = (_label(source), _ENGINE)
            transfer(start, end, None, labels=labels, report=self._report)
        finally:
            start.close()
        try:
            yield image_id
        finally:
            self._forget_left(client)
            image = registries.find_image(client, image_id)
            if image is not None and not had and not registries.names_of(image):
                registries.forget(client, image_id)

    def _forget_left(self, client: Client) -> None:
        while self._left:
            registries.forget(client, self._left.pop())

    def _push(self, client: Client, name: str, target: RegistryPlace) -> None:
        reference = target.reference
        auth = registry_auth.headers(self._invocation, reference.registry, always=True)
        with blamed(target.text):
            registries.push(
                client, name, reference, auth=auth, report=self._report, left=self._left
            )

    def _client(self, place: EnginePlace) -> Client:
        invocation = self._invocation
        if not place.host and not place.context:
            return invocation.client
        from naru.client import endpoint
        from naru.client.transport import Client

        host = place.host
        try:
            if place.context:
                from naru.cli import contexts

                config = invocation.root_options["config"]
                host = contexts.host_of(place.context, config, invocation.environ)
            return Client(endpoint.resolve(host, invocation.environ), environ=invocation.environ)
        except InvalidInputError as error:
            raise CommandFailedError(f"{place.text}: {error.message}") from error

    def _report(self, record: dict[str, Any]) -> None:
        if self._screen is not None:
            self._screen.show(record)
            self._invocation.stdout.flush()

    def _say(self, text: str) -> None:
        self._report({"status": text})

    def _done(self, name: Reference | None, target: Place) -> None:
        if isinstance(target, EnginePlace) and name is not None:
            self._invocation.print(_with_name(target, name.canonical))
        else:
            self._invocation.print(target.text)


def _platform(text: str) -> Platform | None:
    if not text:
        return None
    from naru.oci.platform import parse_platform

    try:
        return parse_platform(text)
    except InvalidInputError as error:
        raise CommandFailedError(f"invalid platform: {error.message}") from error


def _label(place: EnginePlace | FilePlace) -> str:
    """Return what errors call a place; files name themselves."""
    if isinstance(place, FilePlace):
        return ""
    return place.host or (f"context {place.context}" if place.context else _ENGINE)


def _with_name(place: EnginePlace, name: str = "NAME") -> str:
    if place.context:
        return f"context:{place.context}#{name}"
    return f"{place.host}#{name}" if place.host else f"engine:{name}"
