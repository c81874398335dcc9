"""The engine killed at any moment of what changes its store: nothing is damaged, nothing lost.

Fault points are places that somebody thought of. These moments are drawn, from a seed that a
failure names.
"""

from __future__ import annotations

import contextlib
import gzip
import http.client
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fakes.writable_registry import WritableRegistry
from harness import leaks, narud
from harness.archives import Tree, busybox_layer, docker_archive, image_config
from harness.narud import EngineUnderTest
from harness.registry import in_thread
from harness.requirements import requires
from harness.waiting import eventually

pytestmark = requires("root", "crun", "conmon", "nft")

ROUNDS = 2
_SEED = int(os.environ.get("NARU_TEST_SEED", "0"))
_LOADED, _BUILT, _COMMITTED = "naru-test/kill:1", "naru-test/kill:built", "naru-test/kill:made"


def noise(name: str, size: int = 3 << 20) -> bytes:
    """Return a layer that no compression makes small, the same for the same name."""
    return Tree().file(name, random.Random(name).randbytes(size)).tar()


@dataclass(frozen=True)
class Bench:
    """The engine, and what acts need beside it."""

    engine: EngineUnderTest
    registry: WritableRegistry
    archive: bytes

    @property
    def pulled(self) -> str:
        """Return the image of the registry."""
        return f"{self.registry.host}/x:1"

    def ask(self, method: str, path: str, body: object = None, **query: object) -> None:
        """Make a request that may be cut off by the end of the engine."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            self.engine.api(method, path, body, query=query)

    def load(self) -> None:
        self.ask("POST", "/images/load", self.archive, quiet=True)

    def pull(self) -> None:
        self.ask("POST", "/images/create", fromImage=self.pulled)

    @property
    def pushed(self) -> str:
        """Return what the loaded image is called when it is pushed."""
        return f"{self.registry.host}/pushed"

    def name_to_push(self) -> None:
        """Load what is pushed, of which the registry has nothing."""
        self.registry.held.clear()
        self.registry.manifests.pop(("pushed", "1"), None)
        self.load()
        self.ask("POST", f"/images/{_LOADED}/tag", repo=self.pushed, tag="1")

    def push(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            self.engine.api(
                "POST",
                f"/images/{self.pushed}/push",
                query={"tag": "1"},
                headers={"X-Registry-Auth": "e30="},
            )

    def build(self) -> None:
        dockerfile = "FROM busybox\nCOPY f /f\nRUN cp /f /g\nENV a=1\n"
        context = Tree().file("Dockerfile", dockerfile).file("f", b"x" * (1 << 20))
        self.ask("POST", "/build", context.tar(), t=_BUILT, nocache=True)

    def commit(self) -> None:
        name, _, tag = _COMMITTED.rpartition(":")
        self.ask("POST", "/commit", container="writer", repo=name, tag=tag)

    def remove(self) -> None:
        self.ask("DELETE", f"/images/{_LOADED}", force=True)

    def prune(self) -> None:
        self.ask("POST", "/images/prune", filters={"dangling": ["false"]})

    def clean(self) -> None:
        """Remove what any act may have made."""
        for name in (f"{self.pushed}:1", _LOADED, _BUILT, _COMMITTED, self.pulled):
            self.ask("DELETE", f"/images/{name}", force=True)
        self.ask("POST", "/images/prune", filters={"dangling": ["true"]})


@dataclass(frozen=True)
class Act:
    """Something that changes the store, what it needs first, and the image that comes or goes.

    `is_done` says more of how it is known to have been done.
    """

    run: Callable[[Bench], None]
    image: Callable[[Bench], str]
    makes: bool = True
    first: Callable[[Bench], None] = lambda _: None
    is_done: Callable[[Bench], bool] = lambda _: True


# To have another one killed in between, add it here.
ACTS = {
    "load": Act(Bench.load, lambda _: _LOADED),
    "pull": Act(Bench.pull, lambda bench: bench.pulled),
    "push": Act(
        Bench.push,
        lambda bench: f"{bench.pushed}:1",
        first=Bench.name_to_push,
        is_done=lambda bench: ("pushed", "1") in bench.registry.manifests,
    ),
    "build": Act(Bench.build, lambda _: _BUILT),
    "commit": Act(Bench.commit, lambda _: _COMMITTED),
    "remove": Act(Bench.remove, lambda _: _LOADED, makes=False, first=Bench.load),
    "prune": Act(Bench.prune, lambda _: _LOADED, makes=False, first=Bench.load),
}


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    engine = narud.started()
    layers = [busybox_layer(), noise("one"), noise("two")]
    try:
        with in_thread(WritableRegistry()) as registry:
            packed = [gzip.compress(layer, 1, mtime=0) for layer in (noise("three"), noise("four"))]
            config = image_config([noise("three"), noise("four")], {})
            registry.add_image("x", "1", config, packed)
            script = "head -c 3000000 /dev/urandom > /noise"
            assert engine.sh(script, name="writer").code == 0
            yield Bench(engine, registry, docker_archive([_LOADED], layers))
    finally:
        engine.destroy()


def space(engine: EngineUnderTest) -> dict[str, int]:
    """Return the bytes that each part of the store takes on the disk."""
    taken = {}
    for part in ("content", "snapshots", "builds"):
        total = 0
        for directory, _, files in os.walk(engine.content_root / part):
            for name in files:
                with contextlib.suppress(FileNotFoundError):
                    total += Path(directory, name).lstat().st_blocks * 512
        taken[part] = total
    return taken


def findings(engine: EngineUnderTest) -> list[str]:
    answer = engine.api("POST", "/system/check", query={"full": True}, timeout_s=120).ok(200)
    return [str(record["finding"]) for record in answer.json_lines() if "finding" in record]


@pytest.mark.parametrize("name", ACTS)
def test_a_kill_in_between_damages_and_costs_nothing(bench: Bench, name: str) -> None:
    act, engine = ACTS[name], bench.engine
    drawn = random.Random(f"{_SEED} {name}")
    act.first(bench)
    begun = time.monotonic()
    act.run(bench)
    whole = time.monotonic() - begun
    bench.clean()
    eventually(lambda: findings(engine) == [], "clean")
    eventually(lambda: not leaks.unfreed(engine.data_root), "what was removed is gone")
    before = space(engine)
    for turn in range(ROUNDS):
        bench.clean()
        act.first(bench)
        moment = drawn.uniform(0, whole)
        what = f"seed {_SEED}, {name} killed after {moment:.3f} of {whole:.3f} s, round {turn}"
        acting = threading.Thread(target=act.run, args=(bench,))
        acting.start()
        time.sleep(moment)
        engine.kill9()
        acting.join()
        engine.start_engine()
        assert findings(engine) == [], what
        act.run(bench)
        assert engine.has_image(act.image(bench)) == act.makes, what
        assert act.is_done(bench), what
        assert findings(engine) == [], what
        bench.clean()
        eventually(lambda: space(engine) == before, f"{what}: {before}")
