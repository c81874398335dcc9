"""Reading repositories of a registry that misbehaves, over real HTTP on loopback."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import aiohttp
import pytest

from fakes.fake_clock import FakeClock
from fakes.fake_registry import FakeRegistry, digest_of
from fakes.memory_sink import MemorySink
from naru.distribution import session
from naru.distribution.auth import RegistryAuth
from naru.distribution.fetch import RemoteRepository
from naru.distribution.hosts import HostsConfig
from naru.distribution.session import HttpClient, RegistryUnreachableError
from naru.errors import CorruptDataError, FaultError, UnauthenticatedError
from naru.oci.descriptor import Descriptor
from naru.oci.digest import Digest
from naru.oci.distribution_errors import (
    BlobUnknownError,
    DeniedError,
    ManifestUnknownError,
    NameUnknownError,
    UnauthorizedError,
)

MANIFEST = b'{"schemaVersion":2}'


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def repository(
    client: HttpClient,
    registry: FakeRegistry,
    clock: FakeClock,
    auth: RegistryAuth | None = None,
    name: str = "x",
) -> RemoteRepository:
    return RemoteRepository(client, registry.host, name, auth, clock)


def descriptor(data: bytes) -> Descriptor:
    return Descriptor(digest=Digest(digest_of(data)), size=len(data))


async def fetched(remote: RemoteRepository, data: bytes, sink: MemorySink | None = None) -> bytes:
    sink = sink or MemorySink()
    await remote.blob(descriptor(data), sink, lambda _: None)
    return bytes(sink.data)


async def test_manifest_by_tag_and_by_digest(client: HttpClient, clock: FakeClock) -> None:
    async with FakeRegistry() as registry:
        digest = registry.put_manifest("x", "1", MANIFEST)
        remote = repository(client, registry, clock)
        assert await remote.head_manifest("1") == digest
        for name in ("1", digest):
            found = await remote.manifest(name)
            assert (found.raw, found.digest) == (MANIFEST, digest)


async def test_plain_http_on_loopback_needs_no_setting(
    client: HttpClient, clock: FakeClock
) -> None:
    async with FakeRegistry() as registry:
        registry.put_manifest("x", "1", MANIFEST)
        await repository(client, registry, clock).manifest("1")
    assert clock.slept == []


async def test_unknown_tag_and_repository_are_told_apart(
    client: HttpClient, clock: FakeClock
) -> None:
    async with FakeRegistry() as registry:
        registry.put_manifest("x", "1", MANIFEST)
        with pytest.raises(ManifestUnknownError, match=r"^manifest unknown: manifest unknown$"):
            await repository(client, registry, clock).manifest("2")
        with pytest.raises(NameUnknownError):
            await repository(client, registry, clock, name="y").manifest("1")


async def test_manifest_with_wrong_digest_is_refused(client: HttpClient, clock: FakeClock) -> None:
    async with FakeRegistry() as registry:
        digest = registry.put_manifest("x", "1", MANIFEST)
        registry.manifests["x", digest] = (MANIFEST + b" ", "")
        remote = repository(client, registry, clock)
        with pytest.raises(CorruptDataError):
            await remote.manifest(digest)
        registry.faults.wrong_manifest_digest = True
        with pytest.raises(CorruptDataError):
            await remote.manifest("1")


async def test_endless_manifest_is_refused(client: HttpClient, clock: FakeClock) -> None:
    async with FakeRegistry() as registry:
        registry.put_manifest("x", "1", bytes(5 << 20))
        with pytest.raises(FaultError, match="longer than"):
            await repository(client, registry, clock).manifest("1")


async def test_tags_come_over_many_pages(client: HttpClient, clock: FakeClock) -> None:
    async with FakeRegistry() as registry:
        registry.page_size = 2
        for number in range(5):
            registry.put_manifest("x", f"t{number}", MANIFEST)
        assert await repository(client, registry, clock).tags() == [f"t{n}" for n in range(5)]


async def test_basic_auth_needs_the_right_login(client: HttpClient, clock: FakeClock) -> None:
    async with FakeRegistry(auth="basic", users={"me": "pw"}) as registry:
        registry.put_manifest("x", "1", MANIFEST)
        await repository(client, registry, clock, RegistryAuth("me", "pw")).manifest("1")
        with pytest.raises(UnauthorizedError, match="unauthorized: authentication required"):
            await repository(client, registry, clock, RegistryAuth("me", "no")).manifest("1")
        with pytest.raises(UnauthenticatedError, match="no basic auth credentials"):
            await repository(client, registry, clock).manifest("1")


async def test_bearer_auth_buys_one_token(client: HttpClient, clock: FakeClock) -> None:
    async with FakeRegistry(auth="bearer", users={"me": "pw"}) as registry:
        blob = b"data"
        registry.add_blob(blob)
        registry.put_manifest("x", "1", MANIFEST)
        remote = repository(client, registry, clock, RegistryAuth("me", "pw"))
        await remote.manifest("1")
        assert await fetched(remote, blob) == blob
        assert [r["scope"] for r in registry.token_requests] == ["repository:x:pull"]


async def test_token_that_was_revoked_is_renewed_once(client: HttpClient, clock: FakeClock) -> None:
    async with FakeRegistry(auth="bearer", public=True) as registry:
        registry.put_manifest("x", "1", MANIFEST)
        remote = repository(client, registry, clock)
        await remote.manifest("1")
        registry.tokens.clear()
        await remote.manifest("1")
        assert len(registry.token_requests) == 2


async def test_token_without_the_right_is_denied(client: HttpClient, clock: FakeClock) -> None:
    async with FakeRegistry(auth="bearer") as registry:
        registry.put_manifest("x", "1", MANIFEST)
        with pytest.raises(DeniedError, match="denied: requested access to the resource is denied"):
            await repository(client, registry, clock).manifest("1")


async def test_wrong_password_at_the_token_service(client: HttpClient, clock: FakeClock) -> None:
    async with FakeRegistry(auth="bearer", users={"me": "pw"}) as registry:
        with pytest.raises(UnauthenticatedError, match="incorrect username or password"):
            await repository(client, registry, clock, RegistryAuth("me", "no")).manifest("1")


async def test_an_identity_token_stands_for_a_login(client: HttpClient, clock: FakeClock) -> None:
    async with FakeRegistry(auth="bearer", identity_token="id") as registry:
        registry.put_manifest("x", "1", MANIFEST)
        auth = RegistryAuth(identity_token="id")
        assert (await repository(client, registry, clock, auth).manifest("1")).raw == MANIFEST


async def test_blob_goes_on_after_a_cut(client: HttpClient, clock: FakeClock) -> None:
    data = os.urandom(3 << 20)
    async with FakeRegistry() as registry:
        digest = registry.add_blob(data)
        registry.faults.cut_after[digest] = [1 << 20, 700_000]
        assert await fetched(repository(client, registry, clock), data) == data
        ranges = [
            headers.get("Range", "") for _, path, headers in registry.requests if "blobs" in path
        ]
    assert ranges[0] == ""
    assert all(wanted.startswith("bytes=") for wanted in ranges[1:])
    assert len(ranges) == 3


async def test_server_that_ignores_ranges_is_skipped_over(
    client: HttpClient, clock: FakeClock
) -> None:
    data = os.urandom(100_000)
    async with FakeRegistry() as registry:
        registry.add_blob(data)
        registry.faults.ignore_range = True
        sink = MemorySink(data[:40_000])
        assert await fetched(repository(client, registry, clock), data, sink) == data


@pytest.mark.parametrize(("fault", "value"), [("refuse_range", True), ("shift_range", 7)])
async def test_server_that_gives_no_ranges_is_asked_for_the_whole(
    client: HttpClient, clock: FakeClock, fault: str, value: object
) -> None:
    data = os.urandom(100_000)
    async with FakeRegistry() as registry:
        registry.add_blob(data)
        setattr(registry.faults, fault, value)
        sink = MemorySink(data[:40_000])
        assert await fetched(repository(client, registry, clock), data, sink) == data
        wanted = [headers.get("Range") for _, path, headers in registry.requests if "blobs" in path]
        assert wanted == ["bytes=40000-", None]
    assert clock.slept == []


async def test_blob_of_another_size_is_not_waited_for(client: HttpClient, clock: FakeClock) -> None:
    data = b"x" * 1000
    async with FakeRegistry() as registry:
        digest = registry.add_blob(data)
        for sent, sink in (
            (data[:-1], MemorySink()),
            (data[:-1], MemorySink(data[:10])),
            (data * 2, None),
        ):
            registry.faults.wrong_bytes[digest] = sent
            with pytest.raises(
                CorruptDataError, match=f"has {len(sent)} bytes, 1000 were expected"
            ):
                await fetched(repository(client, registry, clock), data, sink)
    assert clock.slept == []


async def test_layer_that_the_registry_lacks_comes_from_its_urls(
    client: HttpClient, clock: FakeClock
) -> None:
    data = os.urandom(3 << 20)
    async with (
        FakeRegistry(auth="basic", users={"me": "pw"}) as registry,
        FakeRegistry() as elsewhere,
    ):
        digest = elsewhere.add_blob(data)
        elsewhere.faults.cut_after[digest] = [2 << 20]
        blobs = f"http://{elsewhere.host}/v2/x/blobs"
        useless = ("ftp://nowhere/x", f"{blobs}/{'0' * 64}")
        remote = repository(client, registry, clock, RegistryAuth("me", "pw"))
        wanted = Descriptor(digest=Digest(digest), size=len(data), urls=useless)
        with pytest.raises(BlobUnknownError):
            await remote.blob(wanted, MemorySink(), lambda _: None)
        urls = (*useless, f"{blobs}/{digest}")
        sink = MemorySink()
        wanted = Descriptor(digest=Digest(digest), size=len(data), urls=urls)
        await remote.blob(wanted, sink, lambda _: None)
        assert sink.data == data
        asked = [headers for _, path, headers in elsewhere.requests if path.endswith(digest)]
        assert [headers.get("Range", "")[:6] for headers in asked] == ["", "bytes="]
        assert all("Authorization" not in headers for headers in asked)


async def test_whole_blob_is_not_asked_for_again(client: HttpClient, clock: FakeClock) -> None:
    async with FakeRegistry() as registry:
        assert (
            await fetched(repository(client, registry, clock), b"abc", MemorySink(b"abc")) == b"abc"
        )
        assert registry.requests == []


async def test_too_long_blob_is_cut_short(client: HttpClient, clock: FakeClock) -> None:
    data = b"x" * 1000
    async with FakeRegistry() as registry:
        digest = registry.add_blob(data)
        registry.faults.wrong_bytes[digest] = data * 2
        with pytest.raises(CorruptDataError, match="has 2000 bytes, 1000 were expected"):
            await fetched(repository(client, registry, clock), data)


async def test_blob_that_always_breaks_off_is_given_up(
    client: HttpClient, clock: FakeClock
) -> None:
    data = os.urandom(1000)
    async with FakeRegistry() as registry:
        digest = registry.add_blob(data)
        registry.faults.cut_after[digest] = [10] * 50
        with pytest.raises(RegistryUnreachableError):
            await fetched(repository(client, registry, clock), data)
        assert len(registry.faults.cut_after[digest]) >= 40


async def test_an_unknown_blob_is_an_error(client: HttpClient, clock: FakeClock) -> None:
    async with FakeRegistry() as registry:
        with pytest.raises(BlobUnknownError):
            await fetched(repository(client, registry, clock), b"abc")


async def test_overload_is_waited_out_with_growing_pauses(
    client: HttpClient, clock: FakeClock
) -> None:
    async with FakeRegistry() as registry:
        registry.put_manifest("x", "1", MANIFEST)
        registry.faults.statuses["/manifests/1"] = [503, 500, 502]
        await repository(client, registry, clock).manifest("1")
    assert clock.slept == [1, 2, 4]


async def test_retry_after_is_obeyed_within_reason(client: HttpClient, clock: FakeClock) -> None:
    async with FakeRegistry() as registry:
        registry.put_manifest("x", "1", MANIFEST)
        registry.faults.statuses["/manifests/1"] = [429]
        registry.faults.retry_after = "7"
        await repository(client, registry, clock).manifest("1")
        registry.faults.statuses["/manifests/1"] = [429]
        registry.faults.retry_after = "86400"
        await repository(client, registry, clock).manifest("1")
        registry.faults.statuses["/manifests/1"] = [503]
        registry.faults.retry_after = format_datetime(
            datetime.now(UTC) + timedelta(seconds=12), usegmt=True
        )
        await repository(client, registry, clock).manifest("1")
    # That of the clock is years behind the registry's.
    assert clock.slept == [7, 30, pytest.approx(12, abs=2)]


async def test_registry_that_stays_broken_is_given_up(client: HttpClient, clock: FakeClock) -> None:
    async with FakeRegistry() as registry:
        registry.faults.statuses["/manifests/1"] = [500] * 50
        with pytest.raises(FaultError, match="received unexpected HTTP status: 500"):
            await repository(client, registry, clock).manifest("1")
        assert len(registry.faults.statuses["/manifests/1"]) == 45


async def test_a_registry_that_is_not_there_is_told_in_gos_words(
    client: HttpClient, clock: FakeClock
) -> None:
    remote = RemoteRepository(client, "127.0.0.1:1", "x", None, clock)
    words = (
        r'^Get "http://127\.0\.0\.1:1/v2/": dial tcp 127\.0\.0\.1:1: connect: connection refused$'
    )
    with pytest.raises(RegistryUnreachableError, match=words):
        await remote.manifest("1")


async def test_mirror_is_asked_first_and_sees_no_password(clock: FakeClock) -> None:
    async with FakeRegistry() as mirror, FakeRegistry(auth="basic", users={"me": "pw"}) as origin:
        mirror.put_manifest("x", "1", MANIFEST)
        origin.put_manifest("x", "2", MANIFEST)
        client = HttpClient(HostsConfig(mirrors=(f"{origin.host}=http://{mirror.host}",)))
        remote = repository(client, origin, clock, RegistryAuth("me", "pw"))
        assert (await remote.manifest("1")).raw == MANIFEST
        assert origin.requests == []
        assert (await remote.manifest("2")).raw == MANIFEST
        assert mirror.requests
        assert not any("Authorization" in headers for _, _, headers in mirror.requests)
        await client.close()


async def test_dead_mirror_does_not_hold_up_the_pull(clock: FakeClock) -> None:
    async with FakeRegistry() as mirror, FakeRegistry() as origin:
        origin.put_manifest("x", "1", MANIFEST)
        mirror.faults.statuses["/manifests/1"] = [500] * 9
        client = HttpClient(
            HostsConfig(
                mirrors=(f"{origin.host}=http://127.0.0.1:1", f"{origin.host}=http://{mirror.host}")
            )
        )
        await repository(client, origin, clock).manifest("1")
        await client.close()
    assert clock.slept == []


async def test_a_blob_that_a_mirror_breaks_off_is_ended_by_the_registry(clock: FakeClock) -> None:
    data = os.urandom(5000)
    async with FakeRegistry() as mirror, FakeRegistry() as origin:
        for registry in (mirror, origin):
            registry.add_blob(data)
        mirror.faults.cut_after[digest_of(data)] = [1000] * 9
        client = HttpClient(HostsConfig(mirrors=(f"{origin.host}=http://{mirror.host}",)))
        assert await fetched(repository(client, origin, clock), data) == data
        await client.close()
        [wanted] = [headers for _, path, headers in origin.requests if "/blobs/" in path]
        assert wanted["Range"] == "bytes=1000-"
        assert len([path for path in mirror.paths() if "/blobs/" in path]) == 1


async def test_a_mirror_that_is_slow_is_left(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = os.urandom(3000)
    patience = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=0.2)
    monkeypatch.setattr(session, "_MIRROR_TIMEOUT", patience)
    async with FakeRegistry() as mirror, FakeRegistry() as origin:
        for registry in (mirror, origin):
            registry.add_blob(data)
        mirror.faults.hang_after[digest_of(data)] = [1000]
        client = HttpClient(HostsConfig(mirrors=(f"{origin.host}=http://{mirror.host}",)))
        assert await fetched(repository(client, origin, clock), data) == data
        assert len([path for path in origin.paths() if "/blobs/" in path]) == 1
        await client.close()


async def test_a_mirror_of_all_is_told_whose_images_it_is_asked_for(clock: FakeClock) -> None:
    async with FakeRegistry() as mirror:
        digest = mirror.put_manifest("team/x", "1", MANIFEST)
        client = HttpClient(HostsConfig(mirrors=(f"*=http://{mirror.host}",)))
        remote = RemoteRepository(client, "quay.example:8443", "team/x", None, clock)
        assert await remote.head_manifest("1") == digest
        assert await remote.tags() == ["1"]
        await client.close()
        told = [query for path, query in mirror.queries if path != "/v2/"]
        assert told == ["ns=quay.example:8443"] * 2


async def test_less_than_what_was_asked_for_is_no_reason_to_ask_again(
    client: HttpClient, clock: FakeClock
) -> None:
    async with FakeRegistry(auth="bearer", users={"me": "pw"}) as registry:
        registry.put_manifest("x", "1", MANIFEST)
        with pytest.raises(DeniedError):
            await repository(client, registry, clock).manifest("1")
        assert len(registry.token_requests) == 1


async def test_new_hosts_count_for_what_is_asked_next(clock: FakeClock) -> None:
    async with FakeRegistry() as mirror, FakeRegistry() as origin:
        for registry in (mirror, origin):
            registry.put_manifest("x", "1", MANIFEST)
        client = HttpClient(HostsConfig())
        await repository(client, origin, clock).manifest("1")
        client.hosts = HostsConfig(mirrors=(f"{origin.host}=http://{mirror.host}",))
        before = len(origin.requests)
        await repository(client, origin, clock).manifest("1")
        await client.close()
        assert len(origin.requests) == before
        assert mirror.paths()[-1] == "/v2/x/manifests/1"
