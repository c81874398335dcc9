"""`image copy` between engines and files: what goes over the wire, and what is left of failures."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import leaks, narud, ssh_host
from harness.archives import BUSYBOX, Tree, busybox_layer, docker_archive, oci_archive
from harness.engine import Engine
from harness.narud import EngineUnderTest
from harness.programs import Result
from harness.requirements import requires
from harness.wiretap import Wiretap

pytestmark = requires("root")

BIG = Tree().file("big", random.Random(1).randbytes(3 << 20)).tar()
TOP = Tree().file("top", random.Random(2).randbytes(1 << 20)).tar()


@pytest.fixture(scope="module")
def far() -> Iterator[EngineUnderTest]:
    """Give an engine to copy to; it has `busybox:latest`, as the near one has."""
    engine = narud.started()
    yield engine
    engine.destroy()


@pytest.fixture
def tap(far: EngineUnderTest) -> Iterator[Wiretap]:
    """Give a way to it that counts, and what it had before is all it has afterwards."""
    images = names(far)
    before = far.footprint()
    tap = Wiretap(far.root / "tap.sock", far.socket)
    yield tap
    tap.close()
    far.remove_all()
    for name in names(far) - images:
        far.docker("rmi", "-f", name).ok()
    far.comes_back_to(before, "copies")


@pytest.fixture(autouse=True)
def cleared(engine: Engine) -> Iterator[None]:
    images = names(engine)
    yield
    for name in names(engine) - images:
        engine.docker("rmi", "-f", name).ok()


def names(engine: Engine) -> set[str]:
    items = engine.api("GET", "/images/json").json()
    return {
        item["Id"] if tag == "<none>:<none>" else tag for item in items for tag in item["RepoTags"]
    }


def copy(engine: Engine, *words: str, **options: Any) -> Result:
    return engine.naru("image", "copy", *words, **options)


def skopeo(*words: str) -> dict[str, Any]:
    done = subprocess.run(["skopeo", *words], check=True, capture_output=True)
    return dict(json.loads(done.stdout)) if words[0] == "inspect" else {}


def manifest_digest(engine: Engine, name: str, folder: Path) -> str:
    """Return the digest of an image's manifest, as a copy of it tells."""
    copy(engine, name, f"oci:{folder}:probe").ok()
    index = json.loads((folder / "index.json").read_bytes())
    return str(index["manifests"][-1]["digest"])


def test_only_the_layer_that_is_missing_is_sent(
    engine: Engine, far: EngineUnderTest, tap: Wiretap, tmp_path: Path
) -> None:
    for each in (engine, far):
        each.load(docker_archive(["base:1"], [busybox_layer(), BIG]))
    engine.load(docker_archive(["app:1"], [busybox_layer(), BIG, TOP]))
    done = copy(engine, "app:1", f"{tap.url}#app:2").ok()
    sent, _ = tap.take()
    assert len(TOP) < sent < len(TOP) + 20_000
    top, base = (hashlib.sha256(layer).hexdigest()[:12] for layer in (TOP, BIG))
    assert f"{base}: Already exists" in done.lines()
    assert f"{top}: Copied" in done.lines()
    assert "Status: Sent 1 of 3 layers (1.05MB)" in done.lines()
    assert done.lines()[-1] == f"{tap.url}#docker.io/library/app:2"
    assert far.image_id("app:2") == engine.image_id("app:1")
    assert far.run("cmp", "/top", "/top", image="app:2").code == 0
    # Once more: nothing but words.
    assert copy(engine, "-q", "app:1", tap.url).ok().lines() == [
        f"{tap.url}#docker.io/library/app:1"
    ]
    assert tap.take()[0] < 20_000
    assert {"app:1", "app:2"} <= names(far)
    same = manifest_digest(engine, "app:1", tmp_path / "near")
    assert manifest_digest(far, "app:1", tmp_path / "far") == same


