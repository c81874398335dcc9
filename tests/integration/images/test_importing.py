"""Importing root file systems: configs, sources, and what is refused."""

from __future__ import annotations

import asyncio
import gzip
import json
import lzma
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import web

from harness.archives import Tree
from harness.image_store import Store
from harness.requirements import requires
from naru.errors import CorruptDataError, FaultError, InvalidInputError, NaruError
from naru.images.tarball_import import import_image, url_chunks
from naru.oci.platform import Platform
from naru.oci.reference import Reference

pytestmark = requires("root")

ROOT = Tree().directory("etc").file("etc/motd", b"hello\n").symlink("link", "etc/motd").tar()


async def chunks(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 1000):
        yield data[start : start + 1000]


async def imported(
    store: Store,
    data: bytes = ROOT,
    *,
    name: str = "",
    changes: tuple[str, ...] = (),
    message: str = "",
    platform: Platform | None = None,
) -> str:
    return await import_image(
        store.services,
        chunks(data),
        reference=Reference.parse(name) if name else None,
        changes=changes,
        message=message,
        platform=platform,
    )


@pytest.mark.parametrize("compress", [bytes, gzip.compress, lzma.compress])
async def test_an_imported_root_is_an_image_of_one_layer(
    store: Store, compress: Callable[[bytes], bytes]
) -> None:
    image_id = await imported(store, compress(ROOT), name="x", changes=('CMD ["sh"]', "ENV A=b"))
    image = store.services.catalog.resolve("x:latest")
    assert image.id == image_id
    assert store.read("x", "etc/motd") == b"hello\n"
    assert image.size == len(b"hello\n") + len("etc/motd")
    config = json.loads(image.config.raw)
    assert config["config"] == {"Env": ["A=b"], "Cmd": ["sh"]}
    assert config["comment"] == config["history"][0]["comment"] == "Imported from -"
    assert config["created"] == config["history"][0]["created"]
    assert store.services.leases.leases() == []


async def test_an_import_keeps_message_and_platform(store: Store) -> None:
    image_id = await imported(
        store, message="hey", platform=Platform(os="linux", architecture="arm64")
    )
    config = store.services.catalog.resolve(image_id).config
    assert (config.comment, config.architecture) == ("hey", "arm64")


async def test_nothing_at_all_is_an_empty_image(store: Store) -> None:
    image = store.services.catalog.resolve(await imported(store, b""))
    assert (image.size, len(image.layers)) == (0, 1)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"junkjunk", CorruptDataError),
        (ROOT[:700], CorruptDataError),
        (gzip.compress(ROOT)[:-5], CorruptDataError),
        (Tree().file("../../out", b"x").tar(), InvalidInputError),
    ],
)
async def test_bad_tar_leaves_nothing(store: Store, data: bytes, kind: type[NaruError]) -> None:
    before = store.footprint()
    with pytest.raises(kind):
        await imported(store, data, name="x")
    assert store.footprint() == before


@pytest.mark.parametrize("head", [b"", ROOT, b"\x1f\x8b\x08\0"])
@pytest.mark.parametrize("piece", [b"\0", b"garbage\n"])
async def test_what_has_no_end_is_refused_and_leaves_nothing(
    store: Store, head: bytes, piece: bytes
) -> None:
    before, given = store.footprint(), 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal given
        yield head
        while True:
            given += 1 << 20
            await asyncio.sleep(0.005)
            yield piece * ((1 << 20) // len(piece))

    with pytest.raises((CorruptDataError, InvalidInputError)):
        await import_image(
            store.services, endless(), reference=None, changes=(), message="", platform=None
        )
    assert given < 1 << 30
    assert store.footprint() == before


async def test_bad_request_is_refused_before_a_byte_is_read(store: Store) -> None:
    was_read = False

    async def unread() -> AsyncIterator[bytes]:
        nonlocal was_read
        was_read = True
        yield b""

    for changes, name in ((("RUN x",), "x"), ((), f"x@sha256:{'0' * 64}"), ((), "sha256:1")):
        with pytest.raises(InvalidInputError):
            await import_image(
                store.services,
                unread(),
                reference=Reference.parse(name),
                changes=changes,
                message="",
                platform=None,
            )
    assert not was_read


async def test_an_import_takes_a_url(store: Store) -> None:
    async def root(_: web.Request) -> web.Response:
        return web.Response(body=ROOT)

    app = web.Application()
    app.router.add_get("/root.tar", root)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host = f"127.0.0.1:{runner.addresses[0][1]}"
    try:
        for url in (f"http://{host}/root.tar", f"{host}/root.tar"):
            image_id = await import_image(
                store.services,
                url_chunks(store.services, url),
                reference=None,
                changes=(),
                message="",
                platform=None,
                source=url,
            )
            comment = store.services.catalog.resolve(image_id).config.comment
            assert comment == f"Imported from {url}"
            assert store.read(image_id, "etc/motd") == b"hello\n"
        with pytest.raises(FaultError, match="Got HTTP status code >= 400: 404 Not Found"):
            await imported_from(store, f"http://{host}/none")
    finally:
        await runner.cleanup()
    refused = (
        r'^Get "http://127\.0\.0\.1:1/x": dial tcp 127\.0\.0\.1:1: connect: connection refused$'
    )
    with pytest.raises(FaultError, match=refused):
        await imported_from(store, "http://127.0.0.1:1/x")
    with pytest.raises(InvalidInputError, match="unsupported protocol scheme"):
        await imported_from(store, "file:///etc/passwd")


async def imported_from(store: Store, url: str) -> str:
    return await import_image(
        store.services,
        url_chunks(store.services, url),
        reference=None,
        changes=(),
        message="",
        platform=None,
    )
