"""Pulling from Debian's docker-registry, open and with basic authentication."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.archives import Tree, docker_archive
from harness.image_store import Store
from harness.ports import free_port
from harness.requirements import requires
from harness.waiting import eventually
from naru.distribution.auth import RegistryAuth
from naru.errors import FaultError, NotFoundError
from naru.images.pull import pull
from naru.oci.reference import Reference

pytestmark = requires("root", "docker-registry", "skopeo")

BASE = Tree().directory("etc").file("etc/base", b"base\n").tar()
TOP = Tree().file("top", b"top\n").tar()
# bcrypt of "secret", so that no test needs the htpasswd program.
_HTPASSWD = "user:$2b$05$QYOoZ.SFbnY6m0kNQBS1yOFah5i31wA1gQFN1V.bA1ZZGMk5YjHlK\n"


@pytest.fixture(params=["open", "basic"])
def debian_registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, bool]]:
    port, has_auth = free_port(), request.param == "basic"
    config: dict[str, Any] = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "registry")}},
        "http": {"addr": f"127.0.0.1:{port}"},
        "log": {"level": "error", "accesslog": {"disabled": True}},
    }
    if has_auth:
        (tmp_path / "htpasswd").write_text(_HTPASSWD)
        config["auth"] = {"htpasswd": {"realm": "r", "path": str(tmp_path / "htpasswd")}}
    (tmp_path / "registry.yml").write_text(json.dumps(config))
    process = subprocess.Popen(
        ["docker-registry", "serve", str(tmp_path / "registry.yml")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        archive = tmp_path / "image.tar"
        archive.write_bytes(docker_archive(["x:1"], [BASE, TOP]))
        credentials = ["--dest-creds", "user:secret"] if has_auth else []
        target = f"docker://127.0.0.1:{port}/team/x:1"

        def seeded() -> bool:
            copy = ["skopeo", "copy", "-q", "--dest-tls-verify=false", *credentials]
            done = subprocess.run(
                [*copy, f"docker-archive:{archive}", target], capture_output=True, check=False
            )
            return done.returncode == 0

        eventually(seeded, "the registry takes an image")
        yield f"127.0.0.1:{port}", has_auth
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


async def test_images_are_pulled_from_debians_registry(
    store: Store, debian_registry: tuple[str, bool]
) -> None:
    host, has_auth = debian_registry
    reference = Reference.parse(f"{host}/team/x:1")
    if has_auth:
        refused = f'^Head "http://{host}/v2/team/x/manifests/1": no basic auth credentials$'
        with pytest.raises(FaultError, match=refused):
            await pull(
                store.services, reference, platform=None, auth=None, report=store.records.append
            )
    auth = RegistryAuth("user", "secret") if has_auth else None
    image = await pull(
        store.services, reference, platform=None, auth=auth, report=store.records.append
    )
    assert store.read(image.id, "top") == b"top\n"
    with pytest.raises(NotFoundError, match="not found: manifest unknown: manifest unknown"):
        await pull(
            store.services,
            reference.with_tag("2"),
            platform=None,
            auth=auth,
            report=store.records.append,
        )
    await store.services.close()
