"""Files of containers: mounts, copies, and what has changed."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.clients import Client
from harness.requirements import requires
from harness.waiting import eventually

pytestmark = requires("root")


@pytest.fixture
def volume(client: Client) -> Iterator[str]:
    """Name a volume, and remove it at the end."""
    yield "seeds-volume"
    client.engine.remove_all()
    client("volume", "rm", "-f", "seeds-volume").ok()


@pytest.mark.seed("S044")
@pytest.mark.naru_only
def test_folders_and_volumes_are_shared(client: Client, volume: str, tmp_path: Path) -> None:
    missing = tmp_path / "made" / "by run"
    shared = ("-v", f"{missing}:/shared", "-v", f"{tmp_path}:/fixed:ro")
    container = client.up(*shared, "busybox", "sleep", "1000")
    (missing / "outside").write_text("from outside\n")
    assert client.say("exec", container, "cat", "/shared/outside") == "from outside"
    client("exec", container, "sh", "-c", "echo from inside > /shared/inside").ok()
    assert (missing / "inside").read_text() == "from inside\n"
    refused = client("exec", container, "touch", "/fixed/x")
    assert refused.code == 1
    assert "Read-only file system" in refused.err
    image = client.engine.ensure_test_image()
    seeded = client.say(
        "run", "-v", f"{volume}:/etc", image, "sh", "-c", "echo x > /etc/x; ls /etc"
    )
    assert {"passwd", "group", "x"} <= set(seeded.split())
    again = client.say(
        "run", "-v", f"{volume}:/data:ro", "busybox", "cat", "/data/passwd", "/data/x"
    )
    assert "app:x:1000" in again
    assert again.endswith("\nx")
    anonymous = client.say("create", "-v", "/anonymous", "busybox")
    form = "{{(index .Mounts 0).Type}} {{(index .Mounts 0).Destination}} {{(index .Mounts 0).Name}}"
    kind, destination, name = client.show(form, anonymous).split()
    assert (kind, destination, len(name)) == ("volume", "/anonymous", 64)
    assert name in client.say("volume", "ls", "-q").splitlines()


@pytest.mark.seed("S045")
def test_a_root_that_is_read_only_leaves_the_rest_writable(client: Client) -> None:
    script = (
        "touch /x; echo $?; touch /v/x && echo x > /dev/null && touch /dev/shm/x && echo well; "
    )
    script += "head -n 1 /proc/self/status"
    words = ("run", "--rm", "-v", "/v")
    for option in ("--read-only", "--read-only=true"):
        done = client(*words, option, "busybox", "sh", "-c", script).ok()
        assert "touch: /x: Read-only file system" in done.err
        assert done.lines()[:2] == ["1", "well"]
        assert done.lines()[2].startswith("Name:")
    plain = client(*words, "--read-only=false", "busybox", "sh", "-c", script).ok()
    assert (plain.lines()[:2], plain.err) == (["0", "well"], "")


@pytest.mark.seed("S055")
def test_files_are_copied_both_ways_also_of_what_does_not_run(
    client: Client, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    (site / "sub").mkdir(parents=True)
    (site / "index.html").write_text("<p>\n")
    (site / "sub" / "link").symlink_to("../index.html")
    (site / "index.html").chmod(0o640)
    container = client.say("create", "--name", "seeds-cp", "busybox", "sleep", "1000")
    client("container", "cp", f"{site}/.", "seeds-cp:/srv").ok()
    client("cp", str(site), "seeds-cp:/srv").ok()
    client("cp", f"{site}/index.html", "seeds-cp:/etc/").ok()
    client("cp", f"{site}/index.html", "seeds-cp:/etc/renamed").ok()
    client("cp", "seeds-cp:/srv", str(tmp_path / "back")).ok()
    names = sorted(str(path.relative_to(tmp_path / "back")) for path in tmp_path.rglob("back/**/*"))
    site_names = ["index.html", "sub", "sub/link"]
    assert names == sorted([*site_names, "site", *(f"site/{name}" for name in site_names)])
    assert (tmp_path / "back" / "sub" / "link").readlink() == Path("../index.html")
    client("start", container).ok()
    kept = client.say(
        "exec", container, "stat", "-c", "%a %u:%g", "/etc/renamed", "/etc/index.html"
    )
    assert kept == "640 0:0\n640 0:0"
    client("exec", container, "chown", "12:34", "/etc/renamed").ok()
    stream = client.engine.api(
        "GET", "/containers/seeds-cp/archive", query={"path": "/etc/renamed"}
    ).ok(200)
    done = client("cp", "seeds-cp:/etc/renamed", "-", timeout_s=30).ok()
    assert done.out.encode() == stream.body
    with tarfile.open(fileobj=io.BytesIO(stream.body)) as archive:
        [member] = archive
        assert (member.name, member.uid, member.gid) == ("renamed", 12, 34)
    client("cp", "-", "seeds-cp:/tmp", stdin=stream.body).ok()
    assert client.say("exec", container, "cat", "/tmp/renamed") == "<p>"
    owner = ("exec", container, "stat", "-c", "%u:%g")
    assert client.say(*owner, "/tmp/renamed") == "12:34"
    os.chown(site / "index.html", 56, 78)
    client("cp", "-a", f"{site}/index.html", "seeds-cp:/tmp/owned").ok()
    assert client.say(*owner, "/tmp/owned") == "56:78"


@pytest.mark.seed("S056")
def test_diff_tells_what_was_added_changed_and_deleted(client: Client) -> None:
    image = client.engine.ensure_test_image()
    script = (
        "mkdir /new /new/dir; echo x > /new/dir/file; echo more >> /etc/passwd; "
        "rm /etc/group; rm -r /home/app; rmdir /var/www; mkdir /var/www; touch /var/www/x"
    )
    container = client.say("run", "-d", image, "sh", "-c", f"{script}; exec sleep 1000")
    expected = [
        "A /new",
        "A /new/dir",
        "A /new/dir/file",
        "A /var/www/x",
        "C /etc",
        "C /etc/passwd",
        "C /home",
        "C /var",
        "C /var/www",
        "D /etc/group",
        "D /home/app",
    ]

    def changes() -> list[str]:
        return client.say("container", "diff", container).splitlines()

    eventually(lambda: "A /var/www/x" in changes(), "it has written")
    told = changes()
    assert sorted(told) == expected
    paths = [line.split(" ", 1)[1] for line in told]
    assert paths.index("/new") < paths.index("/new/dir") < paths.index("/new/dir/file")
    client("rm", "-f", container).ok()
    assert client.say("diff", client.say("create", image)) == ""
