"""What copies ask of an engine: refused where it makes no sense, exact where it does."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest

from harness.archives import BUSYBOX, busybox_layer
from harness.engine import Engine
from harness.requirements import requires

pytestmark = [requires("root"), pytest.mark.naru_only]

ABSENT = "sha256:" + "0" * 64
LAYER = f"sha256:{hashlib.sha256(busybox_layer()).hexdigest()}"


def test_an_image_is_told_and_given_as_it_is_stored(engine: Engine) -> None:
    found = engine.api("GET", f"/images/{BUSYBOX}/content").ok(200).json()
    manifest, config = (base64.b64decode(found[key]) for key in ("Manifest", "Config"))
    assert found["Id"] == f"sha256:{hashlib.sha256(config).hexdigest()}"
    assert (found["Name"], json.loads(manifest)["mediaType"]) == (BUSYBOX, found["ManifestType"])
    assert [layer["digest"] for layer in json.loads(manifest)["layers"]] == [LAYER]
    by_id = engine.api("GET", f"/images/{found['Id']}/content").ok(200).json()
    assert by_id == found | {"Name": ""}
    layers = engine.api("POST", f"/images/{BUSYBOX}/content", {"Blobs": [LAYER, LAYER]}).ok(200)
    assert layers.body == busybox_layer() * 2
    assert engine.api("POST", f"/images/{BUSYBOX}/content", {}).ok(200).body == b""


def test_what_is_missing_is_told_by_digest_or_by_place(engine: Engine) -> None:
    def missing(**asked: list[str]) -> object:
        return engine.api("POST", "/images/missing", asked).ok(200).json()

    assert missing(Blobs=[ABSENT, LAYER]) == {"Blobs": [ABSENT], "DiffIDs": []}
    assert missing(DiffIDs=[LAYER, ABSENT]) == {"Blobs": [], "DiffIDs": [ABSENT]}
    assert missing(DiffIDs=[ABSENT, LAYER]) == {"Blobs": [], "DiffIDs": [ABSENT, LAYER]}
    assert missing() == {"Blobs": [], "DiffIDs": []}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "problem"),
    [
        ("GET", "/images/none:1/content", None, 404, "No such image: none:1"),
        ("POST", "/images/none:1/content", {"Blobs": []}, 404, "No such image: none:1"),
        ("POST", f"/images/{BUSYBOX}/content", {"Blobs": [ABSENT]}, 400, "has no layer"),
        ("POST", f"/images/{BUSYBOX}/content", {"Blobs": ["../x"]}, 400, "invalid checksum digest"),
        ("POST", "/images/missing", {"Blobs": ["x"]}, 400, "invalid checksum digest format"),
        ("POST", "/images/missing", {"DiffIDs": "x"}, 400, "DiffIDs"),
        ("POST", "/images/missing", {"Blobs": [7]}, 400, "Blobs"),
    ],
)
def test_what_makes_no_sense_is_refused(
    engine: Engine, method: str, path: str, body: object, status: int, problem: str
) -> None:
    answer = engine.api(method, path, body)
    assert answer.status == status
    assert problem in answer.json()["message"]
