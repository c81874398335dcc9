"""Images in archives of `docker save`."""

from __future__ import annotations

import gzip
import hashlib
import json

import pytest

from harness.archives import Tree, docker_archive, image_config
from naru.client.copying.files import spooled
from naru.client.copying.saved import SavedSource
from naru.errors import CorruptDataError, InvalidInputError, NaruError, NotFoundError
from naru.oci import mediatype
from naru.oci.platform import parse_platform
from naru.oci.reference import Reference

BASE = Tree().file("base", b"x" * 5000).tar()
TOP = Tree().file("top", b"y" * 5000).tar()


def opened(archive: bytes, name: str = "", platform: str = "") -> SavedSource:
    files = spooled([archive], "x.tar")
    return SavedSource(files, name, parse_platform(platform) if platform else None)


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def several() -> bytes:
    tree, items = Tree(), []
    for number, names in enumerate((["a:1", "b"], ["c:1"])):
        config = image_config([BASE], {"Cmd": [str(number)]})
        tree.file(f"{number}.json", config)
        items.append({"Config": f"{number}.json", "RepoTags": names, "Layers": ["base/layer.tar"]})
    tree.file("base/layer.tar", BASE)
    return tree.file("manifest.json", json.dumps(items)).tar()


def test_layers_are_known_by_what_they_unpack_to() -> None:
    source = opened(docker_archive(["web:1"], [BASE, TOP]))
    assert [layer.digest for layer in source.content.layers] == [digest(BASE), digest(TOP)]
    assert [layer.size for layer in source.content.layers] == [len(BASE), len(TOP)]
    assert source.content.name == Reference.parse("web:1")
    assert not source.content.is_original


def test_a_compressed_layer_has_the_digest_of_its_bytes() -> None:
    packed = gzip.compress(BASE, mtime=0)
    tree = Tree().file("c", image_config([BASE], {})).file("l", packed)
    item = {"Config": "c", "RepoTags": None, "Layers": ["l"]}
    source = opened(tree.file("manifest.json", json.dumps([item])).tar())
    layer = source.content.layers[0]
    assert (layer.digest, layer.media_type) == (digest(packed), mediatype.OCI_LAYER_GZIP)
    assert source.content.name is None


def test_of_several_images_one_is_named() -> None:
    assert opened(several(), "c:1").content.name == Reference.parse("c:1")
    assert opened(several(), "docker.io/library/b").content.name == Reference.parse("b:latest")
    with pytest.raises(InvalidInputError, match="several images, say which: a:1, b, c:1"):
        opened(several())
    with pytest.raises(NotFoundError, match="has no image c:2, only a:1, b, c:1"):
        opened(several(), "c:2")


def test_an_image_for_another_platform_is_none() -> None:
    archive = docker_archive(["web:1"], [BASE])
    opened(archive, platform="linux/amd64")
    with pytest.raises(NotFoundError, match=r"x\.tar is for linux/amd64, not for linux/s390x"):
        opened(archive, platform="linux/s390x")


@pytest.mark.parametrize(
    ("manifest", "kind", "problem"),
    [
        ("?", CorruptDataError, "manifest.json: "),
        ("[]", NotFoundError, "has no image"),
        ('[{"Config": "c", "Layers": []}]', CorruptDataError, "has 0 layers, the image config 1"),
        ('[{"Config": "c", "Layers": ["x"]}]', NotFoundError, "has no x"),
        ('[{"Config": "x", "Layers": []}]', NotFoundError, "has no x"),
        ('[{"Config": "../../etc/passwd", "Layers": []}]', NotFoundError, "has no "),
    ],
)
def test_documents_that_fit_nothing_are_refused(
    manifest: str, kind: type[NaruError], problem: str
) -> None:
    tree = Tree().file("c", image_config([BASE], {})).file("manifest.json", manifest)
    with pytest.raises(kind) as raised:
        opened(tree.tar())
    assert problem in raised.value.message
