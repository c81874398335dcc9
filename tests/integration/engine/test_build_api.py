"""Builds through the API: progress, cache, containers of steps, contexts, options, refusals."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import json
import lzma
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

from harness.archives import BUSYBOX, Tree, busybox_layer, docker_archive
from harness.builds import build, image_of, remove_images
from harness.engine import Engine
from harness.requirements import requires
from harness.waiting import eventually
from harness.web import folder_served
from harness.wire import Response, UnixConnection, send, target

pytestmark = requires("root", "crun", "conmon", "nft")


class Builds:
    """Builds whose images are removed afterwards."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.answers: list[Response] = []

    def send(self, dockerfile: str, files: Tree | None = None, /, **query: Any) -> Response:
        """Build a Dockerfile, with files beside it; return the answer."""
        tree = Tree([*(files or Tree()).entries]).file("Dockerfile", dockerfile)
        return self.send_body(tree.tar(), **query)

    def send_body(self, body: bytes, **query: Any) -> Response:
        answer = build(self.engine, body, **query)
        if answer.status == 200:
            self.answers.append(answer)
        return answer

    def image(self, dockerfile: str, files: Tree | None = None, /, **query: Any) -> str:
        """Build, and return the id of the image."""
        return image_of(self.send(dockerfile, files, **query))

    def text(self, dockerfile: str, files: Tree | None = None, /, **query: Any) -> str:
        """Build, and return all that was said."""
        return text_of(self.send(dockerfile, files, **query))

    def remove(self) -> None:
        for answer in reversed(self.answers):
            remove_images(self.engine, answer)
        self.answers.clear()


def text_of(answer: Response) -> str:
    return "".join(record.get("stream", "") for record in answer.ok(200).json_lines())


def error_of(answer: Response) -> dict[str, Any]:
    """Return the last record of a build that failed on its way."""
    record = answer.ok(200).json_lines()[-1]
    assert record["error"] == record["errorDetail"]["message"]
    detail = record["errorDetail"]
    assert isinstance(detail, dict)
    return detail


def steps_cached(text: str) -> list[bool]:
    """Say of each step whether its result came from the cache."""
    return ["Using cache" in part for part in re.split(r"(?m)^Step \d+/\d+ : ", text)[1:]]


@pytest.fixture
def builds(engine: Engine) -> Iterator[Builds]:
    made = Builds(engine)
    yield made
    # Containers of steps that failed are kept for their user, who is this test.
    for item in engine.api("GET", "/containers/json", query={"all": True}).ok(200).json():
        if not item["Labels"].get("naru-test") and item["Command"].startswith(("/bin/sh -c", "no")):
            query = {"force": True, "v": True}
            engine.api("DELETE", f"/containers/{item['Id']}", query=query).ok(204, 404, 409)
    made.remove()


def test_progress_is_told_in_dockers_records(builds: Builds) -> None:
    answer = builds.send(
        f"FROM {BUSYBOX}\nENV a=b\nRUN echo out; sleep 0.2; echo err >&2\n",
        t=("naru-test/told:1", "naru-test/told"),
    )
    records = answer.ok(200).json_lines()
    final = image_of(answer)
    short = final.removeprefix("sha256:")[:12]
    text = text_of(answer)
    assert re.fullmatch(
        rf"Step 1/3 : FROM {BUSYBOX}\n ---> [0-9a-f]{{12}}\n"
        r"Step 2/3 : ENV a=b\n ---> Running in ([0-9a-f]{12})\n"
        r"(?: ---> Removed|Removing) intermediate container \1\n ---> [0-9a-f]{12}\n"
        r"Step 3/3 : RUN echo out; sleep 0.2; echo err >&2\n ---> Running in ([0-9a-f]{12})\n"
        "out\n\x1b\\[91merr\n\x1b\\[0m"
        rf"(?: ---> Removed|Removing) intermediate container \2\n ---> {short}\n"
        rf"Successfully built {short}\n"
        r"Successfully tagged naru-test/told:1\nSuccessfully tagged naru-test/told:latest\n",
        text,
    )
    assert [record["aux"] for record in records if "aux" in record] == [{"ID": final}]
    assert answer.headers["content-type"] == "application/json"
    assert answer.body.count(b"\r\n") == len(records)


