"""What engines of all kinds are asked for and sent."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from typing import Any

import pytest

from fakes.memory_images import Memory, image
from naru.client.copying.content import CopyFailedError
from naru.client.copying.engines import EngineTarget
from naru.errors import NotFoundError, NotSupportedError
from naru.oci import mediatype
from naru.oci.reference import Reference


class Client:
    """Answers what a test says, and keeps what is loaded."""

    def __init__(self, server: str, answers: dict[str, Any], version: str = "1.41") -> None:
        self.server_headers = {"server": server}
        self.api_version = version
        self.answers = answers
        self.asked: list[tuple[str, Any]] = []
        self.records: list[dict[str, Any]] = []
        self.query: dict[str, Any] = {}
        self.loaded = b""

    def get(self, path: str, query: Any = None, headers: Any = None) -> Any:
        if path not in self.answers:
            raise NotFoundError(f"no {path}")
        return self.answers[path]

    def post(self, path: str, query: Any = None, body: Any = None, headers: Any = None) -> Any:
        self.asked.append((path, body))
        return self.answers[path]

    def stream(
        self, method: str, path: str, query: Any, body: Iterator[bytes], headers: Any
    ) -> Iterator[dict[str, Any]]:
        self.query = dict(query)
        self.loaded = b"".join(body)
        yield from self.records


def members(client: Client) -> set[str]:
    with tarfile.open(fileobj=io.BytesIO(client.loaded)) as archive:
        return {name.rpartition("/")[2] for name in archive.getnames()}


def put(client: Client, source: Memory, *, missing: list[int]) -> None:
    target = EngineTarget(client)  # type: ignore[arg-type]  # all of a client that it uses
    assert target.missing(source.content) == missing
    name = Reference.parse("web:1")
    target.put(source.content, name, missing, source.layers(missing))


def dockerd(*images: list[str], status: object = None, server: str = "Docker/20.10.24") -> Client:
    answers: dict[str, Any] = {
        "/info": {"DriverStatus": status},
        "/images/json": [{"Id": f"id{n}"} for n in range(len(images))] + [{"Id": "gone"}],
    }
    for number, layers in enumerate(images):
        answers[f"/images/id{number}/json"] = {"RootFS": {"Layers": layers}}
    return Client(server, answers)


def test_ours_is_asked_for_blobs_and_keeps_the_manifest() -> None:
    source = image(b"one", b"two")
    digests = [layer.digest for layer in source.content.layers]
    client = Client("Naru/1", {"/images/missing": {"Blobs": digests[1:], "DiffIDs": []}})
    put(client, source, missing=[1])
    assert client.asked == [("/images/missing", {"Blobs": digests})]
    assert {"index.json", source.content.manifest.digest[7:], digests[1][7:]} <= members(client)
    assert members(client).isdisjoint({"manifest.json", digests[0][7:]})
    assert client.query["keep"] == source.content.config.digest


def test_ours_is_asked_for_places_where_the_manifest_was_made_for_the_copy() -> None:
    source = image(b"one", b"two", is_original=False)
    diff_ids = list(source.content.config.diff_ids)
    client = Client("Naru/1", {"/images/missing": {"Blobs": [], "DiffIDs": diff_ids[1:]}})
    put(client, source, missing=[1])
    assert client.asked == [("/images/missing", {"DiffIDs": diff_ids})]
    assert "manifest.json" in members(client)
    assert "index.json" not in members(client)


def test_a_dockerd_is_sent_what_lies_above_what_it_has() -> None:
    source = image(b"one", b"two", b"three")
    one, two, three = (str(diff_id) for diff_id in source.content.config.diff_ids)
    client = dockerd([two, three], [one], [one, two, "other"], [one, three])
    put(client, source, missing=[2])
    assert {"manifest.json", three[7:]} <= members(client)
    assert members(client).isdisjoint({one[7:], two[7:]})
    assert "keep" not in client.query
    put(dockerd([one, two, three]), source, missing=[])
    put(dockerd(), source, missing=[0, 1, 2])


@pytest.mark.parametrize(
    ("server", "status"),
    [
        ("Docker/28.2.2", [["driver-type", "io.containerd.snapshotter.v1"]]),
        ("Libpod/4.3.1", None),
        ("", None),
    ],
)
def test_who_wants_whole_archives_gets_them(server: str, status: object) -> None:
    source = image(b"one", b"two")
    has = [str(diff_id) for diff_id in source.content.config.diff_ids]
    put(dockerd(has, status=status, server=server), source, missing=[0, 1])


def test_zstd_is_for_engines_that_read_it() -> None:
    source = image(b"one", layer_type=mediatype.OCI_LAYER_ZSTD)
    old, new = dockerd(), dockerd()
    new.api_version = "1.42"
    with pytest.raises(NotSupportedError, match="compressed with zstd"):
        put(old, source, missing=[0])
    put(new, source, missing=[0])


def test_an_error_in_the_stream_is_one() -> None:
    source = image(b"one", b"two")
    client = Client("Naru/1", {"/images/missing": {"Blobs": [], "DiffIDs": []}})
    client.records = [
        {"stream": "…"},
        {"errorDetail": {"message": "open x: no such file or directory"}},
    ]
    with pytest.raises(CopyFailedError, match="a layer went while the image was copied") as raised:
        put(client, source, missing=[])
    assert "copy it again" in raised.value.hint
    whole = dockerd()
    whole.records = [{"error": "no space left on device"}]
    with pytest.raises(CopyFailedError, match=r"^no space left on device$"):
        put(whole, source, missing=[0, 1])
