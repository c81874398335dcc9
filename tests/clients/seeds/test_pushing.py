"""Registries get images: what is pushed is there, for every client, under one digest."""

from __future__ import annotations

import contextlib
import json
import random
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.archives import Tree, busybox_layer, docker_archive
from harness.clients import Client
from harness.registry import PASSWORD, USER, Registry, serving
from harness.requirements import requires

pytestmark = [requires("root", "docker-registry", "skopeo"), pytest.mark.naru_only]

# And no smaller when it is compressed.
_MORE_THAN_A_PIECE = 40 << 20
_INSECURE = ("--insecure-policy", "--src-tls-verify=false", "--dest-tls-verify=false")


@pytest.fixture(scope="module")
def hub() -> Iterator[Registry]:
    with serving() as registry:
        yield registry


@pytest.fixture
def image(client: Client) -> Iterator[str]:
    """Give the name of an image that no registry has, and remove all that was made of it."""
    name = f"seeds/pushed-by-{client.program}:1"
    unique = Tree().file("by", client.program).tar()
    client.engine.load(docker_archive([name], [busybox_layer(), unique]))
    [identity] = client.say("images", "-q", "--no-trunc", name).splitlines()
    yield name
    client.engine.remove_all()
    client("rmi", "-f", identity)


def _ids(lines: list[str], *statuses: str) -> set[str]:
    """Return the layers that came to one of these, or to what begins so."""
    return {
        line.partition(": ")[0] for line in lines if line.partition(": ")[2].startswith(statuses)
    }


@contextlib.contextmanager
def _podman() -> Iterator[Callable[..., str]]:
    """Give a podman that has nothing yet."""
    with tempfile.TemporaryDirectory(prefix="naru-podman-") as folder:
        argv = [
            "podman",
            f"--root={folder}/root",
            f"--runroot={folder}/run",
            f"--tmpdir={folder}/tmp",
            "--storage-driver=vfs",
        ]

        def run(*words: str) -> str:
            done = subprocess.run([*argv, *words], check=True, capture_output=True, text=True)
            return done.stdout

        yield run
        run("rmi", "-a", "-f")


def _skopeo(verb: str, *words: str) -> bytes:
    argv = ["skopeo", verb, *words]
    return subprocess.run(argv, check=True, capture_output=True).stdout


@pytest.mark.seed("S080")
@requires("podman")
def test_every_client_gets_what_was_pushed(client: Client, hub: Registry, image: str) -> None:
    name = f"{hub.address}/down/{client.program}:1"
    client("tag", image, name).ok()
    shown = client.say("push", name).splitlines()
    assert _ids(shown, "Pushed", "Mounted from") == _ids(shown, "Preparing")
    told = json.loads(client.engine.docker("image", "inspect", name).ok().out)[0]
    seen = json.loads(_skopeo("inspect", "--tls-verify=false", f"docker://{name}"))
    assert told["RepoDigests"] == [f"{name.removesuffix(':1')}@{seen['Digest']}"]
    with _podman() as podman:
        pulled = podman("pull", "-q", "--tls-verify=false", name).strip()
        assert f"sha256:{pulled}" == told["Id"]
        podman("tag", name, f"{name}-podman")
        podman("push", "-q", "--tls-verify=false", f"{name}-podman")
    _skopeo("copy", *_INSECURE, f"docker://{name}", f"docker://{name}-skopeo")
    client("rmi", name, image).ok()
    for theirs in (f"{name}-podman", f"{name}-skopeo"):
        assert client.say("run", "--rm", theirs, "cat", "/by") == client.program
        assert client.show("{{.Id}}", theirs) == told["Id"]
        client("rmi", theirs).ok()


@pytest.mark.seed("S080")
def test_large_layers_go_in_pieces(client: Client, hub: Registry) -> None:
    big = f"{hub.address}/big/{client.program}:1"
    tar = Tree().file(client.program, random.Random(3).randbytes(_MORE_THAN_A_PIECE)).tar()
    client.engine.load(docker_archive([big], [tar]))
    [identity] = client.say("images", "-q", "--no-trunc", big).splitlines()
    client("push", big).ok()
    client("rmi", big).ok()
    client("pull", big).ok()
    assert client.show("{{.Id}}", big) == identity
    client("rmi", big).ok()


@pytest.mark.seed("S089")
def test_push_needs_a_login_and_sends_what_is_missing(
    client: Client, hub: Registry, image: str, tmp_path: Path
) -> None:
    env = {"DOCKER_CONFIG": str(tmp_path)}
    with serving(basic=True) as registry:
        name = f"{registry.address}/user/web"
        client("tag", image, name).ok()
        refused = client("push", name, env=env)
        assert refused.code == 1
        told, *advice = refused.err.splitlines()
        assert told == "no basic auth credentials"
        assert advice == (
            [] if client.program == "docker" else ["the registry wants a login: see 'naru login'"]
        )
        lines = refused.out.splitlines()
        assert lines[:2] == [
            "Using default tag: latest",
            f"The push refers to repository [{name}]",
        ]
        client(
            "login", "-u", USER, "--password-stdin", registry.address, stdin=PASSWORD, env=env
        ).ok()
        lines = client("push", name, env=env).ok().lines()
        layers = _ids(lines, "Preparing")
        assert len(layers) == 2
        assert _ids(lines, "Pushed") == layers
        said = r"latest: digest: sha256:[0-9a-f]{64} size: \d+"
        assert re.fullmatch(said, lines[-1])
        again = client("image", "push", f"{name}:latest", env=env).ok().lines()
        assert _ids(again, "Layer already exists") == layers
        assert again[-1] == lines[-1]
        other = f"{registry.address}/user/other"
        client("tag", image, f"{other}:1").ok()
        client("tag", image, f"{other}:2").ok()
        all_tags = client("push", "-a", other, env=env).ok().lines()
        assert _ids(all_tags, "Mounted from user/web") == layers
        assert [line[:10] for line in all_tags if " digest: " in line] == [
            "1: digest:",
            "2: digest:",
        ]
        quiet = client("push", "-q", f"{other}:1", env=env).ok()
        assert (quiet.out, quiet.err) == (f"{other}:1\n", "")
    refused = client("push", "-a", f"{other}:1", env=env)
    assert (refused.code, refused.err) == (1, "tag can't be used with --all-tags/-a\n")
    refused = client("push", f"{hub.address}/never/seen", env=env)
    words = f"An image does not exist locally with the tag: {hub.address}/never/seen\n"
    assert (refused.code, refused.err) == (1, words)


@pytest.mark.seed("S090")
def test_image_id_is_local_and_the_digest_the_registrys(
    client: Client, hub: Registry, image: str
) -> None:
    name = f"{hub.address}/digests/{client.program}"
    client("tag", image, f"{name}:1").ok()
    form = ("images", "--digests", "--no-trunc", "--format", "{{.ID}} {{.Digest}}", name)
    identity, digest = client.say(*form).split()
    assert digest == "<none>"
    client("push", f"{name}:1").ok()
    assert client.say(*form).split()[0] == identity
    digest = client.say(*form).split()[1]
    seen = json.loads(_skopeo("inspect", "--tls-verify=false", f"docker://{name}:1"))
    assert digest == seen["Digest"]
    client("rmi", f"{name}:1").ok()
    pulled = client.say("pull", f"{name}@{digest}")
    assert f"Digest: {digest}" in pulled
    assert client.show("{{.Id}}", f"{name}@{digest}") == identity
