"""What engines tell each other about images, as it travels."""

from __future__ import annotations

import json

import msgspec

from naru.api.image_content import BlobsRequest, ImageContent, MissingAnswer, MissingRequest


def test_documents_travel_to_the_byte() -> None:
    odd = b'{"a": "\xff"}\n\n'
    sent = ImageContent(id="sha256:1", name="x:1", manifest=odd, manifest_type="t", config=b"\0")
    wire = msgspec.json.encode(sent)
    assert set(json.loads(wire)) == {"Id", "Name", "Manifest", "ManifestType", "Config"}
    assert msgspec.json.decode(wire, type=ImageContent) == sent


def test_what_is_missing_is_named_as_in_image_configs() -> None:
    asked = MissingRequest(blobs=["a"], diff_ids=["b", "c"])
    assert json.loads(msgspec.json.encode(asked)) == {"Blobs": ["a"], "DiffIDs": ["b", "c"]}
    assert msgspec.json.decode(b'{"DiffIDs": ["c"]}', type=MissingAnswer) == MissingAnswer(
        [], ["c"]
    )


def test_nothing_asked_for_is_no_error() -> None:
    assert msgspec.json.decode(b"{}", type=BlobsRequest).blobs == []
    assert msgspec.json.decode(b"{}", type=MissingRequest) == MissingRequest([], [])
