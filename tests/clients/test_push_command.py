"""`push`: both commands say the same of the same push, and go with the same login."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.writable_registry import WritableRegistry
from harness.archives import Tree, image_config
from harness.clients import Client, ended
from harness.engine import Engine
from harness.registry import in_thread
from harness.requirements import requires
from naru.oci.platform import host_platform

pytestmark = [
    requires("docker"),
    pytest.mark.docker_release("28.2"),
    pytest.mark.naru_only,
]

LAYER = Tree().file("x", "x\n").tar()
# One layer, so that there is only one order to tell of them in.
_LINES = """
push HOST/x:1
image push HOST/x:1
push -q HOST/x:1
push -a HOST/x
push -a -q HOST/x
push --platform linux/ARCH HOST/x:1
push --platform linux/ARCH -q HOST/x:1
push --platform linux/s390x HOST/x:1
push --disable-content-trust HOST/x:1
push HOST/x
push HOST/x:none
push HOST/none
push -q HOST/none
push -a HOST/none
push -a HOST/x:1
push HOST/x@sha256:DIGEST
push HOST/X
push
push a b
push --help
"""


@pytest.fixture
def registry(engine: Engine) -> Iterator[WritableRegistry]:
    """Give a registry with an image that came out of an index, which is here too."""
    with in_thread(WritableRegistry()) as made:
        config = image_config([LAYER], {})
        inner = made.add_image("x", "inner", config, [gzip.compress(LAYER, mtime=0)])
        platform = {"os": "linux", "architecture": host_platform().architecture}
        made.add_index("x", "1", [(inner, platform)])
        for digest in list(made.blobs):
            made.held.add(("x", digest))
        name = f"{made.host}/x:1"
        engine.docker("pull", name).ok()
        yield made
        engine.docker("rmi", name).ok()


def said(client: Client, line: str) -> tuple[int, str, str]:
    done = client(*line.split())
    return done.code, _in_dockers_name(done.out), _in_dockers_name(done.err)


def _in_dockers_name(text: str) -> str:
    return re.sub(r"\bnaru\b", "docker", text)


def test_both_say_the_same(engine: Engine, registry: WritableRegistry) -> None:
    differing = []
    for form in _LINES.strip().splitlines():
        line = form.replace("HOST", registry.host).replace("DIGEST", "a" * 64)
        line = line.replace("ARCH", host_platform().architecture)
        theirs, ours = (said(Client(each, engine), line) for each in ("docker", "naru"))
        if ours != theirs:
            differing.append(f"{form}\n  docker: {theirs}\n  naru:   {ours}")
    assert not differing, "\n".join(differing)


def test_both_show_the_same_on_a_terminal(engine: Engine, registry: WritableRegistry) -> None:
    for options in ("", "--platform linux/ARCH "):
        words = f"push {options}{registry.host}/x:1".replace("ARCH", host_platform().architecture)
        screens = [Client(each, engine).terminal(*words.split()) for each in ("docker", "naru")]
        theirs, ours = map(ended, screens)
        assert ours == theirs
        assert "Layer already exists" in ours[0]


def test_login_of_the_registry_goes_along(client: Client, tmp_path: Path) -> None:
    with in_thread(WritableRegistry(auth="basic", users={"me": "secret"})) as guarded:
        name = f"{guarded.host}/{client.program}:1"
        client("tag", "busybox", name).ok()
        env = {"DOCKER_CONFIG": str(tmp_path)}
        other = {"auth": "bWU6d3Jvbmc="}
        config = {"auths": {guarded.host: {"auth": "bWU6c2VjcmV0"}, "127.0.0.1:1": other}}
        (tmp_path / "config.json").write_text(json.dumps(config))
        assert "digest: sha256:" in client("push", name, env=env).ok().out
        config["auths"][guarded.host] = other
        (tmp_path / "config.json").write_text(json.dumps(config))
        refused = client("push", "-q", name, env=env)
        words = "unauthorized: authentication required\n"
        assert (refused.code, refused.out, refused.err) == (1, "", words)
        client("rmi", name).ok()


def test_library_pushes_and_streams(engine: Engine, registry: WritableRegistry) -> None:
    name = f"{registry.host}/library/x"
    engine.docker("tag", "busybox", f"{name}:1").ok()
    library = engine.client()
    try:
        records = list(library.images.push(name, tag="1", stream=True, decode=True))
        assert records[-1]["aux"]["Tag"] == "1"
        assert "Pushed" in [record.get("status") for record in records]
        missing = library.images.push(name, tag="2", stream=True, decode=True)
        assert list(missing)[-1]["error"] == f"tag does not exist: {name}:2"
        login = {"username": "me", "password": "secret"}
        text = library.images.push(name, tag="1", auth_config=login)
        assert "Layer already exists" in text
    finally:
        library.close()
        engine.docker("rmi", f"{name}:1").ok()
