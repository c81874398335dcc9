"""What lists and `inspect` tell of images, by version of the API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.archives import Tree, busybox_layer, docker_archive
from harness.engine import Engine
from harness.narud import EngineUnderTest
from harness.requirements import requires

pytestmark = [requires("root", "crun", "conmon", "nft"), pytest.mark.naru_only]
_NAMES = ("naru-test/seen:1", "naru-test/seen:2", "naru-test/other:1")


@pytest.fixture
def image(engine: Engine) -> Iterator[str]:
    layers = [busybox_layer(), Tree().file("seen", "12345").tar()]
    engine.load(docker_archive(_NAMES, layers, {"Cmd": ["sleep", "1000"]}))
    yield str(_inspect(engine, "1.41")["Id"])
    engine.remove_all()
    for name in _NAMES:
        engine.api("DELETE", f"/images/{name}").ok(200)


def _inspect(engine: Engine, version: str, **query: object) -> dict[str, Any]:
    answer = engine.api("GET", f"/images/{_NAMES[0]}/json", query=query, version=version)
    found: dict[str, Any] = answer.ok(200).json()
    return found


def _listed(engine: Engine, version: str, **query: object) -> dict[str, Any]:
    query = {"filters": json.dumps({"reference": ["naru-test/*"]}), **query}
    listed = engine.api("GET", "/images/json", query=query, version=version).ok(200).json()
    [found] = [entry for entry in listed if "naru-test/seen:1" in entry["RepoTags"]]
    assert isinstance(found, dict)
    return found


def test_fields_come_and_go_with_the_version(engine: Engine, image: str) -> None:
    def since(field: str, of: Any) -> list[bool]:
        return [field in of(engine, f"1.{minor}") for minor in (24, 43, 44, 45, 47, 48, 49, 50)]

    before_44, before_45 = [True, True] + [False] * 6, [True] * 3 + [False] * 5
    assert since("VirtualSize", _listed) == since("VirtualSize", _inspect) == before_44
    assert since("Container", _inspect) == since("ContainerConfig", _inspect) == before_45
    assert since("Descriptor", _listed) == since("Descriptor", _inspect) == [False] * 5 + [True] * 3
    assert since("Hostname", lambda *args: _inspect(*args)["Config"]) == [True] * 7 + [False]
    asked = {minor: _listed(engine, f"1.{minor}", manifests=True) for minor in (46, 47, 50)}
    assert ["Manifests" in found for found in asked.values()] == [False, True, True]
    seen = {minor: _inspect(engine, f"1.{minor}", manifests=True) for minor in (47, 48)}
    assert ["Manifests" in found for found in seen.values()] == [False, True]
    sizes = {minor: _listed(engine, f"1.{minor}", **{"shared-size": 1}) for minor in (41, 42)}
    assert sizes[41]["SharedSize"] == -1
    assert 0 < sizes[42]["SharedSize"] == sizes[42]["Size"] - 5


def test_the_manifest_behind_an_image_is_told_with_what_it_takes(
    engine: Engine, image: str
) -> None:
    users = [engine.create(image=_NAMES[0]), engine.up(image=_NAMES[0])]
    found = _listed(engine, "1.50", manifests=True)
    assert _inspect(engine, "1.50", manifests=True)["Manifests"] == found["Manifests"]
    [manifest] = found["Manifests"]
    digest = manifest["ID"]
    assert manifest["Descriptor"] == found["Descriptor"]
    assert found["Descriptor"]["digest"] == digest
    assert (manifest["Kind"], manifest["Available"]) == ("image", True)
    data = manifest["ImageData"]
    assert data["Platform"] == {"architecture": "amd64", "os": "linux"}
    assert sorted(data["Containers"]) == sorted(users)
    assert data["Size"]["Unpacked"] == found["Size"]
    content = manifest["Size"]["Content"]
    assert manifest["Size"]["Total"] == content + found["Size"]
    assert isinstance(engine, EngineUnderTest)
    blob = engine.content_root.joinpath("content", "blobs", *digest.split(":"))
    document = json.loads(blob.read_bytes())
    assert found["Descriptor"]["mediaType"] == document["mediaType"]
    assert found["Descriptor"]["size"] == blob.stat().st_size
    blobs = [document["config"], *document["layers"]]
    assert content == blob.stat().st_size + sum(each["size"] for each in blobs)
    refused = engine.api(
        "GET",
        f"/images/{_NAMES[0]}/json",
        query={"manifests": True, "platform": '{"os":"linux","architecture":"amd64"}'},
        version="1.50",
    )
    assert refused.status == 400
    assert refused.json()["message"] == (
        "conflicting options: manifests and platform options cannot both be set"
    )


def test_layers_are_where_inspect_says(engine: Engine, image: str) -> None:
    driver = _inspect(engine, "1.50")["GraphDriver"]
    assert driver["Name"] == "overlay2"
    assert Path(driver["Data"]["UpperDir"], "seen").read_text() == "12345"
    assert Path(driver["Data"]["LowerDir"], "bin", "busybox").is_file()


def test_only_names_that_fit_are_shown(engine: Engine, image: str) -> None:
    def names(version: str, **query: object) -> list[list[str]]:
        listed = engine.api("GET", "/images/json", query=query, version=version).ok(200).json()
        return [entry["RepoTags"] for entry in listed]

    fitting = json.dumps({"reference": ["*/se*", "*/*:3"]})
    assert names("1.50", filters=fitting) == [list(_NAMES[:2])]
    assert names("1.24", filter="naru-test/other") == [[_NAMES[2]]]
    # The parameter went with API 1.41.
    assert len(names("1.41", filter="naru-test/other")) > 1
    assert names("1.41", filters='{"reference":[]}') == []
    for filters, message in (
        ({"reference": ["["]}, "syntax error in pattern"),
        ({"until": ["x"]}, 'failed to parse value as time or duration: "x"'),
        ({"dangling": []}, "invalid filter 'dangling'"),
        ({"label!": ["x"]}, "invalid filter 'label!'"),
    ):
        query = {"filters": json.dumps(filters)}
        answer = engine.api("GET", "/images/json", query=query)
        assert (answer.status, answer.json()["message"]) == (400, message)


def test_a_tag_apart_from_its_name_counts(engine: Engine, image: str) -> None:
    def tag(**query: str) -> tuple[int, str]:
        answer = engine.api("POST", f"/images/{image}/tag", query=query)
        return answer.status, answer.json()["message"] if answer.body else ""

    assert tag(repo="naru-test/tagged:1", tag="2") == (201, "")
    engine.api("DELETE", "/images/naru-test/tagged:2").ok(200)
    assert tag(repo="naru-test/tagged", tag=".") == (400, "invalid tag format")
    digest = f"naru-test/tagged@sha256:{'0' * 64}"
    refused = (400, "refusing to create a tag with a digest reference")
    assert tag(repo=digest) == tag(repo=digest, tag="1") == refused
    assert tag() == (400, "invalid reference format")
