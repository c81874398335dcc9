"""`system check`: what was damaged is told with whom it affects, and repaired if nobody uses it."""

from __future__ import annotations

import gzip
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes.fake_registry import FakeRegistry
from harness import narud
from harness.archives import Tree, busybox_layer, docker_archive, image_config
from harness.narud import EngineUnderTest
from harness.registry import in_thread
from harness.requirements import requires
from naru.oci.digest import digest_bytes
from naru.store.content import ContentStore

pytestmark = [requires("root", "crun", "conmon", "nft"), pytest.mark.naru_only]

IMAGE = "naru-test/checked:1"
_ROUNDS = 8


@pytest.fixture(scope="module")
def one_engine() -> Iterator[EngineUnderTest]:
    """Give an engine whose store may be damaged."""
    engine = narud.started()
    yield engine
    engine.destroy()


@pytest.fixture
def engine(one_engine: EngineUnderTest) -> Iterator[EngineUnderTest]:
    """Give the engine with `IMAGE`, and check that its store is whole in the end."""
    one_engine.load(docker_archive([IMAGE], [busybox_layer(), FILES]))
    yield one_engine
    one_engine.remove_all()
    one_engine.naru("rmi", "-f", IMAGE)
    assert check(one_engine) == []


FILES = Tree().directory("data").file("data/file", "as it was\n").tar()


def records(engine: EngineUnderTest, **query: object) -> list[dict[str, Any]]:
    answer = engine.api("POST", "/system/check", query=query, timeout_s=120).ok(200)
    found = answer.json_lines()
    assert not [record for record in found if "error" in record], found
    return found


def check(engine: EngineUnderTest, **query: object) -> list[tuple[str, tuple[str, ...]]]:
    """Return kind and affected of all that was found."""
    return [
        (item["Kind"], (*item["Images"], *item["Containers"]))
        for record in records(engine, **query)
        if (item := record.get("finding"))
    ]


def unpacked(engine: EngineUnderTest) -> Path:
    """Return the file in the image's tree."""
    found = engine.content_root.glob("snapshots/*/fs/data/file")
    # Trees of earlier tests may be there: what a container had mounted stays until the next start.
    return max(found, key=lambda path: int(path.parents[2].name))


def test_a_damaged_tree_is_repaired_and_its_stopped_container_starts(
    engine: EngineUnderTest,
) -> None:
    engine.create("cat", "/data/file", image=IMAGE, name="web")
    unpacked(engine).write_text("rotten...\n")
    old = unpacked(engine)
    assert check(engine) == [("layer-damaged", (IMAGE, "web"))]
    done = engine.naru("system", "check", "--repair")
    assert done.code == 0, done
    assert "repaired" in done.out
    assert check(engine, full=True) == []
    engine.start("web")
    assert engine.wait("web") == 0
    assert engine.logs("web")["stdout"] == b"as it was\n"
    # What might have been mounted goes with the next start.
    assert old.exists()
    engine.restart()
    assert not old.exists()


def test_a_running_container_keeps_its_files_and_is_named(engine: EngineUnderTest) -> None:
    engine.create("sleep", "1000", image=IMAGE, name="busy")
    engine.start("busy")
    old = unpacked(engine)
    old.write_text("rotten...\n")
    done = engine.naru("system", "check", "--repair")
    assert done.code == 1
    assert "naru stop busy" in done.out
    assert unpacked(engine) == old
    engine.api("POST", "/containers/busy/kill").ok(204)
    engine.wait("busy")
    assert engine.naru("system", "check", "--repair").code == 0
    assert check(engine) == []


def test_an_image_without_containers_is_repaired_at_once(engine: EngineUnderTest) -> None:
    old = unpacked(engine)
    old.unlink()
    assert engine.naru("system", "check", "--repair", "--quiet").out == ""
    assert not old.parent.exists()
    assert engine.run("cat", "/data/file", image=IMAGE).code == 0


def test_what_cannot_be_repaired_says_what_to_do(engine: EngineUnderTest, tmp_path: Path) -> None:
    path = _layer_path(engine)
    digest = f"sha256:{path.name}"
    path.write_bytes(b"x" + path.read_bytes()[1:])
    done = engine.naru("system", "check", "--repair")
    assert done.code == 1
    assert f"load or build {IMAGE} again" in done.out
    left = [record for record in records(engine, repair=True) if "left" in record]
    assert [record["left"]["Kind"] for record in left] == ["blob-damaged"]
    kept = tmp_path / "kept.tar"
    done = engine.naru("save", "-o", str(kept), IMAGE)
    assert done.code == 1
    assert not kept.exists()
    quick = engine.naru("system", "check", "--quick")
    assert quick.code == 0, "a quick look does not read"
    as_json = engine.naru("system", "check", "--format", "{{.Thing}} {{.State}}", "--no-trunc")
    assert as_json.out == f"{digest} found\n"
    engine.load(docker_archive([IMAGE], [busybox_layer(), FILES]))
    assert engine.naru("system", "check", "--format", "json").out == ""


