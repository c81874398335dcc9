"""Names to images: Docker's precedence and its messages, read off Docker 20.10."""

from __future__ import annotations

import hashlib
import json
from itertools import pairwise
from pathlib import Path

import pytest

from naru.clock import SystemClock
from naru.db.database import Database
from naru.db.images import ImageRow, ImageRows
from naru.errors import InvalidInputError, NotFoundError
from naru.images.catalog import Catalog, Image
from naru.images.history import history
from naru.images.views import inspect_answer, list_entry, shared_sizes
from naru.oci.digest import Digest
from naru.oci.image_config import parse_image_config
from naru.oci.platform import Platform
from naru.oci.reference import Reference
from naru.store.content import ContentStore

LAYERS = [f"sha256:{hashlib.sha256(name.encode()).hexdigest()}" for name in "abc"]


class World:
    """A catalog with images that exist as configs only."""

    def __init__(self, root: Path) -> None:
        self.content = ContentStore(root / "content")
        self.rows = ImageRows(Database(root / "db"))
        self.changes = 0
        self.catalog = Catalog(
            self.rows,
            self.content,
            SystemClock(),
            changed=self.changed,
            collect=list,
            settle=int,
        )

    def changed(self) -> None:
        self.changes += 1

    def add(
        self, seed: str, *names: str, layers: int = 1, digest: str = "", **extra: object
    ) -> str:
        document = {
            "architecture": "amd64",
            "os": "linux",
            "created": f"2024-01-0{len(seed)}T00:00:00Z",
            "comment": seed,
            "config": {"Env": ["A=b"], "Cmd": ["sh"], "Labels": {"l": "v"}},
            "rootfs": {"type": "layers", "diff_ids": LAYERS[:layers]},
            "history": [
                {"created": "2024-01-01T00:00:00Z", "created_by": "base"},
                {"created_by": "env", "empty_layer": True},
                *({"created_by": f"step {n}"} for n in range(1, layers)),
            ],
            **extra,
        }
        raw = json.dumps(document).encode()
        image_id = self.content.add(raw)
        manifest = self.content.add(b"{}" + seed.encode())
        row = ImageRow(
            image_id,
            manifest,
            parse_image_config(raw).chain_id,
            layer_sizes=tuple(10 * (n + 1) for n in range(layers)),
        )
        self.catalog.add([(row, [Reference.parse(name) for name in names])])
        if digest:
            self.catalog.add_pulled(row, None, Reference.parse(digest))
        return image_id

    def image(self, name: str) -> Image:
        return self.catalog.resolve(name)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize(
    "name",
    ["x:1", "docker.io/library/x:1", "index.docker.io/x:1", "docker.io/x:1"],
)
def test_name_in_any_form(world: World, name: str) -> None:
    image_id = world.add("one", "x:1")
    assert world.image(name).id == image_id


def test_missing_tag_is_latest(world: World) -> None:
    image_id = world.add("one", "x:latest")
    assert world.image("x").id == image_id


def test_name_with_digest_and_an_ignored_tag(world: World) -> None:
    digest = f"sha256:{'e' * 64}"
    image_id = world.add("one", digest=f"x@{digest}")
    assert world.image(f"x@{digest}").id == image_id
    assert world.image(f"x:any@{digest}").id == image_id
    assert world.image("x@" + digest).repo_digests == (f"x@{digest}",)


def test_id_whole_and_in_part(world: World) -> None:
    image_id = world.add("one", "x:1")
    for name in (image_id, image_id[7:], image_id[:20], image_id[7:19]):
        assert world.image(name).id == image_id


def test_name_counts_before_an_id(world: World) -> None:
    first = world.add("one")
    second = world.add("three")
    prefix = first[7:15]
    world.catalog.tag(second, Reference.parse(prefix))
    assert world.image(prefix).id == second
    assert world.image(first[7:16]).id == first


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nope", "No such image: nope:latest"),
        ("nope:1", "No such image: nope:1"),
        ("sha256:abcd", "No such image: sha256:abcd"),
        ("abcdef0", "No such image: abcdef0:latest"),
        ("localhost:99/x", "No such image: localhost:99/x:latest"),
        (f"nope@sha256:{'0' * 64}", f"No such image: nope@sha256:{'0' * 64}"),
        (f"sha256:{'0' * 64}", f"No such image: sha256:{'0' * 64}"),
        ("0" * 64, f"No such image: sha256:{'0' * 64}"),
    ],
)
def test_unknown_image_is_named_as_docker_does(world: World, name: str, message: str) -> None:
    world.add("one", "x:1")
    with pytest.raises(NotFoundError) as caught:
        world.image(name)
    assert caught.value.message == message


@pytest.mark.parametrize("name", ["", "a//b", "x:", "-x", "x@sha256:12"])
def test_what_can_name_nothing_is_refused(world: World, name: str) -> None:
    with pytest.raises(InvalidInputError):
        world.image(name)


def test_prefix_of_two_images_names_none(world: World) -> None:
    ids = sorted(world.add("x" * (n % 9 + 1), layers=1, author=str(n)) for n in range(17))
    twin = next(a for a, b in pairwise(ids) if a[7] == b[7])
    for prefix in (twin[7], twin[:8]):
        with pytest.raises(NotFoundError, match=f"^No such image: {prefix}(:latest)?$") as caught:
            world.image(prefix)
        assert caught.value.hint == f"the ids of several images begin with {prefix}"
    with pytest.raises(NotFoundError) as caught:
        world.image("nobody")
    assert caught.value.hint == ""