def test_the_other_way_round_and_the_name_is_taken_from_another(
    engine: Engine, far: EngineUnderTest, tap: Wiretap
) -> None:
    far.load(docker_archive(["app:1"], [busybox_layer(), TOP]))
    engine.load(docker_archive(["app:1"], [busybox_layer()], {"Cmd": ["old"]}))
    old = engine.image_id("app:1")
    copy(engine, f"{tap.url}#app:1", "engine:").ok()
    assert tap.take()[1] < len(TOP) + 20_000
    assert engine.image_id("app:1") == far.image_id("app:1")
    assert engine.api("GET", f"/images/{old}/json").json()["RepoTags"] == []
    events = far.docker("events", "--since", "1m", "--until", f"{time.time():.9f}").ok()
    assert f"image save {far.image_id('app:1')}" in events.out


def test_an_image_goes_by_its_id_and_then_needs_a_name(
    engine: Engine, far: EngineUnderTest, tap: Wiretap
) -> None:
    short = engine.image_id(BUSYBOX).partition(":")[2][:12]
    refused = copy(engine, short, tap.url)
    assert refused.code == 1
    assert f"{short} has no name of its own" in refused.err
    assert f"as in {tap.url}#NAME" in refused.err
    copy(engine, short, f"{tap.url}#by/id:1").ok()
    assert "by/id:1" in names(far)


def test_layouts_are_what_skopeo_reads_and_writes(engine: Engine, tmp_path: Path) -> None:
    engine.load(oci_archive("app:1", [busybox_layer(), TOP]))
    layout = tmp_path / "layout"
    done = copy(engine, "app:1", f"oci:{layout}:v1").ok()
    shown = skopeo("inspect", f"oci:{layout}:v1")
    digest = next(line for line in done.lines() if line.startswith("Digest: "))
    assert digest == f"Digest: {shown['Digest']}"
    blobs = set(os.listdir(layout / "blobs" / "sha256"))
    # Another image there shares its layers, and takes no name but its own.
    engine.docker("tag", "app:1", "reg.lan/app:2").ok()
    again = copy(engine, "reg.lan/app:2", f"oci:{layout}").ok()
    assert "Status: Sent 0 of 2 layers (0B)" in again.lines()
    assert set(os.listdir(layout / "blobs" / "sha256")) == blobs
    refused = copy(engine, f"oci:{layout}", "engine:x")
    assert (refused.code, "has several images, say which: " in refused.err) == (1, True)
    # What skopeo makes of it comes back, its digest with it.
    skopeo("copy", "--insecure-policy", "-q", f"oci:{layout}:v1", f"oci:{tmp_path}/other:tag")
    engine.docker("rmi", "-f", "app:1", "reg.lan/app:2").ok()
    back = copy(engine, f"oci:{tmp_path}/other:tag", "app:3").ok()
    assert digest in back.lines()
    assert engine.run("true", image="app:3").code == 0
    copy(engine, f"oci:{layout}:reg.lan/app:2", "engine:").ok()
    assert "reg.lan/app:2" in names(engine)
    assert sorted(os.listdir(layout)) == ["blobs", "index.json", "oci-layout"]


def test_archives_are_what_skopeo_reads_and_writes(engine: Engine, tmp_path: Path) -> None:
    engine.load(docker_archive(["app:1"], [busybox_layer(), TOP]))
    for kind, name in (("docker-archive", "app:1"), ("oci-archive", "1")):
        made, theirs = tmp_path / f"{kind}.tar", tmp_path / f"{kind}-skopeo.tar"
        copy(engine, "app:1", f"{kind}:{made}").ok()
        skopeo("copy", "--insecure-policy", "-q", f"{kind}:{made}", f"{kind}:{theirs}:{name}")
        copy(engine, f"{kind}:{theirs}", f"engine:{kind}:back").ok()
        assert engine.image_id(f"{kind}:back") == engine.image_id("app:1")
    assert sorted(os.listdir(tmp_path)) == sorted(
        f"{kind}{part}.tar"
        for kind in ("docker-archive", "oci-archive")
        for part in ("", "-skopeo")
    )
    # `load` takes it as well, and `gzip` does not matter.
    engine.docker("rmi", "app:1").ok()
    assert "Loaded image: app:1" in engine.docker("load", "-i", f"{tmp_path}/oci-archive.tar").out
    subprocess.run(["gzip", f"{tmp_path}/docker-archive.tar"], check=True)
    copy(engine, f"docker-archive:{tmp_path}/docker-archive.tar.gz", "engine:zipped").ok()
    assert engine.image_id("zipped") == engine.image_id("app:1")


