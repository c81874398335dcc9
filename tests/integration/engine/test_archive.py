"""Files out of containers and into them: the archive endpoints, and what they must not do."""

from __future__ import annotations

import base64
import bz2
import gzip
import http.client
import io
import json
import lzma
import os
import socket
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

from harness import wire
from harness.archives import Tree
from harness.engine import Engine
from harness.waiting import eventually

_HELLO = Tree().file("hello", "hello\n", mode=0o640, uid=7, gid=8).tar()


def _put(engine: Engine, container: str, path: str, body: Any, **query: Any) -> wire.Response:
    query = {"path": path, **query}
    return engine.api("PUT", f"/containers/{container}/archive", body, query=query)


def _get(engine: Engine, container: str, path: str, **query: Any) -> tarfile.TarFile:
    query = {"path": path, **query}
    answer = engine.api("GET", f"/containers/{container}/archive", query=query).ok(200)
    assert answer.headers["content-type"] == "application/x-tar"
    return tarfile.open(fileobj=io.BytesIO(answer.body), errors="surrogateescape")


def _read(engine: Engine, container: str, path: str) -> bytes:
    with _get(engine, container, path) as archive:
        [member] = archive.getmembers()
        file = archive.extractfile(member)
        assert file is not None
        return file.read()


def _stat(engine: Engine, container: str, path: str) -> dict[str, Any]:
    answer = engine.api("HEAD", f"/containers/{container}/archive", query={"path": path}).ok(200)
    found = json.loads(base64.b64decode(answer.headers["x-docker-container-path-stat"]))
    assert isinstance(found, dict)
    return found


@pytest.fixture
def box(engine: Engine) -> str:
    """Give a running container with some files in it."""
    container = engine.up()
    script = (
        "mkdir -p /d/sub; echo hi > /d/f; chmod 4755 /d/f; ln /d/f /d/h; ln -s f /d/l; ln -s /d /ld;"
        "mkfifo /d/p; ln -s nope /dangling; ln -s /etc/../d/f /lf"
    )
    assert engine.exec(container, "sh", "-c", script).code == 0
    return container


def test_files_go_in_and_out_in_every_state(engine: Engine) -> None:
    container = engine.create("sleep", "1000")
    for state in ("created", "running", "paused", "exited"):
        if state == "running":
            engine.start(container)
        elif state == "paused":
            engine.api("POST", f"/containers/{container}/pause").ok(204)
        elif state == "exited":
            engine.api("POST", f"/containers/{container}/unpause").ok(204)
            engine.api("POST", f"/containers/{container}/kill").ok(204)
            engine.await_status(container, "exited")
        text = f"{state}\n"
        _put(engine, container, "/root", Tree().file("f", text).tar()).ok(200)
        assert _read(engine, container, "/root/f") == text.encode()
        assert _stat(engine, container, "/root/f")["size"] == len(text)
    engine.start(container)
    assert engine.exec(container, "cat", "/root/f").out == "exited\n"


def test_an_archive_has_all_that_files_are(engine: Engine, box: str) -> None:
    with _get(engine, box, "/d") as archive:
        found = {member.name: member for member in archive}
    assert list(found) == ["d", "d/f", "d/h", "d/l", "d/p", "d/sub"]
    assert found["d/f"].mode & 0o7777 == 0o4755
    assert (found["d/h"].type, found["d/h"].linkname) == (tarfile.LNKTYPE, "d/f")
    assert found["d/l"].linkname == "f"
    assert found["d/p"].isfifo()


@pytest.mark.parametrize(
    ("path", "first"),
    [("/d/", "d"), ("/d/.", "."), ("/ld/", "ld"), ("/ld", "ld"), ("d/f", "f"), ("../d/sub", "sub")],
)
def test_entries_begin_with_the_name_that_was_asked_for(
    engine: Engine, box: str, path: str, first: str
) -> None:
    with _get(engine, box, path) as archive:
        assert archive.getnames()[0] == first
        assert archive.getmembers()[0].issym() is (path == "/ld")


def test_a_path_is_described(engine: Engine, box: str) -> None:
    found = _stat(engine, box, "/d/f")
    assert found["mtime"].endswith("Z")
    del found["mtime"]
    assert found == {"name": "f", "size": 3, "mode": 0o755 | 1 << 23, "linkTarget": ""}
    assert _stat(engine, box, "/d")["mode"] == 0o755 | 1 << 31
    assert _stat(engine, box, "/ld")["linkTarget"] == "/d"
    assert _stat(engine, box, "/lf")["linkTarget"] == "/d/f"
    assert _stat(engine, box, "/dangling")["linkTarget"] == "/nope"
    assert _stat(engine, box, "/ld/.")["name"] == "."
    assert _stat(engine, box, "/")["name"] == "/"