def test_a_quiet_build_says_its_image_alone_unless_it_fails(builds: Builds) -> None:
    good = builds.send(f"FROM {BUSYBOX}\nENV a=1", q=True)
    image_id = good.json_lines()[-1]["stream"].strip()
    assert good.json_lines() == [{"stream": f"{image_id}\n"}]
    builds.engine.api("DELETE", f"/images/{image_id}").ok(200)
    bad = builds.send(f"FROM {BUSYBOX}\nRUN echo why; exit 4", q=True)
    assert "why\n" in text_of(bad)
    assert error_of(bad)["code"] == 4


def test_a_command_that_fails_is_told_with_its_code(builds: Builds) -> None:
    answer = builds.send(f"FROM {BUSYBOX}\nRUN exit 7")
    assert error_of(answer) == {
        "code": 7,
        "message": "The command '/bin/sh -c exit 7' returned a non-zero code: 7",
    }


@pytest.mark.parametrize(
    ("dockerfile", "words"),
    [
        (
            "COPY none /",
            r"COPY failed: file not found in build context or excluded by .dockerignore: stat none: file does not exist",
        ),
        ("COPY none* /", "COPY failed: no source files were specified"),
        ("COPY ../up /", r"COPY failed: forbidden path outside the build context: ../up \(\)"),
        ("COPY --from=9 / /", "invalid from flag value 9: index out of bounds"),
        ("COPY --from=0 / /", "invalid from flag value 0: refers to current build stage"),
        (f"COPY --from={BUSYBOX} /none /", "COPY failed: stat none: file does not exist"),
        (
            "COPY f Dockerfile d",
            "When using COPY with more than one source file, the destination must be a directory and end with a /",
        ),
        (
            "COPY --chown=nobody:gone f /",
            "unable to convert uid/gid chown string to host mapping: can't find gid for group gone: no such group: gone",
        ),
        ("COPY f /bin/sh/x", "failed to copy files: .*not a directory"),
        ('RUN ["not-there"]', 'exec: "not-there": executable file not found in \\$PATH'),
        ("RUN []", "[Nn]o command specified"),
        ("ENV a=${b", 'failed to process "\\${b": '),
        ("EXPOSE 99999", "Invalid containerPort: 99999"),
        ("STOPSIGNAL NOPE!", "Invalid signal: NOPE!"),
        ('WORKDIR ""', "cannot normalize nothing"),
    ],
)
def test_a_step_that_cannot_be_is_told_in_dockers_words(
    dockerfile: str, words: str, builds: Builds
) -> None:
    answer = builds.send(f"FROM {BUSYBOX}\n{dockerfile}", Tree().file("f", "x"))
    assert re.search(words, error_of(answer)["message"])
    assert "Step 2/2 : " in text_of(answer)


@pytest.mark.parametrize(
    ("dockerfile", "query", "status", "words"),
    [
        (
            "FROM x\nFOOBAR",
            {},
            400,
            r"dockerfile parse error( on)? line 2: unknown instruction: FOOBAR",
        ),
        ("", {}, (400, 500), r"the Dockerfile \(Dockerfile\) cannot be empty"),
        ("RUN x", {}, (400, 500), "no build stage in current context"),
        (
            "FROM x",
            {"dockerfile": "other"},
            (400, 500),
            "Cannot locate specified Dockerfile: other",
        ),
        (
            "FROM x",
            {"dockerfile": "../../etc/passwd"},
            (400, 500),
            "Cannot locate specified Dockerfile|[Ff]orbidden path",
        ),
        (
            "FROM x",
            {"t": "Upper"},
            (400, 500),
            "invalid reference format: repository name .*must be lowercase",
        ),
        ("FROM x", {"squash": True}, 400, "squash is only supported with experimental mode"),
        (
            "FROM x",
            {"securityopt": "a"},
            (400, 500),
            "does not support setting security options on build",
        ),
        ("FROM x", {"buildargs": "x"}, 400, "error reading build args"),
        ("FROM x", {"isolation": "hyperv"}, (400, 500), "[Uu]nsupported isolation"),
        (
            "FROM x",
            {"remote": "nowhere"},
            (400, 500),
            r"remoteURL \(nowhere\) could not be recognized as URL",
        ),
        ("FROM x", {"platform": "a/b/c/d/e"}, 400, "platform"),
    ],
)
def test_what_is_wrong_before_the_first_step_is_a_status(
    dockerfile: str, query: dict[str, Any], status: Any, words: str, builds: Builds
) -> None:
    answer = builds.send(dockerfile, **query)
    assert answer.status in (status if isinstance(status, tuple) else (status,))
    assert re.search(words, answer.message)