def test_by_ssh_and_a_key_that_is_refused(
    engine: Engine, far: EngineUnderTest, tap: Wiretap
) -> None:
    engine.load(docker_archive(["app:1"], [busybox_layer(), TOP]))
    path = f"{Path(engine.naru_program).parent}:{os.environ['PATH']}"
    with ssh_host.serving({"NARU_HOST": f"unix://{far.socket}", "PATH": path}) as host:
        env = {"PATH": f"{host.path}:{os.environ['PATH']}"}
        copy(engine, "app:1", host.url, env=env).ok()
        assert far.image_id("app:1") == engine.image_id("app:1")
        with host.refusing():
            refused = copy(engine, "app:1", f"{host.url}#app:2", env=env)
    assert refused.code == 1
    assert refused.err.startswith(f"{host.url}: error during connect: ")
    assert "Permission denied (publickey)" in refused.err


def test_a_cut_leaves_nothing_half_made_and_the_next_copy_goes_on(
    engine: Engine, far: EngineUnderTest, tap: Wiretap
) -> None:
    # Larger than all that an engine may have on its way from the socket to the disk.
    last = Tree().file("last", random.Random(3).randbytes(24 << 20)).tar()
    engine.load(docker_archive(["app:1"], [busybox_layer(), BIG, last]))
    before = far.footprint()
    # Near the end of the last layer: what is still on its way when the cut is seen is part of it.
    tap.cut_after = len(BIG) + len(last) - 500_000
    cut = copy(engine, "app:1", tap.url)
    tap.cut_after = None
    assert cut.code == 1
    assert cut.err.startswith(f"{tap.url}: ")
    # Not even a kill of the engine takes what has come.
    far.restart(how="kill9")
    assert "app:1" not in names(far)
    tap.take()
    done = copy(engine, "app:1", tap.url).ok()
    assert f"{hashlib.sha256(BIG).hexdigest()[:12]}: Already exists" in done.lines()
    assert tap.take()[0] < len(last) + 20_000
    far.docker("rmi", "app:1").ok()
    far.comes_back_to(before, "a copy that was cut")


def test_a_damaged_layout_is_found_out_and_changes_nothing(
    engine: Engine, far: EngineUnderTest, tap: Wiretap, tmp_path: Path
) -> None:
    engine.load(docker_archive(["app:1"], [busybox_layer(), TOP]))
    layout, other = tmp_path / "layout", tmp_path / "other"
    copy(engine, "app:1", f"oci:{layout}").ok()
    blob = layout / "blobs" / "sha256" / hashlib.sha256(TOP).hexdigest()
    data = bytearray(blob.read_bytes())
    data[700_000] ^= 1
    blob.write_bytes(data)
    before = far.footprint()
    for target in (f"{tap.url}#x:1", f"oci:{other}:x"):
        refused = copy(engine, f"oci:{layout}", target)
        assert refused.code == 1
        assert hashlib.sha256(TOP).hexdigest() in refused.err, refused
    leaks.assert_nothing_left(before, far.footprint, what="a damaged layout")
    assert not (other / "index.json").exists()
    assert sorted(os.listdir(other)) == ["blobs", "oci-layout"]
    assert hashlib.sha256(TOP).hexdigest() not in os.listdir(other / "blobs" / "sha256")
    blob.write_bytes(data[:-512])
    refused = copy(engine, f"oci:{layout}", f"{tap.url}#x:1")
    assert f"has {len(TOP)} bytes, only {len(TOP) - 512} came" in refused.err
    leaks.assert_nothing_left(before, far.footprint, what="a short layout")