def test_what_is_not_there_is_not_found(engine: Engine, box: str) -> None:
    for method, body in (("GET", None), ("PUT", _HELLO)):
        answer = engine.api(method, f"/containers/{box}/archive", body, query={"path": "/none"})
        assert answer.status == 404
        assert answer.message == f"Could not find the file /none in container {box}"
        answer = engine.api(method, f"/containers/{box}/archive", body)
        assert (answer.status, answer.message) == (400, "bad parameter: pathcannot be empty")
        answer = engine.api(method, "/containers/nobody/archive", body, query={"path": "/"})
        assert (answer.status, answer.message) == (404, "No such container: nobody")
    answer = engine.api("HEAD", f"/containers/{box}/archive", query={"path": "/none"})
    assert (answer.status, answer.body) == (404, b"")


def test_only_a_directory_can_be_extracted_into(engine: Engine, box: str) -> None:
    answer = _put(engine, box, "/d/f", _HELLO)
    assert answer.status >= 400
    assert answer.message == "extraction point is not a directory"
    _put(engine, box, "/ld", _HELLO).ok(200)
    assert engine.exec(box, "stat", "-c", "%a %u %g", "/d/hello").out == "640 7 8\n"


def test_kinds_are_kept_where_asked(engine: Engine, box: str) -> None:
    body = Tree().file("sub", "x").tar()
    answer = _put(engine, box, "/d", body, noOverwriteDirNonDir=True)
    assert answer.status >= 400
    assert 'cannot overwrite directory "/d/sub" with non-directory "/d"' in answer.message
    _put(engine, box, "/d", body).ok(200)
    assert _read(engine, box, "/d/sub") == b"x"


@pytest.mark.naru_only
def test_files_can_be_given_to_the_containers_user(engine: Engine) -> None:
    container = engine.up(image=engine.ensure_test_image(), User="app")
    _put(engine, container, "/tmp", _HELLO, copyUIDGID=True).ok(200)
    assert engine.exec(container, "stat", "-c", "%u %g", "/tmp/hello").out == "1000 1000\n"


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_archives_are_taken(engine: Engine, box: str, compress: Any) -> None:
    _put(engine, box, "/tmp", compress(_HELLO)).ok(200)
    assert _read(engine, box, "/tmp/hello") == b"hello\n"


@pytest.mark.naru_only
def test_archives_compressed_with_zstd_are_taken(engine: Engine, box: str) -> None:
    _put(engine, box, "/tmp", zstandard.compress(_HELLO)).ok(200)
    assert _read(engine, box, "/tmp/hello") == b"hello\n"


def test_holes_stay_holes(engine: Engine, box: str, tmp_path: Path) -> None:
    with (tmp_path / "holes").open("wb") as file:
        file.truncate(64 << 20)
        file.seek(32 << 20)
        file.write(b"in the middle")
    tar = ["tar", "-cSf", "-", "-C", str(tmp_path), "holes"]
    _put(engine, box, "/tmp", subprocess.run(tar, capture_output=True, check=True).stdout).ok(200)
    found = engine.exec(box, "stat", "-c", "%s %b", "/tmp/holes").out.split()
    assert int(found[0]) == 64 << 20
    script = "dd if=/tmp/holes bs=1M skip=32 count=1 2>/dev/null | head -c 13"
    assert engine.exec(box, "sh", "-c", script).out == "in the middle"
    if engine.is_naru:
        assert int(found[1]) < 1000


def test_a_broken_archive_is_refused(engine: Engine, box: str) -> None:
    for body in (Tree().file("f", "x" * 5000).tar()[:3000], b"no tar" * 500):
        answer = _put(engine, box, "/tmp", body)
        assert answer.status >= 400
        assert answer.message
    _put(engine, box, "/tmp", b"").ok(200)


def test_an_archive_cannot_leave_its_directory(engine: Engine, box: str) -> None:
    answer = _put(engine, box, "/tmp", Tree().file("../out", "x").tar())
    assert answer.status >= 400
    assert '"../out" is outside of "/tmp"' in answer.message
    _put(engine, box, "/tmp", Tree().file("/abs/f", "x").tar()).ok(200)
    assert _read(engine, box, "/tmp/abs/f") == b"x"
    assert engine.exec(box, "ls", "/out", "/abs").code != 0


