"""diff, export and commit, as any engine has them."""

from __future__ import annotations

import io
import re
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest

from harness.archives import Tree, busybox_layer, docker_archive
from harness.engine import Engine
from harness.narud import EngineUnderTest
from harness.requirements import requires
from harness.waiting import eventually

pytestmark = requires("root", "crun", "conmon", "nft")

_SCRIPT = """
mkdir /new; echo 1 > /new/file; ln /new/file /new/other; echo x >> /etc/passwd; rm /bin/vi
rm -r /var; mkdir /var; echo 2 > /var/now; ln -s /etc /new/link; chmod 700 /root
"""
_CHANGES = [
    "C /bin",
    "D /bin/vi",
    "C /etc",
    "C /etc/passwd",
    "A /new",
    "A /new/file",
    "A /new/link",
    "A /new/other",
    "C /root",
    "C /var",
    "A /var/now",
    "D /var/tmp",
    "D /var/www",
]


def changes(engine: Engine, container: str) -> list[str]:
    found = engine.api("GET", f"/containers/{container}/changes").ok(200).json() or []
    return sorted((f"{'CAD'[item['Kind']]} {item['Path']}" for item in found), key=lambda x: x[2:])


def exported(engine: Engine, container: str) -> dict[str, tarfile.TarInfo]:
    answer = engine.api("GET", f"/containers/{container}/export").ok(200)
    assert answer.headers["content-type"] == "application/octet-stream"
    with tarfile.open(fileobj=io.BytesIO(answer.body)) as archive:
        return {member.name: member for member in archive}


def commit(engine: Engine, container: str, body: object = None, **query: object) -> str:
    words = urlencode({"container": container, **query}, doseq=True)
    answer = engine.api("POST", f"/commit?{words}", body)
    return str(answer.ok(201).json()["Id"])


