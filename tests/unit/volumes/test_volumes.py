"""Which volumes there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from naru import faults
from naru.clock import SystemClock
from naru.db.database import Database
from naru.errors import ConflictError, FaultError, InvalidInputError, NotFoundError
from naru.volumes.model import Volume
from naru.volumes.volumes import Volumes


@pytest.fixture
def volumes(tmp_path: Path) -> Volumes:
    made = Volumes(tmp_path / "volumes", Database(tmp_path / "naru.db"), SystemClock())
    made.repair()
    return made


def _content(volume: Volume) -> Path:
    assert volume.mountpoint is not None
    return volume.mountpoint


def test_create_twice_gives_the_same_volume(volumes: Volumes) -> None:
    first = volumes.create("data", "local", {}, {"a": "b"})
    assert volumes.create("data", "local", {}, {"other": "labels"}) == first
    assert _content(first).is_dir()
    assert _content(first).name == "_data"
    assert volumes.list() == [first]
    assert volumes.uses.mount("data", "me") == first.mountpoint


@pytest.mark.parametrize("name", ["", "a"])
def test_a_short_name_is_refused_in_dockers_words(volumes: Volumes, name: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        volumes.create(name)
    assert caught.value.message == (
        f"create {name}: volume name is too short, names should be at least two alphanumeric "
        "characters"
    )


@pytest.mark.parametrize("name", ["a/b", " x", "../x", ".x", "-x", "a b", "ab\n", "é" * 2, "a\0b"])
def test_a_name_that_is_a_path_is_refused_in_dockers_words(volumes: Volumes, name: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        volumes.create(name)
    assert caught.value.message == (
        f'create {name}: "{name}" includes invalid characters for a local volume name, only '
        '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use '
        "absolute path"
    )


def test_an_unknown_driver_is_refused_in_dockers_words(volumes: Volumes) -> None:
    with pytest.raises(NotFoundError) as caught:
        volumes.create("data", "nosuch")
    assert caught.value.message == (
        'create data: error looking up volume plugin nosuch: plugin "nosuch" not found'
    )


def test_wrong_options_leave_nothing(volumes: Volumes) -> None:
    with pytest.raises(InvalidInputError, match=r'^create data: invalid option: "size2"$'):
        volumes.create("data", options={"size2": "1"})
    assert volumes.get("data") is None
    assert volumes.list() == []


def test_a_volume_in_use_is_not_removed(volumes: Volumes) -> None:
    volumes.create("data")
    with pytest.raises(ConflictError) as caught:
        volumes.remove("data", users=["c1", "c2"], force=True)
    assert caught.value.message == "remove data: volume is in use - [c1, c2]"
    assert volumes.get("data") is not None


def test_remove_deletes_the_content(volumes: Volumes) -> None:
    path = _content(volumes.create("data"))
    (path / "deep").mkdir()
    (path / "deep" / "file").write_text("x")
    (path / "link").symlink_to("/etc")
    volumes.remove("data")
    assert not path.parent.exists()
    assert Path("/etc/passwd").exists()
    assert volumes.get("data") is None


def test_a_removal_does_not_take_the_next_volume_of_the_name(
    volumes: Volumes, monkeypatch: pytest.MonkeyPatch
) -> None:
    volumes.create("data")
    local = volumes._drivers.local
    remove = local.remove

    def slow(folder: Path) -> None:
        monkeypatch.setattr(local, "remove", remove)
        # While one removal is at work there is nothing to remove for another.
        with pytest.raises(NotFoundError):
            volumes.remove("data")
        volumes.remove("data", force=True)
        assert folder.is_dir()
        remove(folder)

    monkeypatch.setattr(local, "remove", slow)
    volumes.remove("data")
    (_content(volumes.create("data")) / "file").touch()
    with pytest.raises(ConflictError, match=r"^volume data is not empty$"):
        volumes.remove("data", if_empty=True)
    volumes.remove("data")


def test_what_does_not_exist_is_said(volumes: Volumes) -> None:
    for call in (
        lambda: volumes.uses.mount("nosuch", "me"),
        lambda: volumes.usage("nosuch"),
        lambda: volumes.remove("nosuch"),
        lambda: volumes.inspect("nosuch"),
    ):
        with pytest.raises(NotFoundError, match=r"^get nosuch: no such volume$"):
            call()
    volumes.remove("nosuch", force=True)


def test_usage_counts_bytes(volumes: Volumes) -> None:
    (_content(volumes.create("data")) / "file").write_bytes(bytes(1000))
    assert volumes.usage("data") == 1000


def test_a_create_that_fails_leaves_nothing(volumes: Volumes, tmp_path: Path) -> None:
    faults.arm("volumes.create.after_row", "raise")
    with pytest.raises(FaultError):
        volumes.create("data")
    assert volumes.get("data") is None
    assert not (tmp_path / "volumes" / "data").exists()


@pytest.mark.parametrize("step", ["noted", "half"])
def test_a_remove_that_was_cut_short_is_finished_by_repair(
    volumes: Volumes, tmp_path: Path, step: str
) -> None:
    volumes.create("data")
    faults.arm(f"volumes.remove.{step}", "raise")
    with pytest.raises(FaultError):
        volumes.remove("data")
    assert volumes.get("data") is None
    assert volumes.list() == []
    with pytest.raises(ConflictError, match="being removed"):
        volumes.create("data")
    volumes.repair()
    assert not (tmp_path / "volumes" / "data").exists()
    volumes.create("data")


def test_repair_makes_directories_that_are_missing(volumes: Volumes) -> None:
    path = _content(volumes.create("data"))
    path.rmdir()
    path.parent.rmdir()
    volumes.repair()
    assert path.is_dir()


def test_repair_takes_up_data_that_has_no_row(volumes: Volumes, tmp_path: Path) -> None:
    content = tmp_path / "volumes" / "precious" / "_data"
    content.mkdir(parents=True)
    (content / "file").write_text("x")
    (tmp_path / "volumes" / "not-one").mkdir()
    volumes.repair()
    volumes.repair()
    assert [volume.name for volume in volumes.list()] == ["precious"]
    assert (content / "file").read_text() == "x"


def test_a_content_that_cannot_be_made_says_why(volumes: Volumes) -> None:
    volumes.create("data")

    def fill(_fresh: Path) -> None:
        raise OSError("Quotas are gone")

    with pytest.raises(FaultError, match=r"^fill volume data: quotas are gone$"):
        volumes.replace_content("data", fill)