def test_a_pulled_image_is_fetched_again_and_runs(engine: EngineUnderTest) -> None:
    with in_thread(FakeRegistry()) as registry:
        layers = [busybox_layer(), Tree().file("pulled", "from afar\n").tar()]
        packed = [gzip.compress(layer, mtime=0) for layer in layers]
        registry.add_image("x", "1", image_config(layers, {"Cmd": ["cat", "/pulled"]}), packed)
        name = f"{registry.host}/x:1"
        assert engine.naru("pull", name).code == 0
        content = ContentStore(engine.content_root / "content")
        mine = [digest for digest, _ in content.walk() if digest in registry.blobs]
        assert len(mine) == 3
        for digest in mine[:2]:
            content.delete(digest)
        content.path(mine[2]).write_bytes(b"rubbish")
        for tree in engine.content_root.glob("snapshots/*/fs/pulled"):
            tree.unlink()
        found = check(engine)
        assert sorted(kind for kind, _ in found)[:3] == [
            "blob-damaged",
            "blob-missing",
            "blob-missing",
        ]
        done = engine.naru("system", "check", "--repair")
        assert done.code == 0, done
        assert engine.naru("run", "--rm", name).out == "from afar\n"
        engine.naru("rmi", name)


def test_what_no_registry_gives_back_leaves_nothing_of_the_attempt(engine: EngineUnderTest) -> None:
    with in_thread(FakeRegistry()) as registry:
        layer = Tree().file("pulled", "from afar\n").tar()
        packed = gzip.compress(layer, mtime=0)
        registry.add_image("x", "1", image_config([layer], {}), [packed])
        name = f"{registry.host}/x:1"
        assert engine.naru("pull", name).code == 0
    content = ContentStore(engine.content_root / "content")
    content.path(digest_bytes(packed)).write_bytes(b"rubbish")
    assert engine.naru("system", "check", "--repair").code == 1
    assert [kind for kind, _ in check(engine)] == ["blob-damaged"]
    engine.naru("rmi", name)


def test_checks_beside_loads_builds_and_removals_find_nothing(engine: EngineUnderTest) -> None:
    """Whatever is half done is under way, not wrong."""
    rounds = [0, 0]
    failures: list[str] = []

    def churn(number: int) -> None:
        layer = Tree().file(f"file{number}", f"{number}" * 100_000).tar()
        archive = docker_archive([f"naru-test/churn:{number}"], [busybox_layer(), layer])
        context = Tree().file("Dockerfile", f"FROM {IMAGE}\nCOPY f /f{number}\n").file("f", "x")
        try:
            while rounds[number] < _ROUNDS:
                engine.load(archive)
                query = {"t": f"naru-test/built:{number}"}
                engine.api("POST", "/build", context.tar(), query=query).ok(200)
                for name in ("churn", "built"):
                    engine.api("DELETE", f"/images/naru-test/{name}:{number}").ok(200)
                rounds[number] += 1
        except AssertionError as error:
            failures.append(str(error))
            rounds[number] = _ROUNDS

    threads = [threading.Thread(target=churn, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    turn = 0
    try:
        while min(rounds) < _ROUNDS:
            turn += 1
            assert check(engine, quick=turn % 2, repair=turn % 4 == 3) == []
    finally:
        rounds[:] = [_ROUNDS, _ROUNDS]
        for thread in threads:
            thread.join()
    assert failures == []


def test_a_check_ends_with_its_client(engine: EngineUnderTest) -> None:
    path = _layer_path(engine)
    # All of a minute to read, and no room on the disk.
    os.truncate(path, 64 << 30)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(engine.socket)
        connection.sendall(b"POST /system/check HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        told = b""
        while b"Checking" not in told:
            told += connection.recv(4096)
    # One at a time: the next one waits for the end of that one.
    answer = engine.api("POST", "/system/check", query={"quick": True}, timeout_s=20)
    assert b"blob-damaged" in answer.ok(200).body
    engine.load(docker_archive([IMAGE], [busybox_layer(), FILES]))


def _layer_path(engine: EngineUnderTest) -> Path:
    content = ContentStore(engine.content_root / "content")
    return content.path(next(digest for digest, size in content.walk() if size == len(FILES)))


def test_two_depths_at_once_are_refused(engine: EngineUnderTest) -> None:
    done = engine.naru("system", "check", "--quick", "--full")
    assert done.code == 1
    assert "conflicting options" in done.err
