"""Prune and disk usage, on an engine of one's own: they see everything that an engine has."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import leaks
from harness.answers import normal_text
from harness.archives import Tree, docker_archive
from harness.narud import EngineUnderTest
from harness.waiting import eventually


@pytest.fixture(scope="module")
def shared() -> Iterator[EngineUnderTest]:
    """Give one engine to the tests of this file."""
    engine = EngineUnderTest().start_engine()
    yield engine
    engine.destroy()


@pytest.fixture
def alone(shared: EngineUnderTest) -> EngineUnderTest:
    """Give an engine with `busybox:latest` and nothing else."""
    shared.remove_all()
    for volume in shared.api("GET", "/volumes").ok(200).json()["Volumes"] or ():
        shared.api("DELETE", f"/volumes/{volume['Name']}").ok(204)
    shared.ensure_busybox()
    return shared


def _prune(engine: EngineUnderTest, kind: str, **filters: list[str]) -> Any:
    return engine.api("POST", f"/{kind}/prune", query={"filters": filters}).ok(200).json()


def _df(engine: EngineUnderTest, version: str = "1.50", **query: str) -> Any:
    return engine.api("GET", "/system/df", query=query, version=version).ok(200).json()


def test_prune_takes_what_does_not_run(alone: EngineUnderTest) -> None:
    running = alone.up()
    made = alone.create("true")
    done = alone.sh("head -c 100000 /dev/zero >/big").id
    answer = _prune(alone, "containers")
    assert sorted(answer["ContainersDeleted"]) == sorted([made, done])
    assert 100_000 <= answer["SpaceReclaimed"] <= 140_000
    assert alone.containers() == [running]
    assert _prune(alone, "containers") == {"ContainersDeleted": None, "SpaceReclaimed": 0}


def test_prune_goes_by_labels_and_age(alone: EngineUnderTest) -> None:
    kept = alone.create("true", Labels={"keep": "yes"})
    other = alone.create("true", Labels={"team": "a"})
    assert _prune(alone, "containers", until=["1h"])["ContainersDeleted"] is None
    assert _prune(alone, "containers", label=["team=b"])["ContainersDeleted"] is None
    assert _prune(alone, "containers", **{"label!": ["keep"]})["ContainersDeleted"] == [other]
    assert _prune(alone, "containers", label=["keep=yes"])["ContainersDeleted"] == [kept]


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ({"nonsense": ["1"]}, "invalid filter 'nonsense'"),
        ({"until": ["nonsense"]}, "nonsense"),
        ({"until": ["1h", "2h"]}, "more than one until filter specified"),
    ],
)
def test_prune_refuses_filters_that_are_none(
    alone: EngineUnderTest, filters: dict[str, list[str]], words: str
) -> None:
    answer = alone.api("POST", "/containers/prune", query={"filters": filters})
    assert answer.status == 400
    assert words in answer.message


def test_usage_is_true_to_the_bytes(alone: EngineUnderTest) -> None:
    script = "head -c 70000 /dev/zero >/a; head -c 50000 /dev/zero >/d/b"
    container = alone.sh(script, host={"Binds": ["naru-test-v:/d"]}).id
    usage = _df(alone)
    (image,) = usage["Images"]
    assert (image["Containers"], image["SharedSize"]) == (1, 0)
    assert usage["LayersSize"] == image["Size"]
    (seen,) = usage["Containers"]
    upper = alone.inspect(container)["GraphDriver"]["Data"]["UpperDir"]
    assert seen["SizeRw"] == _bytes_in(upper) == 70_000
    (volume,) = usage["Volumes"]
    assert volume["UsageData"] == {"Size": 50_000, "RefCount": 1}
    assert volume["UsageData"]["Size"] == _bytes_in(volume["Mountpoint"])
    assert usage["BuildCache"] == []


def _bytes_in(folder: str) -> int:
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())


def test_usage_tells_what_is_asked_for(alone: EngineUnderTest) -> None:
    usage = _df(alone, type="volume")
    assert usage["Volumes"] == []
    assert usage["Images"] is None
    assert usage["Containers"] is None
    refused = alone.api("GET", "/system/df?type=nonsense", version="1.50")
    assert (refused.status, refused.message) == (400, "unknown object type: nonsense")
    assert _df(alone, "1.41")["BuilderSize"] == 0
    assert "BuilderSize" not in usage


@pytest.mark.parametrize("program", ["docker", "naru"])
def test_system_prune_takes_all_that_nobody_uses(alone: EngineUnderTest, program: str) -> None:
    command: Callable[..., Any] = getattr(alone, program)
    stopped = alone.create("true", host={"Binds": ["naru-test-named:/d"]}, Volumes={"/v": {}})
    command("network", "create", "naru-test-net").ok()
    asked = command("system", "prune", "--volumes", stdin="n\n")
    assert asked.code == 0 or program == "docker"
    assert "all anonymous volumes not used by at least one container" in asked.out
    assert alone.inspect(stopped)
    said = command("system", "prune", "-f", "--volumes").ok().lines()
    assert said[:2] == ["Deleted Containers:", stopped]
    assert "naru-test-net" in said
    assert said[-1].startswith("Total reclaimed space: ")
    assert alone.containers() == []
    names = [volume["Name"] for volume in alone.api("GET", "/volumes").json()["Volumes"]]
    assert names == ["naru-test-named"]
    assert alone.has_image("busybox:latest")
    said = command("system", "prune", "-a", "-f").ok().lines()
    assert "untagged: busybox:latest" in said
    assert not alone.has_image("busybox:latest")


def test_both_commands_print_the_same(alone: EngineUnderTest) -> None:
    alone.sh("head -c 70000 /dev/zero >/a", host={"Binds": ["naru-test-v:/d"]})
    alone.up()
    for words in (
        ["system", "df"],
        ["system", "df", "--format", "{{.Type}}|{{.TotalCount}}|{{.Size}}|{{.Reclaimable}}"],
        ["system", "df", "--format", "json"],
        ["system", "df", "-v"],
        [
            "system",
            "df",
            "-v",
            "--format",
            "{{range .Volumes}}{{.Name}} {{.Links}} {{.Size}}{{end}}",
        ],
        ["container", "prune", "--filter", "label=x", "-f"],
        ["volume", "prune", "-f"],
        ["system", "prune", "-f", "--filter", "label=none"],
        ["system", "prune", "--volumes", "--filter", "until=1h"],
    ):
        docker, naru = alone.docker(*words), alone.naru(*words)
        # They come one after the other, and ages go on.
        assert (naru.code, normal_text(naru.out)) == (docker.code, normal_text(docker.out)), words


def test_port_prints_what_docker_prints(alone: EngineUnderTest) -> None:
    bindings = {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}], "90/udp": [{"HostPort": ""}]}
    container = alone.up(host={"PortBindings": bindings})
    for words in ([], ["80"], ["80/tcp"], ["90/udp"], ["90"], ["81"], ["x"], ["70000"]):
        docker, naru = (run("port", container, *words) for run in (alone.docker, alone.naru))
        assert (naru.code, naru.out) == (docker.code, docker.out), words
        assert naru.err == docker.err, words


def test_prune_of_images_frees_what_was_removed_before(alone: EngineUnderTest) -> None:
    layer = Tree().file("f", bytes(1 << 20)).tar()
    archive = docker_archive(["naru-test/removed:1"], [layer])
    alone.api("POST", "/images/load", archive).ok(200)
    alone.api("DELETE", "/images/naru-test/removed:1").ok(200)
    assert _prune(alone, "images") == {"ImagesDeleted": None, "SpaceReclaimed": 0}
    assert leaks.unfreed(alone.data_root) == []


def test_du_agrees_about_layers(alone: EngineUnderTest) -> None:
    """What the kernel counts and what we tell are the same files."""
    layers = alone.data_root / "snapshots"
    eventually(lambda: not leaks.unfreed(alone.data_root), "what was removed is gone")
    told = _df(alone)["LayersSize"]
    counted = subprocess.run(
        ["du", "--apparent-size", "--bytes", "--summarize", layers],
        capture_output=True,
        text=True,
        check=True,
    )
    # du counts folders as well, which take 4 kB each.
    folders = sum(path.is_dir() for path in layers.rglob("*"))
    assert 0 <= int(counted.stdout.split()[0]) - told <= 8192 * (folders + 1)
