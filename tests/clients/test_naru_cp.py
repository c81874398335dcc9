"""`naru cp`: owners, tar streams, patterns, terminals."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from harness.archives import Tree
from harness.engine import Engine
from harness.requirements import requires

pytestmark = requires("root", "docker")


@pytest.fixture
def box(engine: Engine) -> Iterator[str]:
    """Give the name of a running container with some logs in it."""
    engine.up(name="naru-test-cp")
    script = (
        "mkdir -p /logs/dir.log; for n in a b .c; do echo $n > /logs/$n.log; done;"
        "echo in > /logs/dir.log/in; echo x > '/logs/[a]*.txt'; chown -R 5:6 /logs"
    )
    assert engine.exec("naru-test-cp", "sh", "-c", script).code == 0
    yield "naru-test-cp"
    engine.remove("naru-test-cp")


def _owner(engine: Engine, box: str, path: str) -> str:
    return engine.exec(box, "stat", "-c", "%u:%g", path).out.strip()


def test_owners_are_what_the_documentation_says(engine: Engine, box: str, tmp_path: Path) -> None:
    source = tmp_path / "f"
    source.write_text("x")
    os.chown(source, 1234, 4321)
    engine.naru("cp", str(source), f"{box}:/plain").ok()
    engine.naru("cp", "-a", str(source), f"{box}:/archive").ok()
    assert _owner(engine, box, "/plain") == "0:0"
    assert _owner(engine, box, "/archive") == "1234:4321"
    engine.naru("cp", f"{box}:/archive", f"{tmp_path}/plain").ok()
    engine.naru("cp", "-a", f"{box}:/archive", f"{tmp_path}/archive").ok()
    assert [(tmp_path / n).stat().st_uid for n in ("plain", "archive")] == [os.getuid(), 1234]


def test_a_tar_stream_goes_in_and_out(engine: Engine, box: str) -> None:
    stream = Tree().directory("t", uid=7).file("t/f", "text", uid=7, gid=8).tar()
    engine.naru("cp", "-", f"{box}:/tmp", stdin=stream).ok()
    assert _owner(engine, box, "/tmp/t/f") == "7:8"
    answer = engine.naru("cp", f"{box}:/tmp/t", "-").ok()
    with tarfile.open(fileobj=io.BytesIO(answer.out.encode())) as archive:
        assert archive.getnames() == ["t", "t/f"]
    refused = engine.naru("cp", "-", f"{box}:/etc/passwd", stdin=stream)
    assert refused.err == f'destination "{box}:/etc/passwd" must be a directory\n'


@pytest.mark.naru_only
def test_patterns_copy_all_that_fits(engine: Engine, box: str, tmp_path: Path) -> None:
    engine.naru("cp", f"{box}:/logs/*.log", str(tmp_path)).ok()
    assert sorted(os.listdir(tmp_path)) == ["a.log", "b.log", "dir.log"]
    assert (tmp_path / "dir.log" / "in").read_text() == "in\n"
    engine.naru("cp", f"{box}:/logs/.*", f"{tmp_path}/hidden").ok()
    assert (tmp_path / "hidden").read_text() == ".c\n"
    refused = engine.naru("cp", f"{box}:/logs/*.log", f"{tmp_path}/new")
    assert refused.err == f'"{tmp_path}/new" must be a directory: 3 files fit "/logs/*.log"\n'
    nothing = engine.naru("cp", f"{box}:/logs/*.none", str(tmp_path))
    assert nothing.code == 1
    assert "Could not find the file /logs/*.none in container" in nothing.err


def test_a_name_with_a_star_is_that_name_first(engine: Engine, box: str, tmp_path: Path) -> None:
    engine.naru("cp", f"{box}:/logs/[a]*.txt", f"{tmp_path}/one").ok()
    assert (tmp_path / "one").read_text() == "x\n"


def test_local_names_may_hold_colons(engine: Engine, box: str, tmp_path: Path) -> None:
    (tmp_path / "a:b").write_text("colon")
    engine.naru("cp", f"{tmp_path}/a:b", f"{box}:/colon").ok()
    assert engine.exec(box, "cat", "/colon").out == "colon"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("a", "b"), "must specify at least one container source"),
        (("x:/a", "y:/b"), "copying between containers is not supported"),
        (("", "x:/b"), "source can not be empty"),
        (("x:/a", ""), "destination can not be empty"),
    ],
)
def test_refusals_are_dockers(engine: Engine, words: tuple[str, str], message: str) -> None:
    for program in (engine.docker, engine.naru):
        result = program("cp", *words)
        assert (result.code, result.err) == (1, f"{message}\n")


def test_a_terminal_is_told_how_much(engine: Engine, box: str, tmp_path: Path) -> None:
    for program in ("docker", "naru"):
        command = engine.terminal(program, "cp", f"{box}:/logs/a.log", f"{tmp_path}/{program}")
        command.expect(f"Successfully copied 2.05kB to {tmp_path}/{program}")
        command.expect(pexpect.EOF)
        command.close()
        assert command.exitstatus == 0
