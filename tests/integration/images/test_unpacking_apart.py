"""Layers that a process of its own unpacks: nothing is different but who does it."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from fakes.fake_registry import FakeRegistry
from harness.archives import Tree, docker_archive, image_config, oci_archive
from harness.image_store import Store
from harness.requirements import requires
from harness.waiting import eventually
from naru.errors import CorruptDataError, FaultError, InvalidInputError, NaruError
from naru.images.layers import apart, unpack
from naru.images.layers.apart import apply_apart
from naru.images.layers.arrival import Arrival
from naru.images.pull import pull
from naru.linux import process
from naru.linux.mount import MS_BIND, Mount
from naru.oci.digest import digest_bytes
from naru.oci.reference import Reference
from naru.store.tree import NeedsParentError
from suites import raw_tar as raw

pytestmark = requires("root")

BASE = Tree().directory("etc").file("etc/base", b"base\n").file("gone", b"x").tar()
UPPER = Tree().file("etc/upper", b"upper\n").file(".wh.gone").tar()


def children() -> list[int]:
    """Return the processes that unpack for us."""
    tasks = Path("/proc/self/task")
    pids = " ".join((task / "children").read_text() for task in tasks.iterdir()).split()
    return [int(pid) for pid in pids if b"apart_main" in Path("/proc", pid, "cmdline").read_bytes()]


@pytest.fixture
def _all_apart(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let no layer be too small for a process."""
    monkeypatch.setattr(unpack, "LARGE", -1)
    yield
    assert children() == []


@pytest.fixture
def target(tmp_path: Path) -> Path:
    made = tmp_path / "tree"
    made.mkdir()
    return made


@pytest.fixture
def coming(tmp_path: Path) -> Iterator[tuple[Arrival, Path]]:
    """Give an arrival that has begun, and the file that it comes into."""
    path = tmp_path / "blob"
    path.touch()
    arrival = Arrival()
    arrival.begin(path.open("rb", buffering=0), 0)
    yield arrival, path
    arrival.close()


def bring(coming: tuple[Arrival, Path], data: bytes) -> None:
    arrival, path = coming
    with path.open("ab") as file:
        file.write(data)
    arrival.grow(path.stat().st_size)


def mounted(target: Path) -> list[Mount]:
    return [Mount(type="bind", source=str(target), flags=MS_BIND)]


