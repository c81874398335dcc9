"""Archives and snapshots of volumes, by the command and by the API."""

from __future__ import annotations

import io
import os
import socket
import stat
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import narud
from harness.archives import Tree
from harness.narud import EngineUnderTest
from harness.requirements import requires
from harness.waiting import eventually

pytestmark = [requires("root"), pytest.mark.naru_only]
_M = 1 << 20


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineUnderTest]:
    made = narud.started()
    yield made
    made.destroy()


@pytest.fixture(autouse=True)
def _tidy(engine: EngineUnderTest) -> Iterator[None]:
    yield
    engine.remove_all()
    engine.remove_volumes()


def _content(engine: EngineUnderTest, name: str) -> Path:
    return Path(engine.api("GET", f"/volumes/{name}").ok(200).json()["Mountpoint"])


def _made(engine: EngineUnderTest, name: str) -> Path:
    engine.api("POST", "/volumes/create", {"Name": name}).ok(201)
    return _content(engine, name)


def _fill(folder: Path) -> None:
    """Put one of everything into a volume."""
    (folder / "dir" / "inner").mkdir(parents=True)
    (folder / "dir" / "inner" / "ü").write_text("text")
    (folder / "file").write_bytes(os.urandom(100_000))
    os.link(folder / "file", folder / "dir" / "same")
    (folder / "link").symlink_to("/etc/passwd")
    os.mkfifo(folder / "fifo")
    os.mknod(folder / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.setxattr(folder / "file", "user.note", b"kept")
    os.chown(folder / "file", 1000, 1001)
    (folder / "file").chmod(0o4755)
    os.chown(folder, 33, 44)
    folder.chmod(0o1770)
    os.utime(folder / "dir", (10**9, 10**9))
    with (folder / "sparse").open("wb") as file:
        file.seek(64 * _M)
        file.write(b"end")
        file.truncate(65 * _M)
    with (folder / "empty").open("wb") as file:
        file.truncate(8 * _M)


def _described(folder: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        status = path.lstat()
        content: object = None
        if stat.S_ISREG(status.st_mode):
            content = path.read_bytes()
        elif stat.S_ISLNK(status.st_mode):
            content = os.readlink(path)
        attributes = {
            name: os.getxattr(path, name, follow_symlinks=False)
            for name in os.listxattr(path, follow_symlinks=False)
        }
        found[str(path.relative_to(folder))] = (
            *(status.st_mode, status.st_uid, status.st_gid, status.st_rdev, int(status.st_mtime)),
            *(status.st_nlink if not stat.S_ISDIR(status.st_mode) else 0, content, attributes),
        )
    return found


def _blocks(path: Path) -> int:
    return path.stat().st_blocks * 512


def test_what_is_exported_and_imported_is_the_same_to_the_last_attribute(
    engine: EngineUnderTest, tmp_path: Path
) -> None:
    folder = _made(engine, "whole")
    _fill(folder)
    archive = tmp_path / "whole.tar"
    engine.naru("volume", "export", "-o", str(archive), "whole").ok()
    assert archive.stat().st_size < _M, "holes are no zeros"
    # Others can read it, too.
    (tmp_path / "out").mkdir()
    subprocess.run(["tar", "-xf", archive, "-C", tmp_path / "out"], check=True)
    assert (tmp_path / "out" / "sparse").read_bytes() == (folder / "sparse").read_bytes()
    done = engine.naru("volume", "import", "copy", str(archive)).ok()
    assert done.out.strip() == "copy"
    copy = _content(engine, "copy")
    assert _described(copy) == _described(folder)
    assert _blocks(copy / "sparse") < _M
    assert sorted(os.listdir(copy.parent)) == ["_data"]


def test_stdin_and_stdout_carry_archives_and_containers_may_run(engine: EngineUnderTest) -> None:
    script = "echo one > /d/file; sleep 1000"
    engine.up("sh", "-c", script, host={"Binds": ["busy:/d"]})
    eventually((_content(engine, "busy") / "file").exists, "it is written")
    program = f"{engine.naru_program} volume export --pause busy | gzip | "
    program += f"{engine.naru_program} volume import twin -"
    subprocess.run(["sh", "-c", program], check=True, env=engine.environ)
    assert (_content(engine, "twin") / "file").read_text() == "one\n"
    [container] = engine.containers()
    assert engine.state(container)["Status"] == "running"


def _cut_off() -> bytes:
    """Return an archive that begins well, and is cut off."""
    return Tree().directory("d").file("d/big", "x" * 5000).tar()[:3000]


def test_an_import_is_whole_or_nothing(engine: EngineUnderTest, tmp_path: Path) -> None:
    def attempt(archive: bytes, name: str = "kept", **query: object) -> tuple[int, str]:
        headers = {"Content-Type": "application/x-tar"}
        path = f"/volumes/{name}/import"
        answer = engine.api("POST", path, archive, query=query, headers=headers)
        return answer.status, "" if answer.status == 204 else answer.message

    folder = _made(engine, "kept")
    (folder / "mine").write_text("x")
    good = Tree().file("new", "y").tar()
    assert attempt(good) == (409, "volume kept is not empty")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("../out"))
    for bad in (out.getvalue(), good[:700], b"no tar at all" * 100):
        assert attempt(bad, replace="1")[0] == 400
        assert attempt(bad, "fresh")[0] == 400
        assert engine.api("GET", "/volumes/fresh").status == 404
    assert os.listdir(folder) == ["mine"]
    container = engine.up("sleep", "1000", host={"Binds": ["kept:/d"]})
    assert attempt(good, replace="1") == (409, f"volume is in use - [{container}]")
    engine.remove(container)
    assert attempt(good, replace="1") == (204, "")
    assert os.listdir(_content(engine, "kept")) == ["new"]
    (tmp_path / "far").mkdir()
    bind = {"type": "none", "device": str(tmp_path / "far"), "o": "bind"}
    engine.api("POST", "/volumes/create", {"Name": "far", "DriverOpts": bind}).ok(201)
    # What is mounted from elsewhere cannot be exchanged, but filled and emptied again.
    assert attempt(good, "far")[0] == 204
    assert attempt(good, "far") == (409, "volume far is not empty")
    assert attempt(good, "far", replace="1")[0] == 501
    (tmp_path / "far" / "new").unlink()
    assert attempt(_cut_off(), "far")[0] == 400
    assert os.listdir(tmp_path / "far") == []
    assert engine.naru("volume", "snapshot", "far").code == 1
    assert attempt(good, ".x")[0] == 400


def test_an_archive_that_ends_early_replaces_nothing(engine: EngineUnderTest) -> None:
    (_made(engine, "kept") / "file").write_text("dear")
    whole = Tree().file("a", "x" * 512).file("b", "y" * 512).tar()
    zstd = b"\x28\xb5\x2f\xfd\x00"
    # Nothing, whole entries without the rest, and a compressed stream that has only begun.
    for part in (b"", whole[:1024], whole[:2048], zstd):
        answer = engine.api("POST", "/volumes/kept/import?replace=1", part)
        assert answer.status == 400, part
        assert answer.message == "tar: cut off before its end marker"
        assert (_content(engine, "kept") / "file").read_text() == "dear"
    engine.api("POST", "/volumes/kept/import?replace=1", bytes(1024)).ok(204)
    assert os.listdir(_content(engine, "kept")) == []


def test_a_client_that_goes_away_leaves_nothing(engine: EngineUnderTest) -> None:
    folder = _made(engine, "large")
    (folder / "file").write_bytes(os.urandom(32 * _M))
    with _connected(engine) as connection:
        connection.sendall(b"GET /volumes/large/export HTTP/1.1\r\nHost: x\r\n\r\n")
        assert len(connection.recv(1 << 16)) > 0
    archive = Tree().file("file", "x" * 100_000).tar()
    for name in ("large", "fresh"):
        with _connected(engine) as connection:
            head = f"POST /volumes/{name}/import?replace=1 HTTP/1.1\r\nHost: x\r\n"
            head += f"Content-Length: {len(archive)}\r\n\r\n"
            connection.sendall(head.encode() + archive[:50_000])

    def is_settled() -> bool:
        taken = engine.api("POST", "/volumes/large/snapshots", {"Name": "free"})
        is_taken = taken.status == 201 or "already" in taken.message
        return is_taken and engine.api("GET", "/volumes/fresh").status == 404

    eventually(is_settled, "nobody uses the volume, and the other one is not there")
    assert (folder / "file").stat().st_size == 32 * _M
    assert sorted(os.listdir(folder.parent)) == ["_data", "_snapshots"]


def test_prune_passes_over_a_volume_that_is_being_replaced(engine: EngineUnderTest) -> None:
    for name in ("busy", "idle"):
        _made(engine, name)
    archive = Tree().file("file", "x" * 100_000).tar()
    with _connected(engine) as connection:
        head = "POST /volumes/busy/import?replace=1 HTTP/1.1\r\nHost: x\r\n"
        connection.sendall(f"{head}Content-Length: {len(archive)}\r\n\r\n".encode() + archive[:999])

        def is_busy() -> bool:
            answer = engine.api("POST", "/volumes/busy/snapshots", {"Name": "free"})
            return answer.status == 409 and "is being copied or replaced" in answer.message

        eventually(is_busy, "the volume is being replaced")
        pruned = engine.api("POST", "/volumes/prune", query={"filters": '{"all":["1"]}'})
        assert pruned.ok(200).json()["VolumesDeleted"] == ["idle"]
        assert engine.api("GET", "/volumes/busy").status == 200


def _connected(engine: EngineUnderTest) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(engine.socket)
    return connection


def test_links_in_an_archive_do_not_lead_out(engine: EngineUnderTest, tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        link = tarfile.TarInfo("away")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
        archive.addfile(link)
        archive.addfile(tarfile.TarInfo("away/escaped"))
    engine.api("POST", "/volumes/trap/import", out.getvalue())
    assert os.listdir(tmp_path) == []


def test_snapshots_are_taken_listed_restored_and_removed(engine: EngineUnderTest) -> None:
    folder = _made(engine, "data")
    _fill(folder)
    before = _described(folder)
    assert engine.naru("volume", "snapshot", "data", "first").ok().out == "first\n"
    named = engine.naru("volume", "snapshot", "data").ok().out.strip()
    assert engine.naru("volume", "snapshots", "-q", "data").ok().lines() == ["first", named]
    table = engine.naru("volume", "snapshots", "data").ok().lines()
    assert table[0].split() == ["SNAPSHOT", "CREATED", "AT", "SIZE"]
    usage = engine.api("GET", "/system/df").ok(200).json()["Volumes"][0]["UsageData"]["Size"]
    assert usage > 3 * 73 * _M, "both snapshots count"
    subprocess.run(["rm", "-rf", folder / "dir", folder / "file"], check=True)
    (folder / "later").write_text("x")
    folder.chmod(0o700)
    engine.naru("volume", "restore", "data", "first").ok()
    assert _described(_content(engine, "data")) == before
    engine.naru("volume", "rm-snapshot", "data", "first", named).ok()
    assert engine.naru("volume", "snapshots", "-q", "data").ok().out == ""
    assert sorted(os.listdir(folder.parent)) == ["_data", "_snapshots"]
    assert os.listdir(folder.parent / "_snapshots") == []


def test_what_cannot_be_is_refused_with_a_reason(engine: EngineUnderTest) -> None:
    _made(engine, "data")
    container = engine.up("sleep", "1000", host={"Binds": ["data:/d"]})
    in_use = f"volume is in use - [{container}]"
    assert in_use in engine.naru("volume", "snapshot", "data", "one").err
    engine.naru("volume", "snapshot", "--pause", "data", "one").ok()
    assert engine.state(container)["Status"] == "running"
    assert in_use in engine.naru("volume", "restore", "data", "one").err
    for words, message in (
        (("snapshot", "data", "../x"), "invalid snapshot name"),
        (("snapshot", "data", "x" * 256), "of 2 to 255 characters"),
        (("snapshot", "--pause", "data", "one"), "volume data has a snapshot one already"),
        (("snapshot", "nosuch"), "get nosuch: no such volume"),
        (("snapshots", "nosuch"), "get nosuch: no such volume"),
        (("rm-snapshot", "data", "two"), "volume data has no snapshot two"),
        (("export", "nosuch"), "get nosuch: no such volume"),
    ):
        done = engine.naru("volume", *words)
        assert (done.code, message in done.err) == (1, True), done
    engine.remove(container)
    assert "has no snapshot two" in engine.naru("volume", "restore", "data", "two").err
    engine.naru("volume", "restore", "data", "one").ok()
