"""`build` by docker's command and by ours: the same contexts sent, the same words printed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.archives import BUSYBOX
from harness.engine import Engine
from harness.programs import Result
from harness.requirements import requires

pytestmark = requires("root", "crun", "conmon", "nft", "docker")
PROGRAMS = ("docker", "naru")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a directory with a Dockerfile and some files."""
    (tmp_path / "d" / "deep").mkdir(parents=True)
    (tmp_path / "d" / "deep" / "g").write_text("g")
    (tmp_path / "d" / "skip.o").write_text("o")
    (tmp_path / "d" / "keep.o").write_text("o")
    (tmp_path / "f").write_text("f")
    (tmp_path / "l").symlink_to("f")
    (tmp_path / ".dockerignore").write_text("**/*.o\n!d/keep.o\nDockerfile\n.dockerignore\n")
    (tmp_path / "Dockerfile").write_text(
        f"FROM {BUSYBOX}\nCOPY . /all\nRUN cd /all && find . | sort\n"
    )
    return tmp_path


@pytest.fixture
def clean(engine: Engine) -> Iterator[Engine]:
    """Give an engine whose images are as they were afterwards."""

    def images() -> set[str]:
        answer = engine.api("GET", "/images/json", query={"all": True}).ok(200).json()
        return {item["Id"] for item in answer}

    before = images()
    yield engine
    for item in engine.api("GET", "/containers/json", query={"all": True}).ok(200).json():
        if item["Command"].startswith("/bin/sh -c"):
            engine.remove(item["Id"])
    while new := images() - before:
        for image in new:
            engine.api("DELETE", f"/images/{image}", query={"force": True}).ok(200, 404, 409)


def run(engine: Engine, program: str, *args: str, stdin: str | bytes = b"") -> Result:
    result: Result = getattr(engine, program)("build", *args, stdin=stdin)
    return result


def shown(result: Result) -> tuple[int, str, str]:
    """Return what both commands must agree on: no ids, no sizes of archives, no advertising."""
    out = re.sub(r"\b[0-9a-f]{12}\b", "ID", result.out)
    out = re.sub(r"[0-9.]+k?B\r", "SIZE\r", out)
    err = re.sub(r"(?s)^DEPRECATED: .*?\n\n", "", result.err)
    return result.code, out, re.sub(r"\b[0-9a-f]{12}\b", "ID", err)


def both(engine: Engine, *args: str, stdin: str | bytes = b"") -> tuple[int, str, str]:
    """Build with both; assert that they say the same, and return it."""
    docker, naru = (
        shown(run(engine, program, "--no-cache", *args, stdin=stdin)) for program in PROGRAMS
    )
    assert naru == docker
    return naru


def test_a_directory_is_sent_without_what_is_ignored(clean: Engine, folder: Path) -> None:
    code, out, _ = both(clean, "-t", "naru-test/dir:1", str(folder))
    assert code == 0
    assert "\n.\n./d\n./d/deep\n./d/deep/g\n./d/keep.o\n./f\n./l\n" in out
    assert out.startswith("Sending build context to Docker daemon")
    assert out.endswith("Successfully tagged naru-test/dir:1\n")


def test_the_exit_code_is_that_of_the_command(clean: Engine, folder: Path) -> None:
    (folder / "Dockerfile").write_text(f"FROM {BUSYBOX}\nRUN echo x; exit 42\n")
    code, _, err = both(clean, "--force-rm", str(folder))
    assert code == 42
    assert err == "The command '/bin/sh -c echo x; exit 42' returned a non-zero code: 42\n"
    code, out, err = both(clean, "--force-rm", "-q", str(folder))
    assert (code, out) == (42, "")
    assert "Step 2/2" in err


def test_a_quiet_build_prints_the_image(clean: Engine, folder: Path) -> None:
    for program in PROGRAMS:
        result = run(clean, program, "-q", str(folder)).ok()
        assert re.fullmatch(r"sha256:[0-9a-f]{64}\n", result.out)


