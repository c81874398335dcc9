"""Pushing: to Debian's docker-registry, and to one that does what it is told."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fakes.fake_registry import digest_of
from fakes.writable_registry import WritableRegistry
from harness.archives import Tree, docker_archive, image_config
from harness.image_store import Store
from harness.registry import Registry, serving
from harness.requirements import requires
from harness.token_server import Account, TokenServer
from naru.distribution import upload_session
from naru.distribution.auth import RegistryAuth
from naru.errors import CorruptDataError, FaultError, InvalidInputError, NaruError, NotFoundError
from naru.images.catalog import Image
from naru.images.checking.inventory import confirmed
from naru.images.pull import pull
from naru.images.push import push
from naru.oci import mediatype
from naru.oci.digest import Digest
from naru.oci.platform import Platform
from naru.oci.reference import Reference

pytestmark = requires("root", "docker-registry", "skopeo")

BASE = Tree().directory("etc").file("etc/base", b"base\n" * 5000).tar()
UPPER = Tree().file("etc/upper", os.urandom(3 << 20)).tar()
TOP = Tree().file("top", b"top\n").file(".wh.none").tar()
LAYERS = [BASE, UPPER, TOP]
_TYPES = {
    "gzip": (mediatype.DOCKER_MANIFEST, mediatype.DOCKER_LAYER_GZIP),
    "zstd": (mediatype.OCI_MANIFEST, mediatype.OCI_LAYER_ZSTD),
}


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    with serving() as running:
        yield running


async def pushed(store: Store, name: str, auth: RegistryAuth | None = None) -> list[dict[str, Any]]:
    """Push, and return the records that are about no bytes."""
    records: list[dict[str, Any]] = []
    await push(store.services, Reference.parse(name), auth=auth, report=records.append)
    return [record for record in records if record.get("status") != "Pushing"]


async def pulled(store: Store, name: str, platform: Platform | None = None) -> Image:
    return await pull(
        store.services, Reference.parse(name), platform=platform, auth=None, report=lambda _: None
    )


async def loaded(store: Store, *names: str, layers: list[bytes] | None = None) -> Image:
    await store.load(docker_archive(names, LAYERS if layers is None else layers))
    return store.services.catalog.resolve(names[0])


def words(records: list[dict[str, Any]]) -> list[str]:
    return [record["status"] for record in records if record.get("id")]


def raw_manifest(name: str) -> bytes:
    argv = ["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{name}"]
    return subprocess.run(argv, check=True, capture_output=True).stdout


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
async def test_pushed_image_comes_back_as_it_was(
    make_store: Callable[..., Store], registry: Registry, compression: str
) -> None:
    ours, theirs = make_store(), make_store()
    ours.services = replace(ours.services, push_compression=compression)
    name = f"{registry.address}/{compression}/x:1"
    image = await loaded(ours, name)
    before = ours.blobs()
    *_, last = await pushed(ours, name)
    manifest = json.loads(raw_manifest(name))
    kind, layer_kind = _TYPES[compression]
    assert manifest["mediaType"] == kind
    assert [layer["mediaType"] for layer in manifest["layers"]] == [layer_kind] * 3
    assert last["aux"]["Digest"] == digest_of(raw_manifest(name))
    at_digest = f"{name.removesuffix(':1')}@{last['aux']['Digest']}"
    assert ours.services.catalog.resolve(name).repo_digests == (at_digest,)
    assert ours.blobs() - before == {last["aux"]["Digest"]}, "no compressed layer is kept"
    assert confirmed(ours.services, tuple, pause=lambda _: None)[1] == [], "nothing is amiss"
    back = await pulled(theirs, name)
    assert (back.id, back.layers, back.repo_digests) == (image.id, image.layers, (at_digest,))
    for path in ("top", "etc/base", "etc/upper"):
        assert theirs.read(name, path) == ours.read(name, path)
    # As dockerd: what was pushed is there when it is pulled, whatever it is called.
    assert (await pulled(ours, at_digest)).id == image.id
    ours.remove(image.id, force=True)
    assert ours.blobs() == set()


async def test_records_say_what_became_of_each_layer(store: Store, registry: Registry) -> None:
    first, second = f"{registry.address}/said/x:1", f"{registry.address}/said/y:2"
    image = await loaded(store, first, second)
    ids = [layer.removeprefix("sha256:")[:12] for layer in reversed(image.layers)]
    all_records: list[dict[str, Any]] = []
    await push(store.services, Reference.parse(first), auth=None, report=all_records.append)
    refers, *about, status, aux = all_records
    assert refers == {"status": f"The push refers to repository [{registry.address}/said/x]"}
    assert about[:3] == [
        {"status": "Preparing", "progressDetail": {}, "id": layer} for layer in ids
    ]
    for layer, tar in zip(ids, reversed(LAYERS), strict=True):
        own = [record for record in about if record["id"] == layer]
        moving = [record["progressDetail"] for record in own if record["status"] == "Pushing"]
        assert moving[-1] == {"current": len(tar), "total": len(tar)}
        assert own[-1] == {"status": "Pushed", "progressDetail": {}, "id": layer}
    digest, size = aux["aux"]["Digest"], aux["aux"]["Size"]
    assert status == {"status": f"1: digest: {digest} size: {size}"}
    assert aux == {"progressDetail": {}, "aux": {"Tag": "1", "Digest": digest, "Size": size}}
    again = await pushed(store, first)
    assert words(again) == ["Preparing"] * 3 + ["Layer already exists"] * 3
    assert again[-2:] == [status, aux]
    mounted = await pushed(store, second)
    assert words(mounted)[3:] == ["Mounted from said/x"] * 3
    assert mounted[-1]["aux"]["Digest"] == digest


async def test_layers_beyond_those_that_go_at_once_wait(store: Store, registry: Registry) -> None:
    store.services = replace(store.services, parallel_uploads=2)
    name = f"{registry.address}/waiting/x:1"
    image = await loaded(store, name)
    records = await pushed(store, name)
    waiting = [record["id"] for record in records if record.get("status") == "Waiting"]
    assert waiting == [image.layers[0].removeprefix("sha256:")[:12]]


async def test_all_tags_of_a_repository_are_pushed(store: Store, registry: Registry) -> None:
    base = f"{registry.address}/tags/x"
    await loaded(store, f"{base}:1", f"{base}:2", f"{registry.address}/tags/other:1")
    await loaded(store, f"{base}:3", layers=[BASE])
    records = await pushed(store, base)
    assert [record["aux"]["Tag"] for record in records if "aux" in record] == ["1", "2", "3"]
    found = subprocess.run(
        ["skopeo", "list-tags", "--tls-verify=false", f"docker://{base}"],
        check=True,
        capture_output=True,
    )
    assert sorted(json.loads(found.stdout)["Tags"]) == ["1", "2", "3"]


async def test_what_is_not_here_is_not_pushed(store: Store) -> None:
    host = "127.0.0.1:1"
    await loaded(store, f"{host}/x:1")
    digest = "sha256:" + "a" * 64
    unreachable = f'^Get "http://{host}/v2/": dial tcp {host}: connect: connection refused$'
    for name, kind, message in (
        ("y:1", NotFoundError, f"^An image does not exist locally with the tag: {host}/y$"),
        ("x:2", NotFoundError, f"^tag does not exist: {host}/x:2$"),
        (f"x@{digest}", InvalidInputError, "^cannot push a digest reference$"),
        ("x:1", FaultError, unreachable),
    ):
        with pytest.raises(kind, match=message):
            await pushed(store, f"{host}/{name}")


async def test_manifest_of_a_pulled_image_keeps_its_bytes(store: Store) -> None:
    async with WritableRegistry() as registry:
        layers = [gzip.compress(layer, 9, mtime=0) for layer in LAYERS]
        digest = registry.add_image("a", "1", image_config(LAYERS, {}), layers)
        image = await pulled(store, f"{registry.host}/a:1")
        target = f"{registry.host}/b:2"
        store.services.catalog.tag(image.id, Reference.parse(target))
        records = await pushed(store, target)
        assert registry.manifests["b", "2"] == registry.manifests["a", "1"]
        assert records[-1]["aux"]["Digest"] == digest
        assert sorted(registry.sent) == sorted(len(blob) for blob in registry.blobs.values())


async def test_layers_that_a_registry_has_plain_stay_so(store: Store) -> None:
    async with WritableRegistry() as registry:
        config = image_config([BASE], {})
        registry.add_image("a", "1", config, [BASE], mediatype.OCI_LAYER)
        base = await pulled(store, f"{registry.host}/a:1")
        # Its name goes, and what was pulled is known all the same.
        target = f"{registry.host}/b:1"
        store.services.catalog.tag(base.id, Reference.parse(target))
        store.remove(f"{registry.host}/a:1")
        await pushed(store, target)
        assert registry.manifests["b", "1"] == registry.manifests["a", "1"]
        # A child is of ours: its own layer is compressed, and its base is mounted.
        await store.load(docker_archive([f"{registry.host}/c:1"], [BASE, TOP]))
        await pushed(store, f"{registry.host}/c:1")
        manifest = json.loads(registry.manifests["c", "1"][0])
        assert next(layer["digest"] for layer in manifest["layers"]) == digest_of(BASE)
        assert manifest["layers"][1]["mediaType"] == mediatype.DOCKER_LAYER_GZIP


async def test_image_out_of_an_index_goes_alone_and_that_is_told(store: Store) -> None:
    async with WritableRegistry() as registry:
        layers = [gzip.compress(BASE, mtime=0)]
        ours = registry.add_image("a", "ours", image_config([BASE], {}), layers)
        index = registry.add_index("a", "1", [(ours, {"os": "linux", "architecture": "amd64"})])
        await pulled(store, f"{registry.host}/a:1", Platform(os="linux", architecture="amd64"))
        *_, last = await pushed(store, f"{registry.host}/a:1")
        assert last["aux"]["manifestPushedInsteadOfIndex"] is True
        assert last["aux"]["originalIndex"]["digest"] == index
        assert last["aux"]["selectedManifest"]["digest"] == ours
        assert registry.manifests["a", "1"] == registry.manifests["a", "ours"]


async def test_image_of_the_same_layer_twice_and_of_none(store: Store, registry: Registry) -> None:
    base = f"{registry.address}/odd"
    await loaded(store, f"{base}/twice:1", layers=[BASE, TOP, BASE])
    await loaded(store, f"{base}/none:1", layers=[])
    records = await pushed(store, f"{base}/twice:1")
    assert words(records).count("Preparing") == 3
    assert words(records).count("Pushed") == 2
    layers = json.loads(raw_manifest(f"{base}/twice:1"))["layers"]
    assert len(layers) == 3
    assert layers[0] == layers[2]
    assert words(await pushed(store, f"{base}/none:1")) == []
    assert json.loads(raw_manifest(f"{base}/none:1"))["layers"] == []


async def test_pushes_at_once_send_each_blob_once(store: Store) -> None:
    async with WritableRegistry() as registry:
        names = [f"{registry.host}/x:{tag}" for tag in "12345"]
        await loaded(store, *names)
        await asyncio.gather(*(pushed(store, name) for name in names))
        assert registry.verbs().count("PUT upload") == 4


@contextlib.asynccontextmanager
async def stuck_push(store: Store, registry: WritableRegistry) -> AsyncIterator[asyncio.Task[Any]]:
    """Give a push whose first blobs are about to arrive."""
    await loaded(store, f"{registry.host}/x:1")
    registry.gate.clear()
    task = asyncio.ensure_future(pushed(store, f"{registry.host}/x:1"))
    await asyncio.wait_for(registry.waiting.wait(), 30)
    yield task
    registry.gate.set()


async def test_push_that_waits_for_another_sees_how_layers_go(store: Store) -> None:
    async with WritableRegistry() as registry:
        async with stuck_push(store, registry) as task:
            second = Reference.parse(f"{registry.host}/x:2")
            image = store.services.catalog.resolve(f"{registry.host}/x:1")
            store.services.catalog.tag(image.id, second)
            seen: list[dict[str, Any]] = []
            waiting = asyncio.ensure_future(
                push(store.services, second, auth=None, report=seen.append)
            )
            for _ in range(500):
                if "Pushing" in words(seen):
                    break
                await asyncio.sleep(0.01)
            assert "Pushing" in words(seen)
            assert "Pushed" not in words(seen)
            registry.gate.set()
            await asyncio.gather(task, waiting)
        assert "Pushed" in words(seen)
        assert registry.verbs().count("PUT upload") == 4
    await store.services.close()


async def test_image_that_is_removed_meanwhile_is_pushed_all_the_same(store: Store) -> None:
    before = store.footprint()
    async with WritableRegistry() as registry:
        async with stuck_push(store, registry) as task:
            store.remove(f"{registry.host}/x:1")
            registry.gate.set()
            records = await task
        assert records[-1]["aux"]["Tag"] == "1"
        assert ("x", "1") in registry.manifests
        store.services.garbage.collect()
    assert store.footprint() == before


async def test_cancelled_push_leaves_nothing_here(store: Store) -> None:
    async with WritableRegistry() as registry:
        async with stuck_push(store, registry) as task:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert ("x", "1") not in registry.manifests
        assert store.services.leases.leases() == []
        assert list((store.root / "content" / "ingest").iterdir()) == []
        links = [_link(fd) for fd in Path("/proc/self/fd").iterdir()]
        assert not [link for link in links if str(store.root / "content") in link]
        # What has been begun is made again.
        assert (await pushed(store, f"{registry.host}/x:1"))[-1]["aux"]["Tag"] == "1"


def _link(path: Path) -> str:
    with contextlib.suppress(OSError):
        return str(path.readlink())
    return ""


async def test_damage_does_not_spread(store: Store) -> None:
    async with WritableRegistry() as registry:
        name = f"{registry.host}/x:1"
        image = await loaded(store, name)
        blob = store.services.content.path(image.layers[1])
        data = bytearray(blob.read_bytes())
        data[1 << 20] ^= 1
        blob.write_bytes(data)
        with pytest.raises(CorruptDataError, match=r"the stored bytes have another digest$"):
            await pushed(store, name)
        blob.unlink()
        with pytest.raises(NotFoundError, match=f"content {image.layers[1]}: not found"):
            await pushed(store, name)
        assert not [verb for verb in registry.verbs() if verb == "PUT 1"]


async def test_what_is_remembered_goes_with_the_image(store: Store, registry: Registry) -> None:
    name = f"{registry.address}/remembered/x:1"
    image = await loaded(store, name)
    await pushed(store, name)
    known = store.services.remote_blobs.compressed(image.layers[0], "gzip")
    assert known is not None
    assert store.services.remote_blobs.is_known(known.digest)
    store.remove(image.id, force=True)
    assert store.services.remote_blobs.compressed(image.layers[0], "gzip") is None
    assert not store.services.remote_blobs.is_known(known.digest)
    assert not store.services.remote_blobs.is_known(Digest(image.id))


async def test_registry_that_lost_a_blob_gets_it_again(store: Store) -> None:
    async with WritableRegistry() as registry:
        names = [f"{registry.host}/{name}:1" for name in ("x", "y")]
        await loaded(store, *names)
        await pushed(store, names[0])
        registry.held.clear()
        registry.sent.clear()
        assert words(await pushed(store, names[1]))[3:] == ["Pushed"] * 3
        assert registry.uploads == {}, "what a mount began is used"
        assert len(registry.sent) == 4


@contextlib.asynccontextmanager
async def cutting(address: str, cuts: list[int]) -> AsyncIterator[str]:
    """Pass connections on to a registry; those that send more than the next cut are broken off."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = address.partition(":")
        there, back = await asyncio.open_connection(host, int(port))

        async def up() -> None:
            passed = 0
            while data := await reader.read(1 << 16):
                passed += len(data)
                if cuts and passed > cuts[0]:
                    cuts.pop(0)
                    break
                back.write(data)
                await back.drain()
            writer.close()
            back.close()

        async def down() -> None:
            with contextlib.suppress(OSError):
                while data := await there.read(1 << 16):
                    writer.write(data)

        await asyncio.gather(up(), down(), return_exceptions=True)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_cut_connections_to_a_real_registry_are_survived(
    store: Store, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_session, "PIECE_SIZE", 1 << 20)
    monkeypatch.setattr(upload_session, "pause_s", lambda *_: 0.01)
    cuts = [700_000, 900_000]
    async with cutting(registry.address, cuts) as address:
        name = f"{address}/cut/x:1"
        image = await loaded(store, name)
        records = await pushed(store, name)
    assert cuts == []
    assert "Retrying in 0.01 seconds" in words(records)
    digests = [
        layer["digest"]
        for layer in json.loads(raw_manifest(f"{registry.address}/cut/x:1"))["layers"]
    ]
    plain = [
        gzip.decompress((registry.store / "blobs/sha256" / d[7:9] / d[7:] / "data").read_bytes())
        for d in digests
    ]
    assert [digest_of(layer) for layer in plain] == list(image.layers)


