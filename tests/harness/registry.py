"""A registry of one's own, filled with images that tests make."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from fakes.fake_registry import FakeRegistry
from harness.waiting import eventually


@contextlib.contextmanager
def serving(images: Mapping[str, bytes]) -> Iterator[str]:
    """Serve docker-archives under these names (`box:1`); give the address, without TLS."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    with tempfile.TemporaryDirectory(prefix="naru-test-registry-") as folder:
        config = Path(folder, "registry.yml")
        config.write_text(
            f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder}/store}}}}\n"
            f"http: {{addr: {address}}}\nlog: {{level: error}}\n",
            encoding="utf-8",
        )
        server = subprocess.Popen(
            ["docker-registry", "serve", str(config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            eventually(lambda: _listens(address), "the registry listens")
            for name, archive in images.items():
                _push(address, name, archive, Path(folder, "image.tar"))
            yield address
        finally:
            server.kill()
            server.wait()


@contextlib.contextmanager
def in_thread(registry: FakeRegistry) -> Iterator[FakeRegistry]:
    """Serve a registry beside a test that waits for programs."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(registry.__aenter__(), loop).result(30)
        yield registry
        asyncio.run_coroutine_threadsafe(registry.__aexit__(), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _listens(address: str) -> bool:
    host, _, port = address.partition(":")
    with contextlib.closing(socket.socket()) as client:
        return client.connect_ex((host, int(port))) == 0


def _push(address: str, name: str, archive: bytes, path: Path) -> None:
    path.write_bytes(archive)
    argv = ["skopeo", "copy", "--insecure-policy", "--dest-tls-verify=false"]
    target = f"docker://{address}/{name}"
    subprocess.run([*argv, f"docker-archive:{path}", target], check=True, capture_output=True)
