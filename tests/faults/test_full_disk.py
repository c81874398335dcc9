"""A disk that gets full under a real engine: said clearly, nothing left, and all goes on after."""

from __future__ import annotations

import gzip
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from fakes.fake_registry import FakeRegistry
from harness import leaks
from harness.archives import Tree, busybox_layer, docker_archive, image_config
from harness.engine import LABELS
from harness.narud import EngineUnderTest
from harness.registry import in_thread
from harness.requirements import requires
from harness.waiting import eventually
from naru.linux import mount
from naru.linux.mount import Mount

pytestmark = requires("root", "crun", "conmon", "nft")

_DISK = 64 << 20
_LOADED, _BUILT, _COMMITTED = "naru-test/full:1", "naru-test/full:built", "naru-test/full:made"
_BIG = Tree().directory("data").file("data/big", random.Random(1).randbytes(6 << 20)).tar()
_ARCHIVE = docker_archive([_LOADED], [busybox_layer(), _BIG])


@dataclass(frozen=True)
class Desk:
    """An engine whose data lie on a small disk, and a registry."""

    engine: EngineUnderTest
    pulled: str

    def ask(self, method: str, path: str, body: object = None, **query: object) -> str:
        """Make a request; return its error, be it a status or in the stream."""
        answer = self.engine.api(method, path, body, query=query)
        if answer.status >= 400:
            return str(answer.json()["message"])
        if b'"errorDetail"' in answer.body:
            return str(answer.json_lines()[-1]["errorDetail"]["message"])
        return ""

    def container(self, name: str, **body: object) -> str:
        whole = {"Labels": LABELS, **body}
        return self.ask("POST", "/containers/create", whole, name=name)

    def fill(self, free: int) -> None:
        """Leave so many bytes free, also when all that was removed is."""
        self.empty()
        eventually(lambda: not leaks.unfreed(self.engine.data_root), "what was removed is gone")
        path = self.engine.data_root / "ballast"
        status = os.statvfs(self.engine.data_root)
        with path.open("wb") as ballast:
            os.posix_fallocate(ballast.fileno(), 0, status.f_bavail * status.f_bsize - free)

    def empty(self) -> None:
        (self.engine.data_root / "ballast").unlink(missing_ok=True)


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    engine = EngineUnderTest()
    engine.data_root.mkdir(mode=0o711)
    # It goes with the engine, as all that is mounted below its root.
    disk = Mount(type="tmpfs", source="tmpfs", data=f"size={_DISK},mode=0711")
    mount.mount_all([disk], engine.data_root)
    try:
        engine.start_engine()
        engine.ensure_busybox()
        with in_thread(FakeRegistry()) as registry:
            layers = [busybox_layer(), _BIG]
            packed = [gzip.compress(layer, 1, mtime=0) for layer in layers]
            registry.add_image("x", "1", image_config(layers, {}), packed)
            desk = Desk(engine, f"{registry.host}/x:1")
            assert engine.sh("head -c 6000000 /dev/urandom > /noise", name="writer").code == 0
            yield desk
    finally:
        engine.destroy()


def load(desk: Desk) -> str:
    return desk.ask("POST", "/images/load", _ARCHIVE, quiet=True)


def pull(desk: Desk) -> str:
    return desk.ask("POST", "/images/create", fromImage=desk.pulled)


def commit(desk: Desk) -> str:
    name, _, tag = _COMMITTED.rpartition(":")
    return desk.ask("POST", "/commit", container="writer", repo=name, tag=tag)


def build_copy(desk: Desk) -> str:
    context = Tree().file("Dockerfile", "FROM busybox\nCOPY f /f\n").file("f", bytes(5 << 20))
    return desk.ask("POST", "/build", context.tar(), t=_BUILT, nocache=True)


def create_and_start(desk: Desk) -> str:
    """Make a container with a volume that an image fills, and start it."""
    body: dict[str, object] = {"Image": _LOADED, "Cmd": ["true"], "Volumes": {"/data": {}}}
    failure = desk.container("filled", **body)
    return failure or desk.ask("POST", "/containers/filled/start")


def start(desk: Desk) -> str:
    """Start what was made while there was room."""
    failure = desk.ask("POST", "/containers/made/start")
    if not failure:
        desk.engine.wait("made")
    return failure


def made(desk: Desk) -> None:
    script = "head -c 100000 /dev/zero > /file"
    assert not desk.container("made", Image="busybox", Cmd=["sh", "-c", script])


ACTS: dict[str, tuple[Callable[[Desk], str], int, Callable[[Desk], object]]] = {
    "load": (load, 4 << 20, lambda _: None),
    "load, no room at all": (load, 0, lambda _: None),
    "pull": (pull, 4 << 20, lambda _: None),
    "commit": (commit, 4 << 20, lambda _: None),
    "commit, no room for the tree": (commit, 8 << 20, lambda _: None),
    "build": (build_copy, 7 << 20, lambda _: None),
    "start": (start, 0, made),
    "copy up": (create_and_start, 4 << 20, load),
}


def clean(desk: Desk) -> None:
    for name in ("filled", "made"):
        desk.ask("DELETE", f"/containers/{name}", force=True, v=True)
    for name in (_LOADED, _BUILT, _COMMITTED, desk.pulled):
        desk.ask("DELETE", f"/images/{name}", force=True)
    desk.ask("POST", "/images/prune", filters={"dangling": ["true"]})


@pytest.mark.parametrize("name", ACTS)
def test_a_full_disk_is_told_and_costs_nothing(desk: Desk, name: str) -> None:
    act, room, first = ACTS[name]
    engine = desk.engine
    clean(desk)
    nothing = engine.footprint()
    first(desk)
    before = engine.footprint()
    desk.fill(room)
    try:
        failure = act(desk)
        assert "no space left on device" in failure, failure
        assert engine.api("GET", "/containers/json").status == 200
        if name == "copy up":
            desk.ask("DELETE", "/containers/filled", force=True, v=True)
        engine.comes_back_to(before, name)
    finally:
        desk.empty()
    assert act(desk) == ""
    clean(desk)
    engine.comes_back_to(nothing, name)
    told = engine.api("POST", "/system/check", query={"full": True}).ok(200).body
    assert b'"Findings":0' in told, told
    eventually(lambda: engine.footprint().beyond(nothing) == [], name)


def test_a_full_disk_keeps_nobody_from_removing(desk: Desk) -> None:
    """Not even after a start of the engine: whoever has to make room must be able to."""
    engine = desk.engine
    clean(desk)
    assert not load(desk)
    made(desk)
    desk.fill(0)
    try:
        engine.restart(how="kill9")
        assert not desk.ask("POST", "/containers/made/rename", name="filled")
        assert not desk.ask("DELETE", "/containers/filled", force=True)
        assert not desk.ask("DELETE", f"/images/{_LOADED}")
        status = os.statvfs(engine.data_root)
        assert status.f_bavail * status.f_bsize > 6 << 20
    finally:
        desk.empty()
    assert not load(desk)