@pytest.mark.naru_only
@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ({"version": "2"}, 501, "BuildKit is not supported"),
        ({"outputs": '[{"Type":"local"}]'}, 501, "need BuildKit"),
        ({"target": "gone"}, 400, 'target stage "gone" could not be found'),
        ({"memory": "x"}, 400, "invalid syntax"),
        ({"labels": '{"a":1}'}, 400, "error reading labels"),
        ({"ulimits": "[1]"}, 400, "error reading ulimit settings"),
    ],
)
def test_an_option_that_is_not_honoured_is_refused(
    query: dict[str, Any], status: int, words: str, builds: Builds
) -> None:
    answer = builds.send(f"FROM {BUSYBOX}", **query)
    assert answer.status == status
    assert words in answer.message


def test_what_was_built_is_not_built_again_until_something_changes(builds: Builds) -> None:
    dockerfile = f"FROM {BUSYBOX}\nARG v\nCOPY f /\nRUN echo $v > /v\nENV end=1"
    files = Tree().file("f", "one")
    args = {"buildargs": {"v": "1"}}
    assert not any(steps_cached(builds.text(dockerfile, files, **args)))
    again = builds.text(dockerfile, files, **args)
    assert steps_cached(again) == [False, True, True, True, True]
    assert "Running in" not in again
    later = Tree().file("f", "one")
    later.entries[0][0].mtime += 1000
    assert steps_cached(builds.text(dockerfile, later, **args))[2:] == [True, True, True]
    for change, kept in (
        (Tree().file("f", "two"), [True, False, False, False]),
        (Tree().file("f", "one", mode=0o600), [True, False, False, False]),
    ):
        assert steps_cached(builds.text(dockerfile, change, **args))[1:] == kept
    other = builds.text(dockerfile, files, buildargs={"v": "2"})
    assert steps_cached(other)[1:] == [True, True, False, False]
    assert not any(steps_cached(builds.text(dockerfile, files, nocache=True, **args)))


@pytest.mark.naru_only
def test_an_image_from_elsewhere_is_no_cache(builds: Builds) -> None:
    engine = builds.engine
    dockerfile = f"FROM {BUSYBOX}\nRUN echo good > /x\nENV a=1"
    first = builds.send(dockerfile, t="naru-test/poison:1")
    archive = engine.api("GET", "/images/naru-test/poison:1/get").ok(200).body
    builds.remove()
    engine.load(archive)
    answer = builds.send(dockerfile)
    assert not any(steps_cached(text_of(answer)))
    engine.api("DELETE", "/images/naru-test/poison:1", query={"force": True}).ok(200)
    assert first.status == 200


def test_a_source_of_the_cache_is_taken_by_its_history(builds: Builds) -> None:
    engine = builds.engine
    dockerfile = f"FROM {BUSYBOX}\nRUN echo good > /x\nENV a=1"
    wanted = builds.image(dockerfile, t="naru-test/source:1")
    archive = engine.api("GET", "/images/naru-test/source:1/get").ok(200).body
    builds.remove()
    engine.load(archive)
    answer = builds.send(dockerfile, cachefrom='["naru-test/source:1"]')
    assert steps_cached(text_of(answer)) == [False, True, True]
    assert image_of(answer) == wanted
    longer = builds.send(dockerfile + "\nENV b=2", cachefrom='["naru-test/source:1", "gone"]')
    assert steps_cached(text_of(longer)) == [False, True, True, False]
    builds.remove()
    engine.api("DELETE", "/images/naru-test/source:1", query={"force": True}).ok(200, 404)


def _step_containers(engine: Engine) -> list[str]:
    items = engine.api("GET", "/containers/json", query={"all": True}).ok(200).json()
    return [item["Id"] for item in items if item["Command"].startswith("/bin/sh -c")]