def image(engine: Engine, name: str, version: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = (
        engine.api("GET", f"/images/{name}/json", version=version).ok(200).json()
    )
    return found


def test_what_a_container_changed_is_told_while_it_runs_and_after(engine: Engine) -> None:
    container = engine.up("sh", "-c", f"{_SCRIPT} touch /done; sleep 1000")
    eventually(lambda: "A /done" in changes(engine, container), "it is done")
    wanted = sorted([*_CHANGES, "A /done"], key=lambda line: line[2:])
    assert changes(engine, container) == wanted
    engine.api("POST", f"/containers/{container}/kill").ok(204)
    assert changes(engine, container) == wanted


def test_a_container_that_changed_nothing_has_no_changes(engine: Engine) -> None:
    ran = engine.run("true", Tty=True)
    assert engine.api("GET", f"/containers/{ran.id}/changes").ok(200).json() is None
    created = engine.create("true")
    assert changes(engine, created) == []


def test_places_for_mounts_are_changes_and_what_is_mounted_is_not(engine: Engine) -> None:
    host = {"Tmpfs": {"/tmpfs": ""}}
    ran = engine.run(
        "sh", "-c", "echo 1 > /vol/a; echo 2 > /tmpfs/b", host=host, Volumes={"/vol": {}}
    )
    assert changes(engine, ran.id) == ["A /tmpfs", "A /vol"]
    found = exported(engine, ran.id)
    assert {"vol", "tmpfs"} <= found.keys()
    assert not {"vol/a", "tmpfs/b"} & found.keys()


def test_an_export_is_the_whole_tree(engine: Engine) -> None:
    ran = engine.run("sh", "-c", _SCRIPT)
    found = exported(engine, ran.id)
    assert {"bin/busybox", "new/file", "etc/passwd", "var/now"} <= found.keys()
    assert not {"bin/vi", "var/www"} & found.keys()
    assert [name for name in found if ".wh." in name] == []
    links = {name: found[name].linkname for name in ("new/link", "new/other")}
    assert links == {"new/link": "/etc", "new/other": "new/file"}
    assert found["root"].mode & 0o777 == 0o700


def test_an_export_beside_a_running_container_is_whole(engine: Engine) -> None:
    container = engine.up("sh", "-c", "i=0; while :; do i=$((i+1)); echo $i > /f; done")
    eventually(lambda: "A /f" in changes(engine, container), "it writes")
    for _ in range(3):
        assert "f" in exported(engine, container)
    engine.api("POST", f"/containers/{container}/pause").ok(204)
    assert "f" in exported(engine, container)
    engine.api("POST", f"/containers/{container}/unpause").ok(204)


def test_a_client_that_leaves_in_the_middle_leaves_nothing(engine: Engine) -> None:
    # The engine's fixture looks for rows, open files and mounts.
    ran = engine.run("sh", "-c", "dd if=/dev/zero of=/big bs=1000000 count=30 2>/dev/null")
    image_id = commit(engine, ran.id)
    for path in (f"/containers/{ran.id}/export", f"/images/{image_id}/get"):
        with engine.stream(path) as stream:
            assert len(stream.response.read(100_000)) == 100_000
    engine.api("DELETE", f"/images/{image_id}").ok(200)


def test_an_image_of_a_container_has_its_files_and_its_config(engine: Engine) -> None:
    ran = engine.run(
        "sh", "-c", _SCRIPT, Env=["A=1"], Labels={"l": "1"}, ExposedPorts={"80/tcp": {}}
    )
    image_id = commit(
        engine,
        ran.id,
        repo="naru-test/made",
        tag="1",
        author="me",
        comment="words",
        changes=["ENV B=2", 'CMD ["cat", "/new/file"]', "EXPOSE 99", "VOLUME /v"],
    )
    made = image(engine, "naru-test/made:1")
    base = image(engine, "busybox")
    assert made["Id"] == image_id
    assert (made["Parent"], made["Author"], made["Comment"]) == (base["Id"], "me", "words")
    config = made["Config"]
    assert config["Env"] == ["A=1", "B=2"]
    assert config["Cmd"] == ["cat", "/new/file"]
    assert config["ExposedPorts"] == {"80/tcp": {}, "99/tcp": {}}
    assert config["Volumes"] == {"/v": {}}
    assert config["Labels"]["l"] == "1"
    assert made["Container"] == ran.id
    assert made["ContainerConfig"]["Cmd"] == ["sh", "-c", _SCRIPT]
    assert made["RootFS"]["Layers"][:-1] == base["RootFS"]["Layers"]
    steps = engine.api("GET", "/images/naru-test/made:1/history").ok(200).json()
    assert steps[0]["CreatedBy"] == f"sh -c {_SCRIPT}"
    assert (steps[0]["Comment"], steps[0]["Tags"]) == ("words", ["naru-test/made:1"])
    assert [step["Id"] for step in steps[:2]] == [image_id, base["Id"]]
    assert steps[0]["Size"] == made["Size"] - base["Size"] > 0
    again = engine.run(image="naru-test/made:1", Entrypoint=[])
    assert (again.code, again.out) == (0, "1\n")
    assert changes(engine, again.id) == ["A /v"]
    engine.api("DELETE", f"/containers/{again.id}", query={"v": True}).ok(204)
    engine.api("DELETE", "/images/naru-test/made:1").ok(200)


def test_a_commit_without_changes_has_no_layer(engine: Engine) -> None:
    container = engine.create("true")
    image_id = commit(engine, container)
    made = image(engine, image_id)
    assert (made["RepoTags"], made["Size"]) == ([], image(engine, "busybox")["Size"])
    engine.api("DELETE", f"/images/{image_id}").ok(200)


def test_a_config_in_the_request_comes_before_the_containers(engine: Engine) -> None:
    container = engine.create("true", Env=["A=1", "B=2"], WorkingDir="/tmp")
    body = {"Cmd": ["sh"], "Env": ["A=9"]}
    image_id = commit(engine, container, body, changes=["USER daemon"])
    config = image(engine, image_id)["Config"]
    assert (config["Cmd"], config["User"], config["WorkingDir"]) == (["sh"], "daemon", "/tmp")
    assert config["Env"] == ["A=9", "B=2"]
    engine.api("DELETE", f"/images/{image_id}").ok(200)


def test_a_running_container_is_held_still_and_goes_on(engine: Engine) -> None:
    since = time.time()
    container = engine.up()
    image_id = commit(engine, container, repo="naru-test/still", tag="latest")
    assert engine.state(container)["Status"] == "running"
    unpaused = commit(engine, container, pause=False)
    engine.api("POST", f"/containers/{container}/pause").ok(204)
    paused = commit(engine, container)
    assert engine.state(container)["Status"] == "paused"
    engine.api("POST", f"/containers/{container}/unpause").ok(204)
    events = engine.events(since, container=[container])
    actions = [event["Action"] for event in events if event["Type"] == "container"]
    assert actions[2:] == ["pause", "commit", "unpause", "commit", "pause", "commit", "unpause"]
    commits = [event["Actor"]["Attributes"] for event in events if event["Action"] == "commit"]
    assert (commits[0]["imageID"], commits[0]["imageRef"]) == (image_id, "naru-test/still:latest")
    assert (commits[1]["imageRef"], commits[1]["comment"]) == ("", "")
    for made in {image_id, unpaused, paused}:
        engine.api("DELETE", f"/images/{made}", query={"force": True}).ok(200)


@pytest.mark.naru_only
def test_commits_of_one_container_do_not_wake_it_for_each_other(engine: Engine) -> None:
    since = time.time()
    container = engine.up("sh", "-c", "while :; do date +%s%N > /f; done")
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: commit(engine, container), range(4)))
    assert engine.state(container)["Status"] == "running"
    events = engine.events(since, container=[container], event=["pause", "unpause", "commit"])
    assert [event["Action"] for event in events] == ["pause", "commit", "unpause"] * 4
    for image_id in set(made):
        engine.api("DELETE", f"/images/{image_id}", query={"force": True}).ok(200)