def test_image_for_another_platform_is_not_found(world: World) -> None:
    world.add("one", "x:1")
    world.catalog.resolve("x:1", Platform(os="linux", architecture="amd64"))
    with pytest.raises(NotFoundError, match="does not match the specified platform"):
        world.catalog.resolve("x:1", Platform(os="linux", architecture="arm64"))


def test_tag_moves_a_name(world: World) -> None:
    first, second = world.add("one", "x:1"), world.add("three")
    world.catalog.tag(second, Reference.parse("x:1"))
    assert world.image("x:1").id == second
    assert world.image(first).repo_tags == ()
    assert world.image(second).tagged_ns > 0


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (f"x@sha256:{'0' * 64}", "refusing to create a tag with a digest reference"),
        (
            "sha256:1",
            "refusing to create an ambiguous tag using digest algorithm as name",
        ),
    ],
)
def test_tags_that_are_refused(world: World, target: str, message: str) -> None:
    image_id = world.add("one")
    with pytest.raises(InvalidInputError, match=message):
        world.catalog.tag(image_id, Reference.parse(target))


def test_images_come_youngest_first(world: World) -> None:
    ids = [world.add("x" * length) for length in (3, 1, 2)]
    assert [image.id for image in world.catalog.images()] == [ids[0], ids[2], ids[1]]


def test_damaged_image_does_not_hide_the_others(world: World) -> None:
    bad, good = world.add("one"), world.add("three")
    fresh = Catalog(world.rows, world.content, SystemClock(), changed=int, collect=list, settle=int)
    world.content.delete(Digest(bad))
    assert [image.id for image in fresh.images()] == [good]


def test_image_that_is_added_again_keeps_its_manifest_and_names(world: World) -> None:
    image_id = world.add("one", "x:1")
    row = world.rows.get(image_id)
    assert row is not None
    other = ImageRow(row.image_id, world.content.add(b"other"), row.chain_id, layer_sizes=(1,))
    assert world.catalog.add([(other, [Reference.parse("y:1")])]) is True
    again = world.image("y:1")
    assert again.manifest_digest == row.manifest_digest
    assert again.repo_tags == ("x:1", "y:1")


def test_every_change_is_announced(world: World) -> None:
    image_id = world.add("one", "x:1")
    world.catalog.tag(image_id, Reference.parse("y:1"))
    world.catalog.remove("x:1", force=False, prune=True, users=lambda _: [])
    assert world.changes == 3


def test_list_entry_by_version(world: World) -> None:
    image = world.image(world.add("one", "x:1", layers=2))
    new = list_entry(image, api_version=(1, 50))
    assert (new["Size"], new["RepoTags"], new["RepoDigests"]) == (30, ["x:1"], [])
    assert "VirtualSize" not in new
    assert list_entry(image, api_version=(1, 43))["VirtualSize"] == 30


def test_image_without_names_by_version(world: World) -> None:
    image = world.image(world.add("one"))
    old, new = (list_entry(image, api_version=version) for version in ((1, 42), (1, 43)))
    assert (old["RepoTags"], old["RepoDigests"]) == (["<none>:<none>"], ["<none>@<none>"])
    assert (new["RepoTags"], new["RepoDigests"]) == ([], [])


def test_layers_of_several_images_count_as_shared(world: World) -> None:
    alone_and_shared = world.add("one", layers=3)
    shared = world.add("three", layers=2)
    assert shared_sizes(world.catalog.images()) == {alone_and_shared: 30, shared: 30}


def test_inspect_answers_each_version_in_its_words(world: World) -> None:
    image = world.image(world.add("one", "x:1"))
    driver = {"Name": "overlay2", "Data": None}
    v44, v45, v49, v50 = (
        inspect_answer(image, api_version=(1, minor), graph_driver=driver)
        for minor in (44, 45, 49, 50)
    )
    assert "ContainerConfig" in v44
    assert "ContainerConfig" not in v45
    assert v49["Config"]["Hostname"] == ""
    assert v50["Config"] == {"Env": ["A=b"], "Cmd": ["sh"], "Labels": {"l": "v"}}
    assert v50["RootFS"] == {"Type": "layers", "Layers": LAYERS[:1]}
    assert v50["GraphDriver"] == driver


def test_history_gives_layers_their_sizes(world: World) -> None:
    image = world.image(world.add("one", "x:1", layers=3))
    entries = history(world.catalog, image)
    assert [(e["CreatedBy"], e["Size"]) for e in entries] == [
        ("step 2", 30),
        ("step 1", 20),
        ("env", 0),
        ("base", 10),
    ]
    assert (entries[0]["Id"], entries[0]["Tags"]) == (image.id, ["x:1"])
    assert {entry["Id"] for entry in entries[1:]} == {"<missing>"}


def test_more_steps_than_layers_are_no_failure(world: World) -> None:
    steps = [{"created_by": str(n)} for n in range(5)]
    image = world.image(world.add("one", history=steps))
    assert [entry["Size"] for entry in history(world.catalog, image)] == [0, 0, 0, 0, 10]