def test_ctrl_c_leaves_neither_file_nor_image(
    engine: Engine, far: EngineUnderTest, tap: Wiretap, tmp_path: Path
) -> None:
    engine.load(docker_archive(["app:1"], [busybox_layer(), BIG, TOP]))
    fifo = tmp_path / "slow.tar"
    os.mkfifo(fifo)
    layout = tmp_path / "layout"
    argv = [engine.naru_program, "image", "copy", f"docker-archive:{fifo}", f"oci:{layout}:x"]
    copying = subprocess.Popen(
        argv, env=engine.environ | {"TMPDIR": str(tmp_path)}, stderr=subprocess.PIPE
    )
    with fifo.open("wb") as writer:
        writer.write(docker_archive(["app:1"], [busybox_layer(), BIG])[: 1 << 20])
        writer.flush()
        copying.send_signal(2)
        _, said = copying.communicate(timeout=20)
    assert (copying.returncode, said) == (130, b"")
    assert os.listdir(tmp_path) == ["slow.tar"]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("nothing:1", "oci:{tmp}/x"), "engine: No such image: nothing:1"),
        (("unix:///tmp/no.sock#x", "engine:"), "unix:///tmp/no.sock: Cannot connect to the Docker"),
        (("busybox", "ftp://x/y"), '"ftp://x/y": ftp:// is no place for images, use a name, '),
        (("oci:{tmp}/none", "engine:x"), "{tmp}/none: no such folder"),
        (("docker-archive:{tmp}/none", "engine:x"), "{tmp}/none: no such file"),
        (("busybox", "docker-archive:{tmp}/a/b"), "{tmp}/a/b: there is no folder {tmp}/a"),
        (("busybox", "oci:{tmp}/file"), "{tmp}/file is no folder, as an OCI layout is"),
        (("docker-archive:{tmp}/file", "engine:x"), "{tmp}/file has no manifest.json"),
        (
            ("busybox", "Bad"),
            '"Bad": invalid reference format: repository name (library/Bad) must be',
        ),
        (("ssh://h", "engine:"), '"ssh://h" names no image, as in ssh://h#NAME'),
        (("--platform", "linux/s390x", "busybox", "oci:{tmp}/x"), "not for linux/s390x"),
        (("busybox", "oci:{tmp}"), "{tmp} has files in it and is no OCI layout"),
        (("busybox", "context:none#x"), 'context "none": context not found'),
    ],
)
def test_what_cannot_be_copied_is_refused_by_name(
    engine: Engine, tmp_path: Path, words: tuple[str, ...], problem: str
) -> None:
    (tmp_path / "file").write_bytes(Tree().file("x", b"y").tar())
    refused = copy(engine, *(word.format(tmp=tmp_path) for word in words))
    assert refused.code == 1
    assert problem.format(tmp=tmp_path) in refused.err
    assert os.listdir(tmp_path) == ["file"]


def test_a_full_disk_is_told_and_left_as_it_was(engine: Engine, tmp_path: Path) -> None:
    engine.load(docker_archive(["app:1"], [busybox_layer(), TOP]))
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2500k", "none", str(small)], check=True)
    try:
        for target in (f"oci:{small}/layout:x", f"docker-archive:{small}/x.tar"):
            refused = copy(engine, "app:1", target)
            assert refused.code == 1
            assert refused.err.endswith("no space left on device\n"), refused
        assert not (small / "x.tar").exists()
        assert sorted(os.listdir(small / "layout")) == ["blobs", "oci-layout"]
        # The layer that fitted is there for the next try.
        assert os.listdir(small / "layout" / "blobs" / "sha256") == [
            hashlib.sha256(busybox_layer()).hexdigest()
        ]
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_an_archive_has_the_documents_first(engine: Engine, tmp_path: Path) -> None:
    copy(engine, BUSYBOX, f"oci-archive:{tmp_path}/x.tar:tag").ok()
    with tarfile.open(tmp_path / "x.tar") as archive:
        sizes = [member.size for member in archive]
    assert sizes[-1] == max(sizes)
