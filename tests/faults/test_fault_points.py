"""The engine killed at every fault point that there is, and what the next one makes of it.

Every registered point is taken in turn, so a new point is tested by existing. A tour of
operations is driven until the engine dies; then a second engine repairs, killed once more at the
same place if it comes by there; then a third one must be as good as new: the leftovers can be
removed, nothing else is there, and the whole tour works.
"""

from __future__ import annotations

import contextlib
import http.client
import importlib
import json
import pkgutil
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import naru
from harness.archives import Tree, busybox_layer, docker_archive
from harness.engine import LABELS
from harness.leaks import Footprint
from harness.narud import EngineUnderTest
from harness.registry import serving
from harness.requirements import requires
from harness.subordinates import subordinate_account
from harness.waiting import eventually
from naru import faults

pytestmark = requires("root", "crun", "conmon", "nft", "docker-registry", "skopeo")

_IMAGE = "naru-test/tour:1"
_IMPORTED = "naru-test/imported:1"
_BUILT = "naru-test/built:1"
_COMMITTED = "naru-test/committed:1"
_VOLUME = "naru-test-tour"
_COPIED = "naru-test-copied"
_NETWORK = "naru-test-tour"


def _points() -> list[str]:
    for module in pkgutil.walk_packages(naru.__path__, "naru."):
        importlib.import_module(module.name)
    return faults.registered()


class _EngineDied(Exception):
    """The connection broke off because the engine is gone."""