def test_containers_of_steps_go_or_stay_as_asked(builds: Builds) -> None:
    engine = builds.engine
    before = set(_step_containers(engine))

    def new() -> int:
        return len(set(_step_containers(engine)) - before)

    builds.send(f"FROM {BUSYBOX}\nRUN true\nENV a=1")
    assert new() == 0
    builds.send(f"FROM {BUSYBOX}\nRUN false", forcerm=True)
    assert new() == 0
    builds.send(f"FROM {BUSYBOX}\nRUN false")
    assert new() == 1
    builds.send(f"FROM {BUSYBOX}\nENV kept=1\nRUN true #kept", rm=False)
    assert new() == 3


@pytest.mark.parametrize(
    "pack",
    [
        bytes,
        gzip.compress,
        bz2.compress,
        lzma.compress,
        pytest.param(zstandard.ZstdCompressor().compress, marks=pytest.mark.naru_only),
    ],
    ids=["plain", "gzip", "bzip2", "xz", "zstd"],
)
def test_a_context_may_be_compressed(pack: Callable[[bytes], bytes], builds: Builds) -> None:
    body = Tree().file("Dockerfile", f"FROM {BUSYBOX}\nCOPY f /f\nRUN cat /f").file("f", "hi\n")
    assert "\nhi\n" in text_of(builds.send_body(pack(body.tar())))


@pytest.mark.parametrize(
    "body",
    [b"garbage", b"", Tree().file("Dockerfile", "FROM busybox" * 99).tar()[:800]],
    ids=["garbage", "nothing", "cut off"],
)
def test_a_context_that_is_none_is_refused(body: bytes, builds: Builds) -> None:
    assert builds.send_body(body).status in (400, 500)


def test_a_hostile_context_stays_in_its_folder(builds: Builds) -> None:
    secret = "/etc/shadow"
    files = (
        Tree()
        .symlink("abs", secret)
        .symlink("up", "../../../../../../../../etc")
        .symlink("root", "/")
        .file("root/etc/shadow", "inside")
    )
    text = builds.text(
        f"FROM {BUSYBOX}\nCOPY root/etc/shadow /a\nRUN cat /a; echo .\n"
        "COPY up/shadow /b\nRUN cat /b; echo .",
        files,
    )
    assert text.count("\ninside.\n") == 2
    linked = Tree().symlink("Dockerfile", "/etc/passwd")
    assert builds.send_body(linked.tar()).status in (400, 500)


@pytest.mark.naru_only
def test_a_name_that_leads_out_of_the_context_is_refused(builds: Builds) -> None:
    for name in ("../out", "d/../../out"):
        outside = Tree().file(name, "x").file("Dockerfile", f"FROM {BUSYBOX}")
        assert builds.send_body(outside.tar()).status == 400


def test_a_copy_does_not_leave_the_image(builds: Builds) -> None:
    text = builds.text(
        f"FROM {BUSYBOX}\nRUN ln -s ../../../../tmp/naru-escaped /link && ln -s / /etc/r\n"
        "COPY f /link/f\nCOPY f /etc/r/etc/r/g\nRUN find / -xdev -name '[fg]' -maxdepth 3",
        Tree().file("f", "x"),
    )
    assert "/tmp/naru-escaped/f\n" in text
    assert "\n/g\n" in text


def test_arguments_reach_commands_and_stay_out_of_the_image(builds: Builds) -> None:
    engine = builds.engine
    answer = builds.send(
        f"FROM {BUSYBOX}\nARG token\nRUN echo got $token $http_proxy",
        buildargs={"token": "abc", "http_proxy": "http://p", "other": "1"},
    )
    assert "got abc http://p\n" in text_of(answer)
    assert "[Warning] One or more build-args [other] were not consumed\n" in text_of(answer)
    inspected = engine.api("GET", f"/images/{image_of(answer)}/json").ok(200).json()
    assert "abc" not in json.dumps(inspected["Config"])


def test_limits_and_hosts_reach_the_command(builds: Builds) -> None:
    text = builds.text(
        f"FROM {BUSYBOX}\nRUN ulimit -n; grep pinned /etc/hosts; df -k /dev/shm | tail -n 1; "
        "ls /sys/class/net",
        extrahosts=("pinned:10.9.8.7",),
        shmsize=8 << 20,
        ulimits=json.dumps([{"Name": "nofile", "Soft": 77, "Hard": 99}]),
        memory=64 << 20,
        networkmode="none",
    )
    assert "\n77\n" in text
    assert "10.9.8.7\tpinned\n" in text
    assert re.search(r"\s8192\s", text)
    assert "eth0" not in text