def test_the_id_is_left_in_a_file(clean: Engine, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "iid"
    for program in PROGRAMS:
        path.write_text("stale")
        run(clean, program, "--iidfile", str(path), "-q", str(folder)).ok()
        # docker's own has a newline at its end if the build was quiet.
        assert re.fullmatch(r"sha256:[0-9a-f]{64}", path.read_text().strip())
    (folder / "Dockerfile").write_text(f"FROM {BUSYBOX}\nRUN false\n")
    assert run(clean, "naru", "--force-rm", "--iidfile", str(path), str(folder)).code == 1
    assert not path.exists()


def test_a_dockerfile_may_come_from_elsewhere(
    clean: Engine, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = f"FROM {BUSYBOX}\nCOPY f /f\nRUN ls -A /; cat /f\n"
    outside = tmp_path_factory.mktemp("outside") / "Other"
    outside.write_text(text)
    (folder / "sub.Dockerfile").write_text(text)
    for args, stdin in (
        (("-f", str(outside), str(folder)), ""),
        (("-f", str(folder / "sub.Dockerfile"), str(folder)), ""),
        (("-f", "-", str(folder)), text),
    ):
        code, out, _ = both(clean, *args, stdin=stdin)
        assert code == 0
        assert "\nf" in out


def test_a_context_may_come_by_stdin(clean: Engine) -> None:
    code, out, _ = both(clean, "-", stdin=f"FROM {BUSYBOX}\nRUN echo from stdin\n")
    assert code == 0
    assert "\nfrom stdin\n" in out


def test_options_reach_the_engine(clean: Engine, folder: Path) -> None:
    (folder / "Dockerfile").write_text(
        f"FROM {BUSYBOX} AS one\nARG a\nARG b\n"
        "RUN echo $a$b; ulimit -n; grep pinned /etc/hosts; df -k /dev/shm | tail -n 1\n"
        "FROM one\nRUN false\n"
    )
    options = (
        "--build-arg=a=1 --build-arg=b=2 --target=one --ulimit=nofile=55:66 --label=x=y "
        "--add-host=pinned:10.1.1.1 --shm-size=4m --memory=64m --network=none --compress"
    )
    code, out, _ = both(clean, *options.split(), str(folder))
    assert code == 0
    assert "\n12\n55\n" in out
    assert "10.1.1.1\tpinned" in out
    assert "LABEL x=y" in out


@pytest.mark.parametrize(
    "args",
    [
        ("nowhere",),
        ("-t", "Upper", "."),
        ("-f", "nofile", "."),
        ("-f", "-", "-"),
        ("--add-host", "x", "."),
        ("--ulimit", "x", "."),
        ("--memory", "x", "."),
        ("--build-arg", "", "."),
        (),
        ("a", "b"),
    ],
    ids=" ".join,
)
def test_mistakes_are_told_alike(args: tuple[str, ...], engine: Engine) -> None:
    docker, naru = (shown(run(engine, program, *args)) for program in PROGRAMS)
    assert naru[0] == docker[0]
    assert naru[2].replace("naru", "docker") == docker[2]


@pytest.mark.naru_only
def test_the_progress_can_be_had_as_records(clean: Engine, folder: Path) -> None:
    result = run(clean, "naru", "--progress", "rawjson", str(folder)).ok()
    assert '{"stream":"Step 1/3 : FROM' in result.out
    assert run(clean, "naru", "--progress", "tty", str(folder)).code == 1


def test_the_cache_is_pruned_after_a_question(engine: Engine) -> None:
    docker = engine.docker("builder", "prune", "-f").ok()
    naru = engine.naru("builder", "prune", "-f").ok()
    assert naru.out == docker.out == "Total reclaimed space: 0B\n"
    asked = engine.naru("builder", "prune", stdin="n\n")
    assert "WARNING! This will remove all dangling build cache." in asked.out
    assert "reclaimed" not in asked.out
