"""Engines as the ends of a copy: ours in their own words, others through `save` and `load`.

Ours tell what they lack and give layers as they are stored. A dockerd reads of an archive only
the layers that it has not got (moby, image/tarexport/load.go), so what it has need not be sent
to it either; its own images come whole.
"""

from __future__ import annotations

import msgspec

from naru.api.image_content import ImageContent as WireContent
from naru.client.copying import content as contents
from naru.client.copying.composed import compose
from naru.client.copying.content import CopyFailedError
from naru.client.copying.files import spooled
from naru.client.copying.saved import SavedSource
from naru.client.stream_failure import failure_in
from naru.client.transport import quote, version_key
from naru.errors import CorruptDataError, NaruError, NotSupportedError
from naru.oci import mediatype
from naru.oci.image_config import parse_image_config
from naru.oci.manifest import Manifest, parse_manifest
from naru.oci.platform import Platform
from naru.oci.reference import Reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from naru.client.copying.content import ImageContent, Pieces
    from naru.client.stream_failure import StreamFailure
    from naru.client.transport import Client
    from naru.client.wire import Response

_PIECE = 1 << 18
_TAR = {"Content-Type": "application/x-tar"}
# Docker 23.0, whose load was the first to read layers in zstd.
_READS_ZSTD = "1.42"
_CONTAINERD = ["driver-type", "io.containerd.snapshotter.v1"]


def is_naru(client: Client) -> bool:
    """Say whether an engine is one of ours.

    Raises:
        UnavailableError: nobody answers.
    """
    return _server(client).startswith("Naru/")


def _server(client: Client) -> str:
    if not client.server_headers:
        client.ping()
    return client.server_headers.get("server", "")


class NaruSource:
    """An image of an engine of ours, as it is stored."""

    def __init__(self, client: Client, name: str, platform: Platform | None) -> None:
        """Ask for its documents.

        Raises:
            NotFoundError: no such image, or it is not for the platform.
        """
        self._client = client
        response = client.raw("GET", f"{_path(name)}/content")
        try:
            wire = msgspec.json.decode(response.read(), type=WireContent)
        except msgspec.MsgspecError as error:
            raise CorruptDataError(f"the engine's answer is not readable: {error}") from error
        finally:
            client.release(response)
        manifest = parse_manifest(wire.manifest, wire.manifest_type)
        if not isinstance(manifest, Manifest):
            raise CorruptDataError(f"image {name} has no manifest")
        self.content = contents.make_content(
            manifest,
            parse_image_config(wire.config),
            Reference.parse(wire.name) if wire.name else None,
            is_original=True,
        )
        contents.require_platform(self.content, platform, f"image {name}")

    def layers(self, positions: Sequence[int]) -> Iterator[Pieces]:
        layers = [self.content.layers[position] for position in positions]
        path = f"{_path(self.content.config.digest)}/content"
        body = {"Blobs": [layer.digest for layer in layers]}
        response = self._client.raw("POST", path, body=body)
        try:
            for layer in layers:
                yield contents.exactly(_take(response, layer.size), layer)
            if response.some():
                raise CorruptDataError("the engine sends more than the layers asked for")
        finally:
            self._client.release(response)

    def close(self) -> None:
        self._client.close()


def _take(response: Response, size: int) -> Pieces:
    while size and (piece := response.some(min(size, _PIECE))):
        yield piece
        size -= len(piece)


def saved_by(client: Client, name: str, platform: Platform | None) -> SavedSource:
    """Return an image of any engine, by way of `save`: its layers without compression.

    Raises:
        NotFoundError: no such image.
        FaultError: the disk here is full.
    """
    response = client.raw("GET", "/images/get", {"names": name})
    try:
        files = spooled(response, f"what the engine saves of {name}")
    finally:
        client.release(response)
        client.close()
    # An archive of one image has names only if it was asked for by one.
    return SavedSource(files, "", platform)


class EngineTarget:
    """An engine that loads what it lacks."""

    def __init__(self, client: Client) -> None:
        """Find out what kind of engine it is.

        Raises:
            UnavailableError: nobody answers.
        """
        self._client = client
        self._is_naru = is_naru(client)

    @property
    def keeps_manifests(self) -> bool:
        return self._is_naru

    @property
    def platform(self) -> Platform:
        """What it runs images for."""
        version = self._client.get("/version")
        return Platform(os=version["Os"], architecture=version["Arch"]).normalised()

    def reads(self, content: ImageContent) -> bool:
        """Say whether it reads layers that are compressed as these are."""
        if self._is_naru or version_key(self._client.api_version) >= version_key(_READS_ZSTD):
            return True
        return not any(
            mediatype.layer_compression(layer.media_type) == "zstd" for layer in content.layers
        )

    def missing(self, content: ImageContent) -> list[int]:
        digests = [layer.digest for layer in content.layers]
        if self._is_naru and content.is_original:
            answer = self._client.post("/images/missing", body={"Blobs": digests})
            lacking = set(answer["Blobs"])
            return [n for n, digest in enumerate(digests) if digest in lacking]
        diff_ids = list(content.config.diff_ids)
        if self._is_naru:
            answer = self._client.post("/images/missing", body={"DiffIDs": diff_ids})
            known = len(diff_ids) - len(answer["DiffIDs"])
        else:
            known = self._known_layers(diff_ids) if self._takes_partial() else 0
        return list(range(known, len(diff_ids)))

    def put(
        self,
        content: ImageContent,
        name: Reference | None,
        positions: Sequence[int],
        layers: Iterator[Pieces],
    ) -> None:
        if not self.reads(content):
            raise NotSupportedError("the engine cannot read layers that are compressed with zstd")
        # What was made for the copy is better made anew of the layers that the engine has.
        as_layout = self._is_naru and content.is_original
        body = compose(
            content, name, positions, layers, as_layout=as_layout, as_saved=not as_layout
        )
        query: dict[str, Any] = {"quiet": True}
        if self._is_naru:
            query["keep"] = content.config.digest
        for record in self._client.stream("POST", "/images/load", query, body, _TAR):
            failure = failure_in(record)
            if failure is not None:
                raise _refusal(failure, is_partial=len(positions) < len(content.layers))

    def _takes_partial(self) -> bool:
        """Say whether it goes by the layers that it has, as only dockerd's own store does."""
        if not _server(self._client).startswith("Docker/"):
            return False
        status = self._client.get("/info").get("DriverStatus") or []
        return _CONTAINERD not in status

    def _known_layers(self, diff_ids: list[Any]) -> int:
        """Return how many of these layers, from the lowest on, some image there begins with."""
        known = 0
        for item in self._client.get("/images/json", {"all": True}):
            try:
                image = self._client.get(f"{_path(item['Id'])}/json")
            except NaruError:
                # Removed just now.
                continue
            theirs = (image.get("RootFS") or {}).get("Layers") or []
            while theirs[: known + 1] == diff_ids[: known + 1] and known < len(diff_ids):
                known += 1
            if known == len(diff_ids):
                break
        return known


def _refusal(failure: StreamFailure, *, is_partial: bool) -> NaruError:
    if is_partial and "no such file or directory" in failure.message:
        return CopyFailedError(
            f"{failure.message}: a layer went while the image was copied",
            hint="copy it again: what is missing now is asked anew",
        )
    return CopyFailedError(failure.message, hint=failure.hint)


def _path(name: str) -> str:
    return f"/images/{quote(name, b'/:@')}"