def test_stages_end_at_the_target(builds: Builds) -> None:
    dockerfile = f"FROM {BUSYBOX} AS one\nENV s=1\nFROM one AS two\nENV s=2\nFROM two\nRUN false"
    engine = builds.engine
    for name, value in (("one", "s=1"), ("TWO", "s=2")):
        image_id = builds.image(dockerfile, target=name)
        config = engine.api("GET", f"/images/{image_id}/json").ok(200).json()["Config"]
        assert value in config["Env"]


@pytest.mark.naru_only
def test_stages_that_nothing_needs_are_skipped(builds: Builds) -> None:
    text = builds.text(
        f"FROM {BUSYBOX} AS broken\nRUN exit 1\nFROM {BUSYBOX} AS used\nRUN echo 1 > /x\n"
        f"FROM {BUSYBOX}\nCOPY --from=used /x /"
    )
    assert text.startswith("Step 1/4 : ")
    assert "exit 1" not in text


def test_the_dockerfile_and_the_ignore_file_are_left_out_where_they_say_so(builds: Builds) -> None:
    files = Tree().file(".dockerignore", "Dockerfile\n.dockerignore\n").file("f", "x")
    text = builds.text(f"FROM {BUSYBOX}\nCOPY . /all/\nRUN ls -A /all", files)
    assert "\nf\n" in text
    assert "\nDockerfile\n" not in text
    assert "\n.dockerignore\n" not in text


def test_an_image_can_be_removed_with_its_steps(builds: Builds) -> None:
    engine = builds.engine
    before = {item["Id"] for item in engine.api("GET", "/images/json").ok(200).json()}
    builds.send(f"FROM {BUSYBOX}\nENV a=1\nENV b=2\nRUN echo 1 > /x", t="naru-test/steps:1")
    shown = {item["Id"] for item in engine.api("GET", "/images/json").ok(200).json()} - before
    assert len(shown) == 1
    deleted = engine.api("DELETE", "/images/naru-test/steps:1").ok(200).json()
    assert len([record for record in deleted if "Deleted" in record]) >= 3


@pytest.mark.naru_only
def test_nothing_runs_where_there_is_nothing(builds: Builds) -> None:
    answer = builds.send("FROM scratch\nRUN true")
    assert "there is no file system to run it in" in error_of(answer)["message"]
    empty = builds.send("FROM scratch")
    assert error_of(empty)["message"] == "No image was generated. Is your Dockerfile empty?"
    made = builds.image("FROM scratch\nWORKDIR /w\nLABEL a=b")
    layers = builds.engine.api("GET", f"/images/{made}/json").ok(200).json()["RootFS"]["Layers"]
    assert len(layers) == 1


def test_an_image_is_pulled_or_refused(builds: Builds) -> None:
    answer = builds.send("FROM localhost:1/naru-test/none:1")
    assert "localhost:1" in error_of(answer)["message"]
    invalid = builds.send("FROM UPPER")
    assert "must be lowercase" in error_of(invalid)["message"]


def test_triggers_of_an_image_come_first(builds: Builds) -> None:
    archive = docker_archive(
        ["naru-test/triggers:1"],
        [busybox_layer()],
        {"Cmd": ["sh"], "OnBuild": ["COPY f /f", "RUN cat /f"]},
    )
    builds.engine.load(archive)
    text = builds.text("FROM naru-test/triggers:1\nENV a=1", Tree().file("f", "by trigger\n"))
    builds.remove()
    builds.engine.api("DELETE", "/images/naru-test/triggers:1").ok(200)
    assert text.index("# Executing 2 build triggers\n") < text.index("\nby trigger\n")
    assert text.index("by trigger") < text.index("Step 2/2 : ENV")


class Client:
    """A client that can go away while its build goes on."""

    def __init__(self, engine: Engine, dockerfile: str, **query: str) -> None:
        body = Tree().file("Dockerfile", dockerfile).tar()
        self.connection = UnixConnection(engine.socket, 60)
        self.response = send(self.connection, "POST", target("/build", query, engine.version), body)

    def await_text(self, text: bytes) -> None:
        while text not in self.response.readline():
            pass

    def close(self) -> None:
        self.response.close()
        self.connection.close()


