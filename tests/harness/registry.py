"""A registry of one's own, filled with images that tests make: Debian's `docker-registry`.

with serving({"box:1": archive}) as registry:                  # plain http
with serving(tls=True) as registry:                            # registry.trust(certs_d)
with serving(tls=True, client_certificates=True) as registry:  # and only with ours
with serving(basic=True) as registry:                          # USER and PASSWORD
with serving(tokens=server) as registry:                       # a harness.token_server
with serving(mirror_of="http://…") as registry:                # fetches what it has not
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from fakes.certificates import Authority
from fakes.fake_registry import FakeRegistry
from harness.ports import free_port
from harness.token_server import ISSUER, SERVICE, TokenServer
from harness.waiting import eventually

AnyFake = TypeVar("AnyFake", bound=FakeRegistry)

USER, PASSWORD = "user", "secret"
# bcrypt of that password, so that no test needs the htpasswd program.
_HTPASSWD = f"{USER}:$2b$05$QYOoZ.SFbnY6m0kNQBS1yOFah5i31wA1gQFN1V.bA1ZZGMk5YjHlK\n"


@dataclass(frozen=True)
class Registry:
    """A registry that runs. `store` is the folder of its files; certificates may be missing."""

    address: str
    folder: Path
    authority: Path | None = None
    client: tuple[Path, Path] | None = None
    credentials: tuple[str, str] | None = None

    @property
    def store(self) -> Path:
        """Return where it keeps blobs and links, as docker-registry lays them out."""
        return self.folder / "store" / "docker" / "registry" / "v2"

    @property
    def url(self) -> str:
        """Return its base URL."""
        return f"http{'s' if self.authority else ''}://{self.address}"

    def trust(self, certificates: Path, host: str = "") -> Path:
        """Put what an engine needs to know of it into a `certs.d`; return its folder there.

        `host` is what the engine calls it, by default its address.
        """
        folder = certificates / (host or self.address)
        folder.mkdir(parents=True, exist_ok=True)
        if self.authority is not None:
            shutil.copy(self.authority, folder / "ca.crt")
        if self.client is not None:
            for path, name in zip(self.client, ("client.cert", "client.key"), strict=True):
                shutil.copy(path, folder / name)
        return folder

    def push(
        self, name: str, archive: bytes, *, credentials: tuple[str, str] | None = None
    ) -> None:
        """Store a docker-archive under a name (`team/box:1`), as whoever may."""
        path = self.folder / "image.tar"
        path.write_bytes(archive)
        argv = ["skopeo", "copy", "--quiet", "--insecure-policy"]
        if self.authority is None:
            argv.append("--dest-tls-verify=false")
        else:
            argv.append(f"--dest-cert-dir={self.trust(self.folder / 'certs.d')}")
        if given := credentials or self.credentials:
            argv.append(f"--dest-creds={':'.join(given)}")
        target = f"docker://{self.address}/{name}"
        done = subprocess.run(
            [*argv, f"docker-archive:{path}", target], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


@contextlib.contextmanager
def serving(
    images: Mapping[str, bytes] | None = None,
    *,
    tls: bool = False,
    client_certificates: bool = False,
    basic: bool = False,
    tokens: TokenServer | None = None,
    credentials: tuple[str, str] | None = None,
    mirror_of: str = "",
    host: str = "",
) -> Iterator[Registry]:
    """Serve docker-archives under these names (`box:1`) on a port of 127.0.0.1.

    Its certificate is good for `host`, too, as which a proxy may show it. Manifests can be deleted.
    `credentials` are what images are stored with: with `basic` they are known, with `tokens` they
    must be an account that may push.
    """
    with tempfile.TemporaryDirectory(prefix="naru-test-registry-") as name:
        folder = Path(name)
        address = f"127.0.0.1:{free_port()}"
        http: dict[str, Any] = {"addr": address}
        authority = client = None
        if tls:
            signer = Authority(folder)
            authority = signer.certificate
            certificate, key = signer.issue("server", usage="serverAuth", host=host)
            http["tls"] = {"certificate": str(certificate), "key": str(key)}
            if client_certificates:
                client = signer.issue("client", usage="clientAuth")
                http["tls"]["clientcas"] = [str(authority)]
        if basic:
            credentials = (USER, PASSWORD)
        registry = Registry(address, folder, authority, client, credentials)
        config = {
            "version": "0.1",
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(folder / "store")},
                "delete": {"enabled": True},
            },
            "http": http,
            "auth": _auth(folder, tokens, basic=basic),
        }
        if mirror_of:
            config["proxy"] = {"remoteurl": mirror_of}
        with _running(folder, config, address):
            for image, archive in (images or {}).items():
                registry.push(image, archive)
            yield registry


@contextlib.contextmanager
def in_thread(registry: AnyFake) -> Iterator[AnyFake]:
    """Serve a registry beside a test that waits for programs."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(registry.__aenter__(), loop).result(30)
        try:
            yield registry
        finally:
            asyncio.run_coroutine_threadsafe(registry.__aexit__(), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _auth(folder: Path, tokens: TokenServer | None, *, basic: bool) -> dict[str, Any]:
    if tokens is not None:
        return {
            "token": {
                "realm": tokens.realm,
                "service": SERVICE,
                "issuer": ISSUER,
                "rootcertbundle": str(tokens.roots),
            }
        }
    if not basic:
        return {}
    (folder / "htpasswd").write_text(_HTPASSWD, encoding="ascii")
    return {"htpasswd": {"realm": "naru-test", "path": str(folder / "htpasswd")}}


@contextlib.contextmanager
def _running(folder: Path, config: Mapping[str, Any], address: str) -> Iterator[None]:
    # What is JSON is YAML.
    (folder / "registry.yml").write_text(json.dumps(config), encoding="utf-8")
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            ["docker-registry", "serve", str(folder / "registry.yml")], stdout=log, stderr=log
        )

    def listens() -> bool:
        assert server.poll() is None, (folder / "log").read_text(errors="replace")[-2000:]
        host, _, port = address.partition(":")
        with contextlib.closing(socket.socket()) as client:
            return client.connect_ex((host, int(port))) == 0

    try:
        eventually(listens, "the registry listens")
        yield
    finally:
        server.kill()
        server.wait()