async def test_tokens_are_asked_for_what_is_done(store: Store, tmp_path: Path) -> None:
    accounts = {
        "owner": Account("o", {"team/*": "pull,push", "base/*": "pull"}),
        "reader": Account("r", {"team/*": "pull"}),
        "seeder": Account("s", {"base/*": "pull,push", "secret/*": "pull,push"}),
    }
    tokens = TokenServer(tmp_path, accounts)
    with tokens.running(), serving(tokens=tokens) as registry:
        team, base, secret = (
            f"{registry.address}/{name}/x:1" for name in ("team", "base", "secret")
        )
        await loaded(store, team, base)
        await loaded(store, secret, layers=[BASE, TOP, UPPER])
        for auth in (None, RegistryAuth("reader", "r")):
            with pytest.raises(
                NaruError, match=r"^denied: requested access to the resource is denied$"
            ):
                await pushed(store, team, auth)
        with pytest.raises(NaruError, match="unauthorized: incorrect username or password"):
            await pushed(store, team, RegistryAuth("owner", "wrong"))
        await pushed(store, base, RegistryAuth("seeder", "s"))
        tokens.asked.clear()
        mounted = await pushed(store, team, RegistryAuth("owner", "o"))
        assert words(mounted)[3:] == ["Mounted from base/x"] * 3
        scopes = [asked.scopes for asked in tokens.asked]
        assert scopes == [
            ["repository:team/x:pull,push"],
            ["repository:team/x:pull,push", "repository:base/x:pull"],
        ]
        # Who may not read the one repository sends the blobs to the other.
        await pushed(store, secret, RegistryAuth("seeder", "s"))
        for digest in store.services.catalog.resolve(secret).layers:
            known = store.services.remote_blobs.compressed(digest, "gzip")
            assert known is not None
            for repository in ("team/x", "base/x"):
                store.services.remote_blobs.missed(registry.address, repository, known.digest)
        target = f"{registry.address}/team/y:1"
        store.services.catalog.tag(
            store.services.catalog.resolve(secret).id, Reference.parse(target)
        )
        sent = await pushed(store, target, RegistryAuth("owner", "o"))
        assert words(sent)[3:] == ["Pushed"] * 3


async def test_login_that_is_missing_or_wrong_is_told_as_docker_does(store: Store) -> None:
    with serving(basic=True) as registry:
        name = f"{registry.address}/x:1"
        await loaded(store, name)
        with pytest.raises(NaruError, match=r"^no basic auth credentials$"):
            await pushed(store, name)
        with pytest.raises(NaruError, match=r"^unauthorized: authentication required$"):
            await pushed(store, name, RegistryAuth("user", "wrong"))
        await pushed(store, name, RegistryAuth("user", "secret"))