class _Tour:
    """One pass through everything that an engine does, each step once."""

    def __init__(self, engine: EngineUnderTest, registry: str, point: str = "") -> None:
        """Take a tour that comes by `point`; what takes long is left out if that is elsewhere."""
        self._engine = engine
        self._falls_ill = "engine.health" in point
        self._mends = point.startswith("images.mend") or point == "store.snapshot.after_replace"
        self._pulled = f"{registry}/box:1"
        self._pushed = f"{registry}/pushed:1"
        self.step = ""

    def api(
        self,
        method: str,
        path: str,
        body: object = None,
        /,
        *,
        version: str | None = None,
        **query: object,
    ) -> bytes:
        """Make a request; a broken connection means that the engine died."""
        self.step = f"{method} {path}"
        try:
            answer = self._engine.api(method, path, body, query=query, version=version)
        except (OSError, http.client.HTTPException) as error:
            eventually(lambda: not self._engine.is_alive, f"{self.step}: {error}: it died")
            raise _EngineDied from error
        answer.ok(200, 201, 204, 304)
        assert b'"errorDetail"' not in answer.body, answer.body
        return answer.body

    def take(self, *, waits_for_rotation: bool) -> None:
        """Go through all operations; whatever they make is removed by them."""
        layers = [busybox_layer(), Tree().directory("data").file("data/file", "from below\n").tar()]
        self.api("POST", "/images/load", docker_archive([_IMAGE], layers), quiet=True)
        name, _, tag = _IMPORTED.rpartition(":")
        self.api("POST", "/images/create", busybox_layer(), fromSrc="-", repo=name, tag=tag)
        self.api("POST", "/images/create", fromImage=self._pulled)
        self.push_something()
        log = {"Type": "json-file", "Config": {"max-size": "10k", "max-file": "2"}}
        request = {
            "Image": _IMAGE,
            "Cmd": ["sh", "-c", "seq 1 4000 | tee /written; sleep 1000"],
            "Labels": LABELS,
            "Volumes": {"/anonymous": {}},
            "ExposedPorts": {"7000/tcp": {}},
            "HostConfig": {
                "Binds": [f"{_VOLUME}:/data"],
                "Mounts": [{"Type": "image", "Source": _IMAGE, "Target": "/image"}],
                "PortBindings": {"7000/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]},
                "LogConfig": log,
            },
        }
        if self._mends:
            self.mend_something()
        self.api("POST", "/networks/create", {"Name": _NETWORK})
        # The volumes of what is replaced stay, so it has no anonymous one.
        plain = request | {"Volumes": {}}
        self.api("POST", "/containers/create", plain, version="1.48", name="tour")
        if self._falls_ill:
            self._fall_ill(plain)
        self.api("POST", "/containers/create", request, version="1.48", name="tour", replace=True)
        self.api("POST", "/containers/tour/start")
        for verb in ("connect", "disconnect"):
            self.api("POST", f"/networks/{_NETWORK}/{verb}", {"Container": "tour"})
        if waits_for_rotation:
            self._await_rotation()
        self.exec_something()
        for path in ("/data", "/tmp"):
            archive = Tree().file("copied", "yes\n").tar()
            self.api("PUT", "/containers/tour/archive", archive, path=path)
        self.api("GET", "/containers/tour/archive", path="/data")
        ports = {"PublishAdd": {"7001/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}}
        limits = {"CpuShares": 512, "PidsLimit": 1000}
        self.api("POST", "/containers/tour/update", limits | ports)
        name, _, tag = _COMMITTED.rpartition(":")
        self.api("POST", "/commit", container="tour", repo=name, tag=tag)
        self.build_something()
        self.recreate_something()
        self.copy_a_volume()
        self.api("POST", "/containers/tour/restart", t=0)
        self.api("POST", "/containers/tour/kill")
        self.api("POST", "/containers/tour/wait")
        self.remove_all()

    def copy_a_volume(self) -> None:
        """Take a snapshot of a volume, restore it, and remove it; take the volume elsewhere."""
        for path, body in (
            ("/volumes/create", {"Name": _COPIED}),
            (f"/volumes/{_COPIED}/snapshots", {"Name": "snap"}),
            (f"/volumes/{_COPIED}/snapshots/snap/restore", None),
        ):
            self.api("POST", path, body)
        self.api("DELETE", f"/volumes/{_COPIED}/snapshots/snap")
        archive = self.api("GET", f"/volumes/{_VOLUME}/export")
        self.api("POST", f"/volumes/{_COPIED}/import", archive, replace=True)
        self.api("DELETE", f"/volumes/{_COPIED}")

    def push_something(self) -> None:
        """Push a layer that no registry has seen."""
        unseen = Tree().file("unseen", secrets.token_bytes(16)).tar()
        archive = docker_archive([self._pushed], [unseen])
        self.api("POST", "/images/load", archive, quiet=True)
        name, _, tag = self._pushed.rpartition(":")
        self.api("POST", f"/images/{name}/push", tag=tag)

    def _fall_ill(self, request: dict[str, Any]) -> None:
        """Let a container be found unhealthy, and something be done about it."""
        check = {"Test": ["CMD", "false"], "Interval": 10**8, "Retries": 1, "OnFailure": "kill"}
        request = request | {"Healthcheck": check}
        self.api("POST", "/containers/create", request, version="1.48", name="tour", replace=True)
        self.api("POST", "/containers/tour/start")
        eventually(lambda: b'"unhealthy"' in self.api("GET", "/containers/tour/json"), "it is ill")
        self.api("POST", "/containers/tour/wait", condition="not-running")

    def mend_something(self) -> None:
        """Damage what was pulled, files and blob, and have it repaired."""
        root = self._engine.content_root
        image = json.loads(self.api("GET", f"/images/{self._pulled}/json"))
        digest = image["RepoDigests"][0].rpartition(":")[2]
        blobs = root / "content" / "blobs" / "sha256"
        layer = json.loads((blobs / digest).read_bytes())["layers"][-1]["digest"]
        (blobs / layer.rpartition(":")[2]).unlink(missing_ok=True)
        for damaged in root.glob("snapshots/*/fs/pulled"):
            damaged.write_text("rotten")
        told = [
            json.loads(line) for line in self.api("POST", "/system/check", repair=True).splitlines()
        ]
        left = [record["reason"] for record in told if "left" in record]
        assert not left, left
        assert b'"Findings":0' in self.api("POST", "/system/check", full=True)

    def recreate_something(self) -> None:
        """Give the container another image, another volume, and a check that it passes."""
        change = {
            "Image": _COMMITTED,
            "Volumes": {"/another": {}},
            "Healthcheck": {"Test": ["CMD", "true"], "Interval": 10**8},
            "HostConfig": {"Mounts": [{"Type": "image", "Source": _IMAGE, "Target": "/other"}]},
        }
        self.api("POST", "/containers/tour/recreate", change, version="1.48", t=0, wait=30)

    def build_something(self) -> None:
        """Build an image of a Dockerfile: a copy, a directory, and a command in a container."""
        dockerfile = f"FROM {_IMAGE}\nCOPY f /f\nWORKDIR /w\nRUN cat /f > /w/g\nENV a=1\n"
        context = Tree().file("Dockerfile", dockerfile).file("f", "built\n").tar()
        self.api("POST", "/build", context, t=_BUILT)

    def exec_something(self) -> None:
        """Run a second process in the container."""
        body = self.api("POST", "/containers/tour/exec", {"Cmd": ["cat", "/data/file"]})
        exec_id = body.split(b'"')[3].decode()
        self.api("POST", f"/exec/{exec_id}/start", {"Detach": True})

        def ended() -> bool:
            return b'"Running":false' in self.api("GET", f"/exec/{exec_id}/json").replace(b" ", b"")

        eventually(ended, "the exec ended")

    def remove_all(self) -> None:
        """Remove what a tour makes, as far as it is there."""
        engine = self._engine
        for method, path, query in (
            ("DELETE", "/containers/tour", {"force": True, "v": True}),
            ("DELETE", f"/networks/{_NETWORK}", {}),
            ("DELETE", f"/volumes/{_VOLUME}", {}),
            ("DELETE", f"/volumes/{_COPIED}", {}),
            ("DELETE", f"/images/{_COMMITTED}", {"force": True}),
            ("DELETE", f"/images/{_BUILT}", {"force": True}),
            # Steps of a build that was broken off: they are cache, and have no names.
            ("POST", "/images/prune", {"filters": {"dangling": ["true"]}}),
            ("DELETE", f"/images/{_IMAGE}", {"force": True}),
            ("DELETE", f"/images/{_IMPORTED}", {"force": True}),
            ("DELETE", f"/images/{self._pulled}", {"force": True}),
            ("DELETE", f"/images/{self._pushed}", {"force": True}),
            # Waits until all of that is freed.
            ("POST", "/images/prune", {}),
        ):
            self.step = f"{method} {path}"
            try:
                engine.api(method, path, query=query).ok(200, 204, 404)
            except (OSError, http.client.HTTPException) as error:
                eventually(lambda: not engine.is_alive, f"{path}: {error}: it died")
                raise _EngineDied from error

    def _await_rotation(self) -> None:
        folder = self._engine.data_root / "containers"

        def rotated() -> bool:
            return not self._engine.is_alive or bool(list(folder.glob("*/container.log.1")))

        eventually(rotated, "the log is rotated")


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    """Give the address of a registry with `box:1` in it."""
    layers = [busybox_layer(), Tree().file("pulled", "yes\n").tar()]
    with serving({"box:1": docker_archive(["box:1"], layers)}) as registry:
        yield registry.address


@pytest.fixture(scope="module")
def remap() -> Iterator[str]:
    """Give the setting that makes an engine run containers in user namespaces."""
    with subordinate_account() as setting:
        yield setting


def _flags(point: str, remap: str) -> list[str]:
    """Return what an engine must be told to come by a point."""
    return [f"--userns-remap={remap}"] if "user_namespaces" in point else []


@pytest.mark.parametrize("point", _points())
def test_a_kill_at_any_point_is_survived(
    point: str, make_engine: Callable[..., EngineUnderTest], registry: str, remap: str
) -> None:
    engine = make_engine(*_flags(point, remap))
    before = engine.footprint()
    engine.terminate()
    armed = {"NARU_FAULT": f"{point}=kill"}
    engine.spawn(env=armed)
    tour = _Tour(engine, registry, point)
    rotation = "log_rotation" in point
    if _came_up(engine):
        with pytest.raises(_EngineDied):
            tour.take(waits_for_rotation=rotation)
    engine.await_death()
    # The one that repairs may come by the same place, and die there, too.
    engine.spawn(env=armed)
    if _came_up(engine):
        engine.kill9()
    else:
        engine.await_death()
    engine.start_engine()
    _check(engine, before, f"killed at {point} in {tour.step}", registry, rotation=rotation)


@pytest.mark.parametrize("point", _points())
def test_a_failure_at_any_point_is_cleaned_up(
    point: str, make_engine: Callable[..., EngineUnderTest], registry: str, remap: str
) -> None:
    engine = make_engine(*_flags(point, remap))
    before = engine.footprint()
    engine.terminate()
    engine.spawn(env={"NARU_FAULT": f"{point}=raise"})
    tour = _Tour(engine, registry, point)
    rotation = "log_rotation" in point
    if _came_up(engine):
        failure = ""
        with contextlib.suppress(_EngineDied):
            try:
                tour.take(waits_for_rotation=False)
            except AssertionError as error:
                failure = str(error)
        assert engine.is_alive, f"a failure at {point} took the engine down"
        assert not failure or point in failure, f"a failure at {point} broke something else"
    # What could not be cleaned up because cleaning up failed is the next engine's.
    engine.kill9() if engine.is_alive else engine.await_death()
    engine.start_engine()
    _check(engine, before, f"failed at {point} in {tour.step}", registry, rotation=rotation)


def _came_up(engine: EngineUnderTest) -> bool:
    """Wait until the engine answers; say whether it does, or died instead."""
    try:
        engine.await_ping()
    except AssertionError:
        assert not engine.is_alive, "it neither answers nor dies"
        return False
    return True


def _check(
    engine: EngineUnderTest, before: Footprint, what: str, registry: str, *, rotation: bool
) -> None:
    """Check that nothing is in the way, and that nothing is left in the end."""
    tour = _Tour(engine, registry)
    _list_everything(engine)
    tour.remove_all()
    engine.comes_back_to(
        before,
        what,
        within=(
            "mount",
            "network namespace",
            "link",
            "nft",
            "cgroup",
            "process",
            "run/",
            "row: containers",
        ),
    )
    tour.take(waits_for_rotation=rotation)
    engine.comes_back_to(before, what)


def _list_everything(engine: EngineUnderTest) -> None:
    """Look at all there is: what is listed can be inspected, and its content is there."""
    told = engine.api("POST", "/system/check", query={"quick": True}).ok(200).body
    assert b'"Findings":0' in told, told
    for item in engine.api("GET", "/containers/json", query={"all": True}).ok(200).json():
        engine.inspect(item["Id"])
    for item in engine.api("GET", "/images/json", query={"all": True}).ok(200).json():
        engine.api("GET", f"/images/{item['Id']}/json").ok(200)
    for item in engine.api("GET", "/volumes").ok(200).json()["Volumes"] or []:
        engine.api("GET", f"/volumes/{item['Name']}").ok(200)
    assert engine.sh("echo fine").out == "fine\n"
    engine.remove_all()