def test_odd_names_survive(engine: Engine, box: str) -> None:
    names = [os.fsdecode(b"\xff\xfe raw"), "ü mlaut", "long" * 60, "deep/" * 60 + "er", ".wh.no"]
    tree = Tree()
    for name in names:
        tree.file(name, name.encode("utf-8", "surrogateescape"))
    buffer = io.BytesIO()
    with tarfile.open(
        fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT, errors="surrogateescape"
    ) as archive:
        for info, data in tree.entries:
            archive.addfile(info, io.BytesIO(data))
    _put(engine, box, "/d/sub", buffer.getvalue()).ok(200)
    with _get(engine, box, "/d/sub/.") as archive:
        found = {member.name.removeprefix("./") for member in archive if member.isreg()}
    assert found == set(names)
    raw = "/containers/%s/archive?path=/d/sub/%%FF%%FE%%20raw"
    answer = engine.api("GET", raw % box)
    assert answer.status == 200


def test_mounts_are_part_of_the_files(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "ro").mkdir()
    (tmp_path / "ro" / "f").write_text("from the host")
    (tmp_path / "one").write_text("one file")
    binds = [f"{tmp_path}/ro:/ro:ro", f"{tmp_path}/one:/etc/one", "/new/volume"]
    host = {"Binds": binds[:2]}
    container = engine.create("sleep", "1000", host=host, Volumes={"/new/volume": {}})
    for is_running in (False, True):
        if is_running:
            engine.start(container)
        assert _read(engine, container, "/ro/f") == b"from the host"
        assert _read(engine, container, "/etc/one") == b"one file"
        _put(engine, container, "/new/volume", Tree().file("v", str(is_running)).tar()).ok(200)
        answer = _put(engine, container, "/ro", _HELLO)
        assert answer.status >= 400
        assert answer.message == "mounted volume is marked read-only"
    [source] = [m["Source"] for m in engine.inspect(container)["Mounts"] if m["Type"] == "volume"]
    assert Path(source, "v").read_text() == "True"
    assert os.listdir(tmp_path / "ro") == ["f"]


def test_a_read_only_root_takes_files_in_its_volumes_only(engine: Engine, tmp_path: Path) -> None:
    host = {"ReadonlyRootfs": True, "Binds": [f"{tmp_path}:/rw"]}
    container = engine.create("sleep", "1000", host=host)
    for is_running in (False, True):
        if is_running:
            engine.start(container)
        answer = _put(engine, container, "/tmp", _HELLO)
        assert answer.status >= 400
        assert answer.message == "container rootfs is marked read-only"
        _put(engine, container, "/rw", _HELLO).ok(200)
        assert _read(engine, container, "/etc/passwd")
    assert (tmp_path / "hello").read_text() == "hello\n"


@pytest.mark.naru_only
def test_memory_file_systems_are_seen_while_the_container_runs(engine: Engine) -> None:
    container = engine.up(host={"Tmpfs": {"/fast": ""}, "ReadonlyRootfs": True})
    for place in ("/fast", "/dev/shm"):
        _put(engine, container, place, _HELLO).ok(200)
        assert engine.exec(container, "cat", f"{place}/hello").out == "hello\n"
        assert _read(engine, container, f"{place}/hello") == b"hello\n"


@pytest.mark.naru_only
def test_mounted_files_are_filled_in_place(engine: Engine, box: str, tmp_path: Path) -> None:
    _put(engine, box, "/etc", Tree().file("hosts", "1.2.3.4 new\n").tar()).ok(200)
    assert engine.exec(box, "cat", "/etc/hosts").out == "1.2.3.4 new\n"


def test_what_the_kernel_makes_up_is_no_file(engine: Engine, box: str) -> None:
    for path in ("/proc/cpuinfo", "/proc/1", "/sys/kernel"):
        answer = engine.api("GET", f"/containers/{box}/archive", query={"path": path})
        assert answer.status == 404, path
    with _get(engine, box, "/") as archive:
        names = [name.lstrip("/") for name in archive.getnames()]
    assert "d/f" in names
    assert not [name for name in names if name.startswith(("proc/", "sys/", "dev/null"))]


def test_copies_are_told_as_events(engine: Engine, box: str) -> None:
    since = time.time()
    _put(engine, box, "/tmp", _HELLO).ok(200)
    _read(engine, box, "/tmp/hello")
    _stat(engine, box, "/tmp/hello")
    events = engine.events(since, container=[box])
    assert [event["Action"] for event in events] == ["extract-to-dir", "archive-path"]