def test_a_container_that_ends_while_it_is_committed_is_committed(engine: Engine) -> None:
    ids = []
    for _ in range(8):
        container = engine.up("sh", "-c", "echo $(date +%s%N) > /f")
        ids.append(commit(engine, container))
        assert engine.wait(container) == 0
        assert engine.state(container)["Status"] == "exited"
    for image_id in set(ids):
        engine.api("DELETE", f"/images/{image_id}", query={"force": True}).ok(200)


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ({"container": "none"}, 404, "No such container: none"),
        ({}, 400, 'invalid name or ID supplied: ""'),
        ({"container": "C", "changes": "RUN x"}, 400, "run is not a valid change command"),
        ({"container": "C", "repo": "a", "tag": ".x"}, (400, 500), "invalid tag format"),
        (
            {"container": "C", "repo": "sha256"},
            400,
            "refusing to create an ambiguous tag using digest algorithm as name",
        ),
        (
            {"container": "C", "repo": f"a@sha256:{'0' * 64}"},
            (400, 500),
            r"cannot import digest reference|refusing to create a tag with a digest reference",
        ),
    ],
)
def test_what_cannot_be_committed_is_refused(
    engine: Engine, query: dict[str, str], status: int | tuple[int, ...], message: str
) -> None:
    container = engine.create("true")
    query = {key: container if value == "C" else value for key, value in query.items()}
    answer = engine.api("POST", "/commit", query=query)
    assert answer.status in (status if isinstance(status, tuple) else (status,))
    assert re.fullmatch(message, answer.json()["message"])


def test_a_container_whose_image_was_removed_cannot_be_committed(engine: Engine) -> None:
    layers = [busybox_layer(), Tree().file("gone").tar()]
    engine.load(docker_archive(["naru-test/gone:1"], layers))
    container = engine.create("true", image="naru-test/gone:1")
    engine.api("DELETE", "/images/naru-test/gone:1", query={"force": True}).ok(200)
    assert engine.api("POST", "/commit", query={"container": container}).status in (404, 500)
    assert "gone" in exported(engine, container)
    assert changes(engine, container) == []


@pytest.mark.parametrize("what", ["changes", "export"])
def test_a_container_that_is_not_there_has_no_files(engine: Engine, what: str) -> None:
    answer = engine.api("GET", f"/containers/none/{what}")
    assert (answer.status, answer.json()["message"]) == (404, "No such container: none")


def test_an_engine_that_died_over_a_commit_lets_the_container_go_on(
    own_engine: EngineUnderTest,
) -> None:
    engine = own_engine
    container = engine.up("sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done")
    for point in ("engine.freezing.before_freeze", "engine.freezing.after_freeze"):
        engine.terminate()
        engine.spawn(env={"NARU_FAULT": f"{point}=kill"})
        engine.await_ping()
        with pytest.raises(OSError):
            engine.api("POST", "/commit", query={"container": container})
        engine.await_death()
        engine.start_engine()
        assert engine.state(container)["Status"] == "running"
        eventually(partial(_has_said_more, engine, container, engine.logs(container)), "it goes on")


def _has_said_more(engine: Engine, container: str, before: dict[str, bytes]) -> bool:
    return len(engine.logs(container)["stdout"]) > len(before["stdout"])