@pytest.mark.usefixtures("_all_apart")
class TestOfImages:
    """What loads and pulls promise holds."""

    @pytest.mark.parametrize(
        "archive",
        [docker_archive(["x:1"], [BASE, UPPER]), oci_archive("x:1", [BASE, UPPER])],
        ids=["plain", "gzip"],
    )
    async def test_a_loaded_image_is_the_same(self, store: Store, archive: bytes) -> None:
        await store.load(archive)
        assert store.read("x:1", "etc/base") == b"base\n"
        assert store.read("x:1", "etc/upper") == b"upper\n"
        assert store.read("x:1", "gone") is None
        assert store.services.leases.leases() == []

    async def test_a_bad_layer_leaves_nothing_and_says_the_same(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = store.footprint()
        escape = raw.archive(raw.member("../x", b"out"))
        messages = []
        for large in (-1, 1 << 30):
            monkeypatch.setattr(unpack, "LARGE", large)
            with pytest.raises(InvalidInputError) as caught:
                await store.load(docker_archive(["x:1"], [escape]))
            messages.append(str(caught.value))
            assert store.footprint() == before
        assert messages[0] == messages[1]

    async def test_a_pulled_image_is_the_same(self, store: Store) -> None:
        async with FakeRegistry() as registry:
            packed = [gzip.compress(layer, mtime=0) for layer in (BASE, UPPER)]
            registry.add_image("x", "1", image_config([BASE, UPPER], {}), packed)
            await self._pull(store, registry)
            assert store.read(f"{registry.host}/x:1", "etc/upper") == b"upper\n"
            assert store.read(f"{registry.host}/x:1", "gone") is None
        assert store.services.leases.leases() == []

    async def test_a_pulled_layer_with_another_diff_id_is_refused(self, store: Store) -> None:
        before = store.footprint()
        async with FakeRegistry() as registry:
            config = image_config([BASE, BASE], {})
            packed = [gzip.compress(layer, mtime=0) for layer in (BASE, UPPER)]
            registry.add_image("x", "1", config, packed)
            with pytest.raises(CorruptDataError, match="invalid diffID for layer 1"):
                await self._pull(store, registry)
        store.services.garbage.collect()
        assert store.footprint() == before

    @staticmethod
    async def _pull(store: Store, registry: FakeRegistry) -> None:
        name = Reference.parse(f"{registry.host}/x:1")
        await pull(store.services, name, platform=None, auth=None, report=lambda _: None)


class TestOfOneLayer:
    """The process itself."""

    @pytest.mark.parametrize("is_hashed", [True, False])
    def test_it_unpacks_what_comes_piece_by_piece(
        self, coming: tuple[Arrival, Path], target: Path, *, is_hashed: bool
    ) -> None:
        seen: list[int] = []

        def rest() -> None:
            for start in range(700, len(BASE), 700):
                eventually(partial(seen.__contains__, start), "it is read so far")
                bring(coming, BASE[start : start + 700])
            coming[0].end()

        bring(coming, BASE[:700])
        thread = threading.Thread(target=rest)
        thread.start()
        digest, applied = apply_apart(
            coming[0], mounted(target), is_hashed=is_hashed, moved=seen.append
        )
        thread.join()
        assert digest == (digest_bytes(BASE) if is_hashed else "")
        assert (applied.entries, applied.size, applied.has_root) == (3, 6, False)
        assert (target / "etc/base").read_bytes() == b"base\n"
        assert seen[-1] == len(BASE)

    def test_a_file_that_is_begun_anew_is_read_to_its_end(
        self, coming: tuple[Arrival, Path], target: Path
    ) -> None:
        arrival, path = coming
        bring(coming, BASE[:1500])

        def restarted(position: int) -> None:
            if position == 1500:
                os.truncate(path, 0)
                arrival.grow(0)
                bring(coming, BASE)
                arrival.end()

        digest, _ = apply_apart(arrival, mounted(target), is_hashed=True, moved=restarted)
        assert digest == digest_bytes(BASE)
        assert (target / "gone").read_bytes() == b"x"

    def test_what_is_cut_off_is_of_no_use(self, coming: tuple[Arrival, Path], target: Path) -> None:
        bring(coming, BASE[:1500])
        coming[0].end()
        with pytest.raises(CorruptDataError, match="cut off"):
            apply_apart(coming[0], mounted(target), is_hashed=False)

    def test_the_failure_of_who_brings_it_is_told(
        self, coming: tuple[Arrival, Path], target: Path
    ) -> None:
        bring(coming, BASE[:1500])
        threading.Timer(0.1, coming[0].end, [CorruptDataError("other bytes")]).start()
        with pytest.raises(CorruptDataError, match="other bytes"):
            apply_apart(coming[0], mounted(target), is_hashed=False)

    def test_a_layer_that_needs_its_parent_says_so(
        self, coming: tuple[Arrival, Path], target: Path
    ) -> None:
        bring(coming, UPPER)
        coming[0].end()
        with pytest.raises(NeedsParentError):
            apply_apart(coming[0], mounted(target), alone=True, is_hashed=False)

    def test_who_does_not_want_it_any_more_ends_it(
        self, coming: tuple[Arrival, Path], target: Path
    ) -> None:
        def over(_: int) -> None:
            raise FaultError("the pull is over")

        bring(coming, BASE[:1500])
        with pytest.raises(FaultError, match="the pull is over"):
            apply_apart(coming[0], mounted(target), is_hashed=False, moved=over)
        assert children() == []

    def test_its_sudden_death_is_a_failure(
        self, coming: tuple[Arrival, Path], target: Path
    ) -> None:
        def kill(_: int) -> None:
            os.kill(children()[0], signal.SIGKILL)

        bring(coming, BASE[:1500])
        with pytest.raises(FaultError, match=f"ended with status -{int(signal.SIGKILL)}"):
            apply_apart(coming[0], mounted(target), is_hashed=False, moved=kill)

    def test_every_failure_of_a_layer_has_its_kind_here(self) -> None:
        for kind in (CorruptDataError, FaultError, InvalidInputError, NeedsParentError):
            assert apart.KINDS[kind.__name__] is kind
        assert all(issubclass(kind, NaruError) for kind in apart.KINDS.values())


def test_it_dies_with_the_engine(tmp_path: Path) -> None:
    """Kill a process that has a layer unpacked, and look for the one that unpacks it."""
    program = f"""
import sys
from pathlib import Path
from naru.images.layers.apart import apply_apart
from naru.images.layers.arrival import Arrival
from naru.linux.mount import Mount

blob = Path({str(tmp_path / "blob")!r})
blob.write_bytes(bytes(512))
arrival = Arrival()
arrival.begin(blob.open("rb", buffering=0), 100)
mounts = [Mount(type="bind", source={str(tmp_path)!r})]
apply_apart(arrival, mounts, is_hashed=False, moved=lambda _: print("reads", flush=True))
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as engine:
        assert engine.stdout is not None
        assert engine.stdout.readline() == b"reads\n"
        (pid,) = Path(f"/proc/{engine.pid}/task/{engine.pid}/children").read_text().split()
        started = process.start_time(int(pid))
        assert started is not None
        engine.kill()
    eventually(lambda: not process.is_alive(int(pid), started), "it is gone")