def test_a_client_that_goes_in_the_middle_leaves_nothing_behind(engine: Engine, box: str) -> None:
    def half() -> Iterator[bytes]:
        yield Tree().file("f", "x" * 100_000).tar()[:50_000]
        raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        _put(engine, box, "/tmp", half())
    engine.exec(box, "dd", "if=/dev/zero", "of=/big", "bs=1M", "count=64")
    stream = engine.stream(f"/containers/{box}/archive", query={"path": "/big"})
    assert stream.response.read(1000)
    stream.close()
    engine.api("POST", f"/containers/{box}/restart", query={"t": 0}).ok(204)
    assert _read(engine, box, "/d/f") == b"hi\n"


def _stalled_upload(engine: Engine, container: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(60)
    connection.connect(engine.socket)
    body = Tree().file("stalled", "x" * 100_000).tar()
    connection.sendall(
        f"PUT /v{engine.version}/containers/{container}/archive?path=/tmp HTTP/1.1\r\n"
        f"Host: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body[:50_000]
    )
    return connection


@pytest.mark.naru_only
def test_clients_that_stall_hold_nobody_up_for_long(engine: Engine, box: str) -> None:
    assert engine.exec(box, "truncate", "-s", "100M", "/big").code == 0
    uploads = [_stalled_upload(engine, box) for _ in range(40)]
    query = {"path": "/big"}
    download = engine.stream(f"/containers/{box}/archive", query=query, timeout_s=60)
    assert download.response.read(1000)
    # More than there are threads; yet others are served, and so is the container.
    assert engine.exec(box, "true").code == 0
    assert _read(engine, box, "/d/f") == b"hi\n"
    engine.api("POST", f"/containers/{box}/stop", query={"t": 0}).ok(204)
    engine.api("POST", f"/containers/{box}/start").ok(204)
    for upload in uploads:
        with upload:
            answer = upload.recv(4096)
            assert b"409 Conflict" in answer
            assert b"the copy was broken off" in answer
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        download.read()
    download.close()
    assert _read(engine, box, "/d/f") == b"hi\n"


@pytest.mark.naru_only
def test_links_that_change_meanwhile_never_lead_outside(
    engine: Engine, box: str, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "f").write_text("of the host")
    before = (secret.stat().st_mtime_ns, secret.stat().st_mode)
    swap = (
        f"mkdir -p /w/d/e; ln -s ../../../../../../..{secret} /link; touch /ready;"
        "while :; do mv -T /w/d /real; mv -T /link /w/d; mv -T /w/d /link; mv -T /real /w/d; done"
    )
    body = {"Cmd": ["sh", "-c", swap]}
    exec_id = engine.api("POST", f"/containers/{box}/exec", body).ok(201).json()["Id"]
    engine.api("POST", f"/exec/{exec_id}/start", {"Detach": True}).ok(200)
    eventually(lambda: engine.exec(box, "ls", "/ready").code == 0, "it swaps")
    tar = Tree().directory("d", mode=0o777).file("d/f", "inside").file("d/e/f", "inside").tar()
    outcomes = set()
    for _ in range(100):
        outcomes.add(_put(engine, box, "/w", tar).status)
        outcomes.add(_put(engine, box, "/w/d", _HELLO).status)
        for path in ("/w", "/w/d/", "/w/d/f"):
            query = {"path": path}
            try:
                got = engine.api("GET", f"/containers/{box}/archive", query=query).body
            except http.client.IncompleteRead as broken_off:
                # What went away while it was being read ends the answer.
                got = broken_off.partial
            assert b"of the host" not in got
    assert 200 in outcomes
    assert os.listdir(secret) == ["f"]
    assert (secret / "f").read_text() == "of the host"
    assert (secret.stat().st_mtime_ns, secret.stat().st_mode) == before


@pytest.mark.naru_only
def test_patterns_give_all_that_fits(engine: Engine, box: str) -> None:
    answer = engine.api(
        "GET", f"/containers/{box}/archive", query={"path": "/d/[fhl]", "pattern": True}
    ).ok(200)
    assert answer.headers["x-naru-matches"] == "3"
    with tarfile.open(fileobj=io.BytesIO(answer.body)) as archive:
        assert archive.getnames() == ["f", "h", "l"]
    query = {"path": "/d/*.none", "pattern": True}
    answer = engine.api("GET", f"/containers/{box}/archive", query=query)
    assert (answer.status, answer.message) == (
        404,
        f"Could not find the file /d/*.none in container {box}",
    )
