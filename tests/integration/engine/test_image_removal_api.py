"""rmi and image prune, with images that are built on images and containers that use them.

The rules are those of Docker; only counts of what else is there differ on a shared engine.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from harness.archives import Tree, busybox_layer, docker_archive
from harness.engine import Engine
from harness.requirements import requires

pytestmark = requires("root", "crun", "conmon", "nft")

_LABEL = "naru-test-pruned"


@pytest.fixture(autouse=True)
def no_images_left(engine: Engine) -> Iterator[None]:
    yield
    engine.remove_all()
    for name in ("three", "two", "one", "base"):
        engine.api("DELETE", f"/images/naru-test/{name}", query={"force": True})
    prune(engine, dangling=["true"])


def load_base(engine: Engine, **config: Any) -> str:
    config = {"Cmd": ["true"], "Labels": {_LABEL: "1"}, **config}
    layers = [busybox_layer(), Tree().file("own", "of base").tar()]
    engine.load(docker_archive(["naru-test/base:latest"], layers, config))
    return engine.image_id("naru-test/base")


def grow(engine: Engine, image: str, name: str, script: str = "echo 1 >> /f") -> str:
    """Make an image on top of another, and leave no container behind."""
    ran = engine.run("sh", "-c", script, image=image)
    query = {"container": ran.id, **({"repo": f"naru-test/{name}"} if name else {})}
    made = engine.api("POST", "/commit", query={**query, "tag": "latest"}).ok(201).json()["Id"]
    engine.remove(ran.id)
    return str(made)


def remove(engine: Engine, name: str, **query: object) -> list[dict[str, str]]:
    found: list[dict[str, str]] = (
        engine.api("DELETE", f"/images/{name}", query=query).ok(200).json()
    )
    return found


def refusal(engine: Engine, name: str, **query: object) -> str:
    answer = engine.api("DELETE", f"/images/{name}", query=query)
    assert answer.status == 409
    return str(answer.json()["message"])


def prune(engine: Engine, **filters: list[str]) -> dict[str, Any]:
    filters.setdefault("label", [_LABEL])
    query = {"filters": json.dumps(filters)}
    found: dict[str, Any] = engine.api("POST", "/images/prune", query=query).ok(200).json()
    return found


def known(engine: Engine, name: str) -> bool:
    return engine.api("GET", f"/images/{name}/json").status == 200


def test_an_image_with_children_cannot_be_deleted_only_untagged(engine: Engine) -> None:
    base = load_base(engine)
    one = grow(engine, "naru-test/base", "one")
    short = base.removeprefix("sha256:")[:12]
    wanted = (
        f"conflict: unable to delete {short} (cannot be forced) - image has dependent child images"
    )
    assert refusal(engine, base, force=True) == wanted
    assert remove(engine, "naru-test/base") == [{"Untagged": "naru-test/base:latest"}]
    assert known(engine, base)
    assert refusal(engine, base) == wanted
    # With the last child goes its parent, which has no name of its own any more.
    records = remove(engine, "naru-test/one")
    assert records[0] == {"Untagged": "naru-test/one:latest"}
    deleted = [record["Deleted"] for record in records[1:]]
    assert deleted.index(one) < deleted.index(base)
    assert not known(engine, base)


def test_parents_stay_where_they_shall(engine: Engine) -> None:
    base = load_base(engine)
    one = grow(engine, "naru-test/base", "one")
    remove(engine, "naru-test/base")
    records = remove(engine, "naru-test/one", noprune=True)
    assert {"Deleted": one} in records
    assert {"Deleted": base} not in records
    assert known(engine, base)
    assert {"Deleted": base} in remove(engine, base)


def test_a_parent_with_a_name_stays(engine: Engine) -> None:
    base = load_base(engine)
    grow(engine, "naru-test/base", "one")
    assert {"Deleted": base} not in remove(engine, "naru-test/one")
    assert known(engine, "naru-test/base")


def test_a_parent_that_a_container_uses_stays(engine: Engine) -> None:
    base = load_base(engine)
    container = engine.create("true", image="naru-test/base")
    one = grow(engine, "naru-test/base", "one")
    remove(engine, "naru-test/base", force=True)
    assert {"Deleted": one} in remove(engine, "naru-test/one")
    assert known(engine, base)
    engine.remove(container)
    assert {"Deleted": base} in remove(engine, base)


def test_dangling_images_go_with_their_nameless_parents(engine: Engine) -> None:
    base = load_base(engine)
    one = grow(engine, "naru-test/base", "")
    two = grow(engine, one, "")
    three = grow(engine, two, "three")
    side = grow(engine, one, "", "echo 2 > /g; dd if=/dev/zero of=/big bs=1000 count=3")
    assert not prune(engine, dangling=["true"], until=["1"])["ImagesDeleted"]
    assert not prune(engine, dangling=["true"], label=[f"{_LABEL}=2"])["ImagesDeleted"]
    assert not prune(engine, **{"dangling": ["true"], "label!": [_LABEL], "label": ["x"]})[
        "ImagesDeleted"
    ]
    found = prune(engine, dangling=["true"])
    deleted = [record["Deleted"] for record in found["ImagesDeleted"]]
    assert deleted[0] == side
    assert len(deleted) == 2, "the image, and its layer"
    assert found["SpaceReclaimed"] == 3002
    for name in (base, one, two, three):
        assert known(engine, name)
    remove(engine, "naru-test/three", noprune=True)
    deleted = [record["Deleted"] for record in prune(engine)["ImagesDeleted"]]
    assert set(deleted) >= {two, one}
    assert known(engine, base)


def test_unused_images_go_with_their_names_and_used_ones_stay(engine: Engine) -> None:
    base = load_base(engine)
    one = grow(engine, "naru-test/base", "one")
    container = engine.create("true", image="naru-test/base")
    two = grow(engine, "naru-test/base", "two", "echo 22 >> /f")
    in_use = engine.up("sleep", "1000", image="naru-test/two")
    found = prune(engine, dangling=["false"])
    assert found["ImagesDeleted"][:2] == [{"Untagged": "naru-test/one:latest"}, {"Deleted": one}]
    assert found["SpaceReclaimed"] == 2
    assert known(engine, "naru-test/base")
    assert known(engine, "naru-test/two")
    engine.api("DELETE", f"/containers/{in_use}", query={"force": True}).ok(204)
    engine.remove(container)
    records = prune(engine, dangling=["0"])["ImagesDeleted"]
    assert {"Deleted": base} in records
    assert {"Deleted": two} in records
    assert {"Untagged": "naru-test/base:latest"} in records


def test_what_is_pruned_is_told(engine: Engine) -> None:
    load_base(engine)
    one = grow(engine, "naru-test/base", "")
    since = time.time()
    prune(engine)
    events = engine.events(since, type=["image"])
    told = [(event["Action"], event["Actor"]["ID"]) for event in events]
    assert ("delete", one) in told
    assert ("untag", one) not in told
    last = [event for event in events if event["Action"] == "prune"][-1]
    assert last["Actor"]["Attributes"] == {"reclaimed": "2"}


@pytest.mark.naru_only
def test_names_that_fit_a_pattern_go_and_the_newest_stay(engine: Engine) -> None:
    load_base(engine)
    engine.api("POST", "/images/naru-test/base/tag", query={"repo": "naru-test/other"}).ok(201)
    found = prune(engine, dangling=["false"], reference=["naru-test/oth*"])
    assert found == {
        "ImagesDeleted": [{"Untagged": "naru-test/other:latest"}],
        "SpaceReclaimed": 0,
    }
    for number, name in enumerate(("one", "two", "three")):
        grow(engine, "naru-test/base", name, f"echo {number} > /f")
        query = {"repo": "naru-test/app", "tag": str(number)}
        engine.api("POST", f"/images/naru-test/{name}/tag", query=query).ok(201)
        remove(engine, f"naru-test/{name}")
    used = engine.create("true", image="naru-test/app:0")
    app = {"dangling": ["false"], "reference": ["naru-test/app"]}
    assert prune(engine, **app, keep=["1"], until=["1h"])["ImagesDeleted"] is None
    assert prune(engine, **app, **{"reference!": ["*/app:1"]}, keep=["1"]) == {
        "ImagesDeleted": None,
        "SpaceReclaimed": 0,
    }
    records = prune(engine, **app, keep=["1"])["ImagesDeleted"]
    assert records[0] == {"Untagged": "naru-test/app:1"}
    assert {"Deleted": engine.image_id("naru-test/app:0")} not in records
    engine.remove(used)
    assert prune(engine, **app, keep=["2"])["ImagesDeleted"] is None
    assert prune(engine, **app, keep=["1"])["ImagesDeleted"][0] == {"Untagged": "naru-test/app:0"}
    assert known(engine, "naru-test/app:2")
    assert known(engine, "naru-test/base")
    assert prune(engine, **app)["ImagesDeleted"][0] == {"Untagged": "naru-test/app:2"}


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"foo": ["x"]}, "nvalid filter 'foo'"),
        ({"reference": ["["]}, "syntax error in pattern"),
        ({"reference!": ["["]}, "syntax error in pattern"),
        *(
            (
                {"keep": keep, "dangling": ["false"]},
                f"invalid filter 'keep=[{' '.join(keep)}]': it takes one whole number from 1",
            )
            for keep in (["x"], ["0"], ["-1"], ["1", "2"], [], ["1.5"], ["9" * 10])
        ),
        ({"keep": ["1"]}, "invalid filter 'keep=[1]': it needs dangling=false"),
        ({"dangling": ["x"]}, "nvalid filter 'dangling=[x]'"),
        ({"until": ["1", "2"]}, "more than one until filter specified"),
    ],
)
@pytest.mark.naru_only
def test_a_filter_that_makes_no_sense_removes_nothing(
    engine: Engine, filters: dict[str, list[str]], message: str
) -> None:
    answer = engine.api("POST", "/images/prune", query={"filters": json.dumps(filters)})
    assert answer.status == 400
    assert message in answer.json()["message"]
