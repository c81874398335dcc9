"""`images`, `image inspect`, `tag`, `rmi`, `image prune`: what is kept, and under which names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from harness.archives import Tree, busybox_layer, docker_archive
from harness.clients import Client
from harness.engine import Engine
from harness.requirements import requires

pytestmark = requires("root")
_TOMCAT = "seeds/tomcat:8.5"


def _load(engine: Engine, content: str, *names: str) -> str:
    """Load an image of its own; return its id."""
    layers = [busybox_layer(), Tree().file("seed", content).tar()]
    engine.load(docker_archive(names, layers, {"Cmd": ["sh"], "Labels": {"seed": content}}))
    listed = engine.api("GET", "/images/json", query={"filters": f'{{"label":["seed={content}"]}}'})
    return str(listed.ok(200).json()[0]["Id"])


@pytest.fixture
def tomcat(engine: Engine) -> Iterator[str]:
    """Give an image with one name; afterwards it and whatever else these tests made is gone."""
    yield _load(engine, "tomcat", _TOMCAT)
    engine.remove_all()
    for found in engine.api("GET", "/images/json", query={"all": True}).ok(200).json():
        if "seed" in (found["Labels"] or {}):
            engine.api("DELETE", f"/images/{found['Id']}", query={"force": True}).ok(200, 404, 409)


@pytest.mark.seed("S063")
def test_images_are_listed_as_asked(client: Client, tomcat: str) -> None:
    hidden = _load(client.engine, "hidden")
    client.say("create", "--name", "seeds-grown", tomcat, "true")
    client.say("commit", "seeds-grown", "seeds/grown:1")
    client.say("rm", "seeds-grown")
    client.say("rmi", _TOMCAT)
    rows = client.say("images").splitlines()
    assert rows[0].split() == "REPOSITORY TAG IMAGE ID CREATED SIZE".split()
    # Docker's command shows the names of one image in any order.
    assert sorted(client.say("image", "ls").splitlines()) == sorted(rows)
    shown = client.say("images", "-q", "--no-trunc").splitlines()
    assert hidden in shown
    assert tomcat not in shown
    assert tomcat in client.say("images", "-aq", "--no-trunc").splitlines()
    assert tomcat[7:19] in client.say("images", "-a").split()
    assert hidden in client.say("images", "--no-trunc")
    digests = client.say("images", "--digests", "seeds/grown").splitlines()
    assert digests[0].split() == "REPOSITORY TAG DIGEST IMAGE ID CREATED SIZE".split()
    assert digests[1].split()[:3] == ["seeds/grown", "1", "<none>"]
    form = ("--format", "{{.Repository}}:{{.Tag}}")
    for wanted in ("seeds/grown", "seeds/grown:1", "seeds/*", "se*/gr?wn", "seeds/[a-g]*:1"):
        assert client.say("image", "ls", wanted, *form) == "seeds/grown:1"
    for wanted in ("seeds/grown:2", "grown", "seeds*"):
        assert client.say("images", wanted, *form) == ""
    # Words of a manual whose hyphens somebody's word processor made beautiful.
    refused = client("image", "ls", "--no", "-trunc")
    assert refused.code == 125
    assert refused.err.startswith("unknown flag: --no\n")
    assert client("images", "—", "digests").code in (1, 125)
    assert client("images", "—", "no", "-trunc").code == 125
    beautiful = client("images", "—digests")
    if client.program == "naru":
        assert "Did you mean --digests?" in beautiful.err
        assert beautiful.code == 125


@pytest.mark.seed("S064")
def test_image_is_no_list_of_images(client_28: Client, tomcat: str) -> None:
    refused = client_28("image", "tomcat")
    assert (refused.code, refused.out) == (1, "")
    name = client_28.program
    lines = refused.err.splitlines()
    assert lines[0] == f"{name}: unknown command: {name} image tomcat"
    assert f"Usage:  {name} image" in lines
    assert tomcat[7:19] == client_28.say("images", "-q", "seeds/tomcat")


@pytest.mark.seed("S065")
def test_the_start_of_an_id_is_enough(client: Client, tomcat: str) -> None:
    for words in (("inspect",), ("image", "inspect")):
        for name in (_TOMCAT, tomcat, tomcat[7:11], tomcat[:14], tomcat[7:19]):
            [found] = json.loads(client.say(*words, name))
            assert found["Id"] == tomcat
            assert (found["Os"], found["RepoTags"]) == ("linux", [_TOMCAT])
            assert found["Created"].startswith("2024-01-02T03:04:05.123")
            assert {"Architecture", "DockerVersion", "Config", "RootFS", "Size"} <= found.keys()
    # A container is found before an image of the same name.
    client.say("create", "--name", "seeds", "busybox", "true")
    client.say("tag", _TOMCAT, "seeds")
    assert client.show("{{.Name}}", "seeds") == "/seeds"
    assert client.say("image", "inspect", "-f", "{{.Id}}", "seeds") == tomcat
    # Seventeen images cannot be told apart by one of sixteen digits.
    ids = {_load(client.engine, f"many-{number}") for number in range(16)} | {tomcat}
    digits = [image_id[7] for image_id in ids]
    common = next(digit for digit in digits if digits.count(digit) > 1)
    refused = client("inspect", "--type", "image", common)
    assert refused.code == 1
    assert f"No such image: {common}" in refused.err
    assert client("inspect", "seeds-nobody").code == 1


@pytest.mark.seed("S066")
@pytest.mark.parametrize(
    ("template", "shown"),
    [
        ("{{ .Os}}", "linux"),
        ("{{json .Config.Cmd}} {{join .Config.Cmd `,`}}", '["sh"] sh'),
        ("{{upper .Os}} {{len .RootFS.Layers}} {{index .RepoTags 0}}", f"LINUX 2 {_TOMCAT}"),
        ("{{if eq .Os `linux`}}yes{{else}}no{{end}}", "yes"),
        ('{{index .Config.Labels "seed"}}', "tomcat"),
    ],
)
def test_a_template_picks_from_an_image(
    client: Client, tomcat: str, template: str, shown: str
) -> None:
    assert client.say("image", "inspect", f"--format={template}", tomcat) == shown


@pytest.mark.seed("S067")
def test_a_field_with_a_space_before_it_is_no_field(client: Client, tomcat: str) -> None:
    spaced = client("image", "inspect", "--format={{ . ContainerConfig.Image}}", tomcat)
    assert spaced.code == 64
    assert (
        'template parsing error: template: :1: function "ContainerConfig" not defined' in spaced.err
    )
    words = ("image", "inspect", "--format={{.ContainerConfig.Image}}", tomcat)
    for minor in range(41, 45):
        assert client.say(*words, env={"DOCKER_API_VERSION": f"1.{minor}"}) == ""
    document = client.say("image", "inspect", tomcat, env={"DOCKER_API_VERSION": "1.44"})
    assert "ContainerConfig" in json.loads(document)[0]
    newest = client.engine.api("GET", "/_ping").headers["api-version"]
    if int(newest.partition(".")[2]) >= 45:
        document = client.say("image", "inspect", tomcat, env={"DOCKER_API_VERSION": "1.45"})
        assert "ContainerConfig" not in json.loads(document)[0]


@pytest.mark.seed("S068")
def test_a_tag_is_one_more_name(client: Client, tomcat: str) -> None:
    assert client.say("tag", _TOMCAT, "mytom:1") == ""
    client.say("image", "tag", tomcat[7:19], "seeds-user/mytom")
    for name in ("mytom:1", "seeds-user/mytom:latest", _TOMCAT):
        assert client.say("images", "-q", "--no-trunc", name) == tomcat
    _load(client.engine, "other", "seeds/other:1")
    client.say("tag", "seeds/other:1", "mytom:1")
    assert client.say("images", "-q", "--no-trunc", "mytom:1") != tomcat
    assert client("tag", "seeds/nobody", "x").code == 1
    assert "invalid reference format" in client("tag", _TOMCAT, "my tom").err


@pytest.mark.seed("S069")
def test_rmi_takes_names_and_with_the_last_the_image(client: Client, tomcat: str) -> None:
    client.say("tag", _TOMCAT, "mytom:1")
    assert client.say("rmi", "mytom:1") == "Untagged: mytom:1"
    lines = client.say("image", "rm", _TOMCAT).splitlines()
    assert lines[:2] == [f"Untagged: {_TOMCAT}", f"Deleted: {tomcat}"]
    assert all(re.fullmatch(r"Deleted: sha256:[0-9a-f]{64}", line) for line in lines[1:])
    _load(client.engine, "tomcat", _TOMCAT, "mytom:1")
    two = client("rmi", tomcat[7:19], "seeds-nobody")
    assert two.code == 1
    assert "(must be forced) - image is referenced in multiple repositories" in two.err
    assert "No such image: seeds-nobody:latest" in two.err
    container = client.say("create", _TOMCAT, "true")
    client.say("rmi", "mytom:1")
    used = client("rmi", _TOMCAT)
    assert used.code == 1
    assert (
        f'conflict: unable to remove repository reference "{_TOMCAT}" (must force) - container '
        f"{container[:12]} is using its referenced image {tomcat[7:19]}"
    ) in used.err
    assert client.say("rmi", "-f", tomcat[7:15]).splitlines()[-1].startswith("Deleted: sha256:")
    client.say("rm", container)
    _load(client.engine, "tomcat", _TOMCAT)
    container = client.say("create", _TOMCAT, "true")
    client.say("commit", container, "seeds/grown:1")
    client.say("rm", container)
    client.say("rmi", _TOMCAT)
    client.say("rmi", "--no-prune", "seeds/grown:1")
    assert client.say("image", "inspect", "-f", "{{.RepoTags}}", tomcat) == "[]"
    assert f"Deleted: {tomcat}" in client.say("rmi", tomcat)


@pytest.mark.seed("S070")
def test_prune_takes_what_nobody_needs(client: Client, tomcat: str) -> None:
    dangling = _load(client.engine, "dangling")
    only = ("--filter", "label=seed")
    question = client("image", "prune", *only, stdin="n\n").ok().out
    assert question.startswith("WARNING! This will remove all dangling images.\n")
    assert dangling in client.say("images", "-q", "--no-trunc").splitlines()
    lines = client.say("image", "prune", "-f", *only).splitlines()
    assert lines[:2] == ["Deleted Images:", f"deleted: {dangling}"]
    assert lines[-1] == "Total reclaimed space: 8B"
    container = client.say("create", _TOMCAT, "true")
    _load(client.engine, "unused", "seeds/unused:1", "seeds/unused:2")
    lines = client("image", "prune", "-a", *only, stdin="y\n").ok().out.splitlines()
    assert lines[0] == (
        "WARNING! This will remove all images without at least one container associated to them."
    )
    assert {"untagged: seeds/unused:1", "untagged: seeds/unused:2"} <= set(lines)
    assert client.say("images", "-q", "--no-trunc", _TOMCAT) == tomcat
    client.say("rm", container)
    assert f"deleted: {tomcat}" in client.say("image", "prune", "-af", *only).splitlines()
    assert client.say("image", "prune", "-af", *only) == "Total reclaimed space: 0B"
