"""Devices by name, through the real docker command and ours."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import narud
from harness.narud import EngineUnderTest
from harness.requirements import requires

pytestmark = [requires("root", "docker"), pytest.mark.naru_only]


def _write(folder: Path, name: str, kind: str, **edits: Any) -> None:
    devices = [{"name": "0", "containerEdits": edits}]
    text = json.dumps({"cdiVersion": "0.6.0", "kind": kind, "devices": devices})
    (folder / name).write_text(text)


@pytest.fixture(scope="module")
def device_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineUnderTest]:
    """Give an engine with specifications of devices, some of them broken."""
    if os.environ.get("NARU_TEST_SOCKET"):
        pytest.skip("needs an engine of its own")
    folder = tmp_path_factory.mktemp("cdi")
    (folder / "library").write_text("driver\n")
    hook = ["sh", "-c", f"cat > {folder}/state"]
    _write(
        folder,
        "acme.json",
        "acme.com/gadget",
        env=["ACME=yes"],
        deviceNodes=[{"path": "/dev/acme", "hostPath": "/dev/zero", "permissions": "rw"}],
        mounts=[{"hostPath": f"{folder}/library", "containerPath": "/lib/acme.so"}],
        hooks=[{"hookName": "createContainer", "path": "/bin/sh", "args": hook}],
    )
    _write(folder, "gpu.json", "nvidia.com/gpu", env=["GPU=0"])
    (folder / "broken.json").write_text("{")
    (folder / "other.yaml").write_text("cdiVersion: 0.6.0\n")
    engine = narud.started([f"--cdi-spec-dir={folder}"])
    yield engine
    engine.destroy()


@pytest.mark.parametrize("program", ["docker", "naru"])
def test_a_named_device_is_there_with_all_it_needs(
    device_engine: EngineUnderTest, program: str
) -> None:
    run = getattr(device_engine, program)
    script = "echo $ACME; cat /lib/acme.so; head -c1 /dev/acme | wc -c"
    done = run("run", "--rm", "--device", "acme.com/gadget=0", "busybox", "sh", "-c", script).ok()
    assert done.lines() == ["yes", "driver", "1"]
    [flag] = [word for word in device_engine.argv if word.startswith("--cdi-spec-dir=")]
    state = json.loads(Path(flag.partition("=")[2], "state").read_text())
    assert len(state["id"]) == 64
    done = run("run", "--rm", "--gpus", "all", "busybox", "sh", "-c", "echo $GPU").ok()
    assert done.out == "0\n"


@pytest.mark.parametrize("program", ["docker", "naru"])
def test_an_unknown_device_is_refused_with_a_hint_at_broken_files(
    device_engine: EngineUnderTest, program: str
) -> None:
    run = getattr(device_engine, program)
    done = run("run", "--rm", "--device", "acme.com/gadget=1", "busybox", "true")
    assert done.code == 125
    assert "CDI device injection failed: unresolvable CDI devices acme.com/gadget=1" in done.err
    assert "other.yaml: is YAML, which is not read; write it as JSON" in done.err
    assert "broken.json: invalid CDI Spec" in done.err
    done = run("run", "--rm", "--gpus", "driver=other", "busybox", "true")
    assert 'could not select device driver "other" with capabilities: [[gpu]]' in done.err


def test_devices_are_listed(device_engine: EngineUnderTest) -> None:
    info = device_engine.api("GET", "/info", version="1.50").json()
    assert info["DiscoveredDevices"] == [
        {"Source": "cdi", "ID": "acme.com/gadget=0"},
        {"Source": "cdi", "ID": "nvidia.com/gpu=0"},
    ]
    assert len(info["CDISpecDirs"]) == 1
    for program in (device_engine.docker, device_engine.naru):
        shown = program("info").ok().out
        assert " Discovered Devices:\n  cdi: acme.com/gadget=0\n  cdi: nvidia.com/gpu=0\n" in shown
    assert "DiscoveredDevices" not in device_engine.api("GET", "/info", version="1.49").json()


def test_no_gpu_is_given_where_none_is_known(engine: EngineUnderTest) -> None:
    done = engine.docker("run", "--rm", "--gpus", "all", "busybox", "true")
    assert done.code == 125
    assert 'could not select device driver "" with capabilities: [[gpu]]' in done.err
