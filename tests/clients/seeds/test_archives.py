"""Images and containers as files: save and load, export and import."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from harness.archives import Tree, busybox_layer, docker_archive, files
from harness.clients import Client, ended
from harness.requirements import requires
from harness.web import folder_served

pytestmark = requires("root")

_NAMES = ["seeds/archive:1", "seeds/archive:2"]
_NAME = _NAMES[0]
_LAYERS = [busybox_layer(), Tree().file("etc/motd", "from a layer\n").tar()]
_COMPRESSIONS: list[Callable[[bytes], bytes]] = [
    gzip.compress,
    bz2.compress,
    lzma.compress,
    zstandard.compress,
]


@pytest.fixture
def image(client: Client) -> Iterator[str]:
    """Give an image of two layers with two names, and remove whatever is called so afterwards."""
    config = {"Cmd": ["cat", "/etc/motd"], "Env": ["KEPT=yes"]}
    client.engine.load(docker_archive(_NAMES, _LAYERS, config))
    yield _NAME
    client.engine.remove_all()
    left = client.say("images", "-q", "seeds/archive").split()
    if left:
        client("rmi", "-f", *set(left)).ok()


def _members(archive: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {member.name.strip("/"): member for member in tar}


@pytest.mark.seed("S071")
def test_images_are_saved_as_dockers_archive_and_as_a_layout(
    client: Client, image: str, tmp_path: Path
) -> None:
    path = tmp_path / "image.tar"
    client("image", "save", "-o", str(path), image).ok()
    assert path.stat().st_mode & 0o777 == 0o600
    archive = path.read_bytes()
    names = _members(archive)
    saved = files(archive)
    [item] = json.loads(saved["manifest.json"])
    assert item["RepoTags"] == [image]
    assert {item["Config"], *item["Layers"]} <= names.keys()
    [entry] = json.loads(saved["index.json"])["manifests"]
    assert f"blobs/sha256/{entry['digest'][7:]}" in names
    assert json.loads(saved["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    again = tmp_path / "again.tar"
    client("save", "--output", str(again), image).ok()
    assert again.read_bytes() == archive
    client("save", "-o", str(again), "busybox", image).ok()
    items = json.loads(files(again.read_bytes())["manifest.json"])
    assert [each["RepoTags"] for each in items] == [["busybox:latest"], [image]]
    with client.terminal("save", image) as screen:
        shown, code = ended(screen)
    assert "cowardly refusing to save to a terminal" in shown
    assert code == 1
    missing = client("save", "-o", str(tmp_path / "none.tar"), "seeds/archive:none")
    assert missing.code == 1
    assert "reference does not exist" in missing.err
    assert not (tmp_path / "none.tar").exists()


@pytest.mark.seed("S072")
def test_what_was_saved_is_loaded_with_the_same_id_and_names(
    client: Client, image: str, tmp_path: Path
) -> None:
    def known() -> str:
        return client.show("{{.Id}} {{json .RepoTags}} {{json .RootFS.Layers}}", image)

    before, path = known(), tmp_path / "image.tar"
    client("save", "-o", str(path), *_NAMES).ok()
    client("rmi", *_NAMES).ok()
    assert client("inspect", image).code == 1
    loaded = [f"Loaded image: {name}" for name in _NAMES]
    assert client("load", "-i", str(path)).ok().lines() == loaded
    assert known() == before
    assert client.say("run", "--rm", image) == "from a layer"
    for compress in _COMPRESSIONS:
        client("rmi", *_NAMES).ok()
        done = client("image", "load", "-q", stdin=compress(path.read_bytes())).ok()
        assert done.lines() == loaded
        assert known() == before
    cut = client("load", stdin=path.read_bytes()[:-20_000])
    assert cut.code == 1
    assert known() == before
    nothing = client("load", "-i", str(tmp_path / "none.tar"))
    assert (nothing.code, nothing.out) == (1, "")
    assert "no such file or directory" in nothing.err


@pytest.mark.seed("S073")
def test_a_container_that_runs_is_exported_without_its_volumes(
    client: Client, tmp_path: Path
) -> None:
    script = "echo kept > /kept; echo left > /volume/left; echo ready; exec sleep 1000"
    container = client.ready("-v", "/volume", "busybox", "sh", "-c", script)
    path = tmp_path / "root.tar"
    script = f"{client.path} container export {container} > {path}"
    subprocess.run(["sh", "-c", script], env=client.engine.environ, check=True)
    names = _members(path.read_bytes())
    assert {"kept", "bin/busybox", "etc/passwd", "volume"} <= names.keys()
    assert "volume/left" not in names
    assert names["bin/busybox"].mode == 0o755
    assert files(path.read_bytes())["kept"] == b"kept\n"
    with client.terminal("export", container) as screen:
        shown, code = ended(screen)
    assert "cowardly refusing to save to a terminal" in shown
    assert code == 1


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """Give the URL of a tree in a tar."""
    root = tmp_path / "served"
    root.mkdir()
    (root / "root.tar").write_bytes(busybox_layer())
    with folder_served(root) as address:
        yield f"{address}/root.tar"


@pytest.mark.seed("S074")
def test_trees_are_imported_from_files_streams_and_urls(
    client: Client, image: str, tmp_path: Path, served: str
) -> None:
    path = tmp_path / "root.tar"
    path.write_bytes(busybox_layer())
    words = ("-c", 'CMD ["echo", "imported"]', "--change", "ENV A=b", "-m", "why")
    ids = [
        client.say("image", "import", *words, str(path), "seeds/archive:file"),
        client.say("import", *words, "-", "seeds/archive:stdin", stdin=busybox_layer()),
        client.say("import", *words, served, "seeds/archive:url"),
        client.say("import", *words, "--platform", "linux/arm64", str(path), "seeds/archive:arm"),
    ]
    form = "{{.Id}} {{.Comment}} {{.Config.Cmd}} {{.Config.Env}} {{len .RootFS.Layers}}"
    for tag, image_id in zip(("file", "stdin", "url"), ids[:3], strict=True):
        name = f"seeds/archive:{tag}"
        assert client.show(form, name) == f"{image_id} why [echo imported] [A=b] 1"
        assert client.say("run", "--rm", name) == "imported"
    assert client.show("{{.Architecture}}", ids[3]) == "arm64"
    plain = client.say("import", str(path))
    assert client.show("{{.Config.Cmd}} {{len .RepoTags}} {{.Comment}}", plain) == (
        "[] 0 Imported from -"
    )
    client("rmi", plain).ok()
    refused = client("import", "-c", "RUN x", str(path), "seeds/archive:refused")
    assert refused.code == 1
    assert "run is not a valid change command" in refused.err.lower()
    gone = client("import", f"{served}.none", "seeds/archive:refused")
    assert gone.code == 1
    assert "404" in gone.err


@pytest.mark.seed("S075")
def test_save_keeps_what_an_image_is_and_export_only_its_files(
    client: Client, image: str, tmp_path: Path
) -> None:
    form = "{{json .Config.Cmd}} {{json .Config.Env}} {{len .RootFS.Layers}}"
    before = client.show(form, image)
    assert before == '["cat","/etc/motd"] ["KEPT=yes"] 2'
    steps = client.say("history", "-q", "--no-trunc", image)
    saved, exported = tmp_path / "saved.tar", tmp_path / "exported.tar"
    client("save", "-o", str(saved), image).ok()
    client("export", "-o", str(exported), client.say("create", image)).ok()
    client.engine.remove_all()
    client("rmi", *_NAMES).ok()
    client("load", "-i", str(saved)).ok()
    assert client.show(form, image) == before
    assert client.say("history", "-q", "--no-trunc", image) == steps
    assert len(steps.splitlines()) == 2
    client("import", str(exported), "seeds/archive:imported").ok()
    assert client.show(form, "seeds/archive:imported") == "null null 1"
    assert len(client.say("history", "-q", "seeds/archive:imported").splitlines()) == 1
    seen = client.say("run", "--rm", "seeds/archive:imported", "cat", "/etc/motd")
    assert seen == "from a layer"