def test_a_build_ends_with_its_client(builds: Builds) -> None:
    before = set(_step_containers(builds.engine))
    client = Client(builds.engine, f"FROM {BUSYBOX}\nRUN echo begun; sleep 1000\n")
    client.await_text(b"begun")
    client.close()
    eventually(lambda: set(_step_containers(builds.engine)) == before, "the step is gone")


@pytest.mark.naru_only
def test_a_build_can_be_called_off_by_its_id(builds: Builds) -> None:
    engine = builds.engine
    assert engine.api("POST", "/build/cancel").status == 400
    engine.api("POST", "/build/cancel", query={"id": "unknown"}).ok(200)
    client = Client(engine, f"FROM {BUSYBOX}\nRUN echo begun; sleep 1000\n", buildid="mine")
    client.await_text(b"begun")
    engine.api("POST", "/build/cancel", query={"id": "mine"}).ok(200)
    assert b"build cancelled" in client.response.read()
    client.close()


@pytest.mark.naru_only
def test_what_a_build_stands_on_cannot_be_removed(builds: Builds) -> None:
    engine = builds.engine
    config = {"Cmd": ["floor"], "Labels": {"floor": "1"}}
    engine.load(docker_archive(["naru-test/floor:1"], [busybox_layer()], config))
    client = Client(engine, "FROM naru-test/floor:1\nENV a=1\nRUN echo begun; sleep 1000\n")
    client.await_text(b"begun")
    floor = engine.api("GET", "/images/naru-test/floor:1/json").ok(200).json()["Id"]

    def prune(dangling: str) -> list[dict[str, str]]:
        query = {"filters": {"dangling": [dangling], "label": ["floor"]}}
        answer = engine.api("POST", "/images/prune", query=query).ok(200).json()
        deleted: list[dict[str, str]] = answer["ImagesDeleted"] or []
        return deleted

    assert not prune("false")
    assert engine.api("DELETE", f"/images/{floor}", query={"force": True}).status == 409
    client.close()
    eventually(lambda: prune("false"), "nothing stands on it any more")


@pytest.mark.naru_only
def test_heredocs_are_files_and_scripts(builds: Builds) -> None:
    text = builds.text(
        f"FROM {BUSYBOX}\nARG who=you\nCOPY <<on* <<'two' /d/\nhello $who\non*\nplain $who\ntwo\n"
        "RUN <<END\ncat '/d/on*'\ncat /d/two\nEND\n"
        "RUN <<SCRIPT\n#!/bin/sed 1d\nby its own program\nSCRIPT\n"
        "RUN cat <<-A && cat <<B\n\ttab\n\tA\nlast\nB\n"
    )
    assert "\nhello you\nplain $who\n" in text
    assert "\nby its own program\n" in text
    assert "\ntab\nlast\n" in text


@pytest.mark.naru_only
def test_mounts_of_run_are_seen_and_not_committed(builds: Builds) -> None:
    engine = builds.engine
    dockerfile = (
        f"FROM {BUSYBOX} AS made\nRUN echo from stage > /x\nFROM {BUSYBOX}\n"
        "RUN --mount=type=bind,source=f,target=/m/f --mount=type=bind,from=made,target=/s "
        "cat /m/f /s/x && ! touch /s/y\n"
        "RUN --mount=type=cache,target=/c,id=naru-test echo kept >> /c/log\n"
        "RUN --mount=type=cache,target=/c,id=naru-test,sharing=locked cat /c/log\n"
        "RUN --mount=type=tmpfs,target=/t,size=1m df -k /t | tail -n 1; touch /t/x\n"
        "RUN ls / /c /t 2>&1 || true\n"
    )
    answer = builds.send(dockerfile, Tree().file("f", "from context\n"))
    text = text_of(answer)
    assert "\nfrom context\nfrom stage\n" in text
    assert "\nkept\n" in text
    assert re.search(r"tmpfs\s+1024\s", text)
    again = builds.text(dockerfile, Tree().file("f", "other\n"))
    assert "\nother\nfrom stage\n" in again
    pruned = engine.api("POST", "/build/prune").ok(200).json()
    assert len(pruned["CachesDeleted"]) == 1
    assert pruned["SpaceReclaimed"] >= len("kept\n")
    assert engine.api("POST", "/build/prune").ok(200).json() == {
        "CachesDeleted": None,
        "SpaceReclaimed": 0,
    }
    for kind in ("secret,id=x", "ssh"):
        refused = builds.send(f"FROM {BUSYBOX}\nRUN --mount=type={kind} true")
        assert "needs a session" in error_of(refused)["message"]


