"""`-v …:U`: what is mounted belongs to the container's user, and on disk to whom it did."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import narud
from harness.engine import Engine
from harness.narud import EngineUnderTest
from harness.requirements import requires
from harness.subordinates import subordinate_account

pytestmark = [requires("root"), pytest.mark.naru_only]
_LOOK = "cd /d; stat -c '%u:%g %n' . *"


@pytest.fixture
def owned(engine: Engine, tmp_path: Path) -> Iterator[Path]:
    """Give a host's folder of 500:600, with a file of its owner's and one of somebody else's."""
    folder = tmp_path / "owned"
    folder.mkdir()
    for name, owner in (("mine", (500, 600)), ("theirs", (7, 8))):
        (folder / name).write_text(name)
        os.chown(folder / name, *owner)
    os.chown(folder, 500, 600)
    folder.chmod(0o700)
    yield folder
    engine.remove_all()
    engine.api("DELETE", "/volumes/owned-test").ok(204, 404)


def _owners(path: Path) -> dict[str, tuple[int, int]]:
    return {
        name: (os.stat(path / name).st_uid, os.stat(path / name).st_gid)
        for name in sorted(os.listdir(path))
    }


def test_a_bind_belongs_to_the_user_and_keeps_its_owners_on_disk(
    engine: Engine, owned: Path
) -> None:
    host = {"Binds": [f"{owned}:/d:U"]}
    done = engine.sh(f"touch /d/new; {_LOOK}", host=host, User="1000:2000")
    assert done.out.splitlines() == ["1000:2000 .", "1000:2000 mine", "1000:2000 new", "7:8 theirs"]
    assert _owners(owned) == {"mine": (500, 600), "new": (500, 600), "theirs": (7, 8)}
    [mount] = engine.inspect(done.id)["Mounts"]
    assert (mount["Mode"], mount["Source"], mount["RW"]) == ("U", str(owned), True)
    # Each container sees its own user; the command takes the option, too.
    words = ("run", "--rm", "-u", "1234", "-v", f"{owned}/mine:/d/mine:ro,U", "busybox")
    for program in (engine.docker, engine.naru):
        done_there = program(*words, "sh", "-c", "stat -c %u /d/mine; echo > /d/mine")
        assert done_there.out == "1234\n"
        assert "Read-only file system" in done_there.err
    assert (owned / "mine").read_text() == "mine"


def test_a_volume_belongs_to_each_of_its_users(engine: Engine, owned: Path) -> None:
    host = {"Binds": ["owned-test:/d:U,nocopy"]}
    first = engine.sh(f"touch /d/1000; {_LOOK}", host=host, User="1000:2000")
    assert {line.split()[0] for line in first.out.splitlines()} == {"1000:2000"}
    second = engine.sh(f"touch /d/3000; {_LOOK}", host=host, User="3000")
    assert {line.split()[0] for line in second.out.splitlines()} == {"3000:0"}
    place = Path(engine.api("GET", "/volumes/owned-test").ok(200).json()["Mountpoint"])
    assert set(_owners(place).values()) == {(0, 0)}
    inherited = engine.sh(f"stat -c %u /d; {_LOOK}", host={"VolumesFrom": [second.id]}, User="3000")
    assert inherited.out.splitlines()[0] == "3000"


def test_what_cannot_be_given_is_refused(engine: Engine, owned: Path) -> None:
    answer = engine.api(
        "POST",
        f"/containers/{engine.create('true', host={'Binds': ['/proc/sys:/d:U']}, User='5')}/start",
    )
    assert answer.status == 400
    assert "cannot be given to the container's user (option U)" in answer.message
    twice = engine.ask_to_create(host={"Binds": [f"{owned}:/d:U,U"]})
    assert (twice.status, twice.message) == (400, "invalid mode: U,U")


def test_in_user_namespaces_it_is_the_users_of_the_namespace(tmp_path: Path) -> None:
    with subordinate_account() as setting:
        engine: EngineUnderTest = narud.started([f"--userns-remap={setting}"])
        try:
            (tmp_path / "d").mkdir()
            os.chown(tmp_path / "d", 500, 600)
            tmp_path.chmod(0o711)
            for bind in (f"{tmp_path / 'd'}:/d:U", "owned-test:/d:U"):
                done = engine.sh(f"touch /d/new; {_LOOK}", host={"Binds": [bind]}, User="1000:2000")
                assert done.out.splitlines() == ["1000:2000 .", "1000:2000 new"], done.err
            assert _owners(tmp_path / "d") == {"new": (500, 600)}
            place = Path(engine.api("GET", "/volumes/owned-test").ok(200).json()["Mountpoint"])
            assert _owners(place) == {"new": (0, 0)}
        finally:
            engine.destroy()
