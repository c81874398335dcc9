"""Builds through the API: progress, cache, containers of steps, contexts, options, refusals."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zstandard

from harness.archives import BUSYBOX, Tree, busybox_layer, docker_archive
from harness.builds import build, image_of, remove_images
from harness.engine import Engine
from harness.requirements import requires
from harness.wire import Response

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
            engine.remove(item["Id"])
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
    [bytes, gzip.compress, bz2.compress, lzma.compress, zstandard.ZstdCompressor().compress],
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
    outside = Tree().file("../out", "x").file("Dockerfile", f"FROM {BUSYBOX}")
    assert builds.send_body(outside.tar()).status in (400, 500)
    linked = Tree().symlink("Dockerfile", "/etc/passwd")
    assert builds.send_body(linked.tar()).status in (400, 500)


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
    for target, value in (("one", "s=1"), ("TWO", "s=2")):
        image_id = builds.image(dockerfile, target=target)
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