@pytest.mark.naru_only
def test_copies_have_what_buildkit_has(builds: Builds) -> None:
    files = (
        Tree()
        .directory("d")
        .directory("d/in")
        .file("d/in/a.txt", "a")
        .file("d/in/b.o", "b")
        .file("d/c.txt", "c")
    )
    text = builds.text(
        f"FROM {BUSYBOX}\nRUN ln -s /tmp /through\n"
        "COPY --chmod=4711 --chown=app:staff d/c.txt /mode\n"
        "COPY --exclude=**/*.o d /out/\n"
        "COPY --parents d/in/*.txt d/./in/b.o /par/\n"
        "COPY --link --chown=app d/c.txt /linked/\n"
        "RUN stat -c '%a %U:%G' /mode; find /out /par -type f | sort; stat -c %U /linked/c.txt",
        files,
    )
    assert "\n4711 app:staff\n" in text
    assert "/out/c.txt\n/out/in/a.txt\n/par/d/in/a.txt\n/par/in/b.o\napp\n" in text
    assert "/out/in/b.o" not in text


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Serve a folder by http; give its address."""
    with folder_served(tmp_path) as address:
        yield address, tmp_path


@pytest.mark.naru_only
def test_files_and_contexts_come_from_the_web(builds: Builds, web: tuple[str, Path]) -> None:
    address, folder = web
    tar = Tree().file("Dockerfile", f"FROM {BUSYBOX}\nCOPY f /f\nRUN cat /f").file("f", "web\n")
    (folder / "context.tar.gz").write_bytes(gzip.compress(tar.tar()))
    (folder / "Plain").write_text(f"FROM {BUSYBOX}\nRUN echo plain\n")
    (folder / "f").write_text("added\n")
    assert "\nweb\n" in text_of(builds.send_body(b"", remote=f"{address}/context.tar.gz"))
    assert "\nplain\n" in text_of(builds.send_body(b"", remote=f"{address}/Plain"))
    missing = builds.send_body(b"", remote=f"{address}/none")
    assert missing.status == 400
    assert "error downloading remote context" in missing.message
    sum_ = hashlib.sha256(b"added\n").hexdigest()
    text = builds.text(
        f"FROM {BUSYBOX}\nADD {address}/f /a/\nADD --checksum=sha256:{sum_} {address}/f /b\n"
        "RUN cat /a/f /b; stat -c %a /b"
    )
    assert "\nadded\nadded\n600\n" in text
    wrong = builds.send(f"FROM {BUSYBOX}\nADD --checksum=sha256:{'0' * 64} {address}/f /b\n")
    assert "digest mismatch" in error_of(wrong)["message"]


@pytest.mark.naru_only
@requires("git")
def test_a_context_may_be_a_git_repository(builds: Builds, web: tuple[str, Path]) -> None:
    address, folder = web
    work, bare = folder / "work", folder / "repo.git"
    (work / "sub").mkdir(parents=True)
    (work / "Dockerfile").write_text(f"FROM {BUSYBOX}\nCOPY . /all\nRUN ls -A /all\n")
    (work / "sub" / "Dockerfile").write_text(f"FROM {BUSYBOX}\nRUN echo from sub\n")
    env = {"GIT_CONFIG_GLOBAL": "/dev/null", "PATH": os.environ["PATH"], "HOME": str(folder)}

    def git(*words: str) -> None:
        subprocess.run(["git", *words], check=True, env=env, capture_output=True)

    git("init", "-q", "-b", "main", str(work))
    git("-C", str(work), "add", ".")
    git("-C", str(work), "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "first")
    git("-C", str(work), "tag", "v1")
    git("clone", "-q", "--bare", str(work), str(bare))
    git("-C", str(bare), "update-server-info")
    text = text_of(builds.send_body(b"", remote=f"{address}/repo.git"))
    assert "\nDockerfile\nsub\n" in text
    assert ".git\n" not in text
    assert "\nfrom sub\n" in text_of(builds.send_body(b"", remote=f"{address}/repo.git#v1:sub"))
    for remote in (f"{address}/repo.git#gone", f"{address}/none.git", "git://127.0.0.1:1/x.git"):
        assert builds.send_body(b"", remote=remote).status == 400
