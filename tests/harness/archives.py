"""Image archives and root filesystems made on the spot, so that tests need no registry."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

BUSYBOX = "busybox:latest"
TEST_IMAGE = "naru-test/box:latest"
_EPOCH = 1_600_000_000


@dataclass
class Tree:
    """Entries of a layer, in the order in which they are written."""

    entries: list[tuple[tarfile.TarInfo, bytes]] = field(default_factory=list)

    def directory(self, path: str, *, mode: int = 0o755, uid: int = 0, gid: int = 0) -> Tree:
        """Add a directory."""
        return self._add(path, tarfile.DIRTYPE, mode=mode, uid=uid, gid=gid)

    def file(
        self,
        path: str,
        content: bytes | str = b"",
        *,
        mode: int = 0o644,
        uid: int = 0,
        gid: int = 0,
    ) -> Tree:
        """Add a file."""
        data = content.encode() if isinstance(content, str) else content
        return self._add(path, tarfile.REGTYPE, data, mode=mode, uid=uid, gid=gid)

    def symlink(self, path: str, to: str) -> Tree:
        """Add a symbolic link."""
        return self._add(path, tarfile.SYMTYPE, mode=0o777, link=to)

    def hardlink(self, path: str, to: str, *, mode: int = 0o755) -> Tree:
        """Add another name of an earlier entry; `mode` goes to both, as in any tar."""
        return self._add(path, tarfile.LNKTYPE, mode=mode, link=to)

    def _add(
        self,
        path: str,
        kind: bytes,
        data: bytes = b"",
        *,
        mode: int = 0o644,
        uid: int = 0,
        gid: int = 0,
        link: str = "",
    ) -> Tree:
        info = tarfile.TarInfo(path)
        info.type, info.mode, info.uid, info.gid = kind, mode, uid, gid
        info.size, info.mtime, info.linkname = len(data), _EPOCH, link
        self.entries.append((info, data))
        return self

    def tar(self) -> bytes:
        """Return the layer."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for info, data in self.entries:
                archive.addfile(info, io.BytesIO(data))
        return buffer.getvalue()


def members(archive: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
    """Return the entries of a tar in their order, as `Tree` keeps them; only files have content."""
    found = []
    with tarfile.open(fileobj=io.BytesIO(archive), errors="surrogateescape") as tar:
        for info in tar:
            file = tar.extractfile(info) if info.isreg() else None
            found.append((info, file.read() if file else b""))
    return found


def files(archive: bytes) -> dict[str, bytes]:
    """Return the content of each regular file of a tar, by its name there."""
    return {info.name: content for info, content in members(archive) if info.isreg()}


@cache
def busybox_layer() -> bytes:
    """Return a root filesystem with the machine's static busybox and a link for each applet."""
    program = Path("/bin/busybox").read_bytes()
    applets = subprocess.run(
        ["/bin/busybox", "--list"], capture_output=True, text=True, check=True
    ).stdout.split()
    tree = Tree()
    for name in ("bin", "dev", "etc", "home", "proc", "root", "sys", "usr", "var", "var/www"):
        tree.directory(name)
    tree.directory("tmp", mode=0o1777).directory("var/tmp", mode=0o1777)
    tree.directory("home/app", uid=1000, gid=1000)
    tree.file("bin/busybox", program, mode=0o755)
    for applet in applets:
        if applet != "busybox":
            tree.hardlink(f"bin/{applet}", "bin/busybox")
    tree.file(
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\n"
        "daemon:x:1:1:daemon:/usr/sbin:/bin/false\n"
        "app:x:1000:1000:app:/home/app:/bin/sh\n"
        "nobody:x:65534:65534:nobody:/home:/bin/false\n",
    )
    tree.file(
        "etc/group",
        "root:x:0:\ndaemon:x:1:\nstaff:x:50:app\nextra:x:2000:app\napp:x:1000:\nnogroup:x:65534:\n",
    )
    return tree.tar()


def image_config(layers: Sequence[bytes], config: Mapping[str, Any]) -> bytes:
    """Return the image config of these uncompressed layers."""
    document = {
        "architecture": "amd64",
        "os": "linux",
        "created": "2024-01-02T03:04:05.123456789Z",
        "config": dict(config),
        "rootfs": {
            "type": "layers",
            "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers],
        },
        "history": [
            {"created": "2024-01-02T03:04:05Z", "created_by": f"step {number}"}
            for number in range(len(layers))
        ],
    }
    return json.dumps(document).encode()


def docker_archive(
    names: Sequence[str], layers: Sequence[bytes], config: Mapping[str, Any] | None = None
) -> bytes:
    """Return what `docker save` writes: one image with these names and layers."""
    document = image_config(layers, config or {"Cmd": ["sh"]})
    digest = hashlib.sha256(document).hexdigest()
    tree = Tree().file(f"{digest}.json", document)
    paths = []
    for layer in layers:
        path = f"{hashlib.sha256(layer).hexdigest()}/layer.tar"
        if path not in paths:
            tree.directory(path.rpartition("/")[0]).file(path, layer)
        paths.append(path)
    manifest = [{"Config": f"{digest}.json", "RepoTags": list(names), "Layers": paths}]
    return tree.file("manifest.json", json.dumps(manifest)).tar()


def telling_archive(text: str) -> bytes:
    """Return an archive of `x:1`, whose containers say this and end: it tells images apart."""
    layers = [busybox_layer(), Tree().file("text", text).tar()]
    return docker_archive(["x:1"], layers, {"Cmd": ["cat", "/text"]})


_OCI = "application/vnd.oci.image"


class Layout:
    """An OCI image layout in the making; blobs are written as they are added."""

    def __init__(self) -> None:
        self.tree = Tree().file("oci-layout", '{"imageLayoutVersion": "1.0.0"}')
        self.tree.directory("blobs").directory("blobs/sha256")

    def blob(self, data: bytes, media_type: str) -> dict[str, Any]:
        """Add a blob and return its descriptor."""
        digest = hashlib.sha256(data).hexdigest()
        self.tree.file(f"blobs/sha256/{digest}", data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    def document(self, content: Mapping[str, Any], kind: str) -> dict[str, Any]:
        """Add a manifest or an index, and return its descriptor."""
        media_type = f"{_OCI}.{kind}.v1+json"
        document = {"schemaVersion": 2, "mediaType": media_type, **content}
        return self.blob(json.dumps(document).encode(), media_type)

    def image(
        self, layers: Sequence[bytes], config: Mapping[str, Any], architecture: str = "amd64"
    ) -> dict[str, Any]:
        """Add an image whose layers are gzipped, and return the descriptor of its manifest."""
        document = image_config(layers, config).replace(b"amd64", architecture.encode())
        return self.document(
            {
                "config": self.blob(document, f"{_OCI}.config.v1+json"),
                "layers": [
                    self.blob(gzip.compress(layer, 1, mtime=0), f"{_OCI}.layer.v1.tar+gzip")
                    for layer in layers
                ],
            },
            "manifest",
        )

    def tar(self, *entries: Mapping[str, Any]) -> bytes:
        """Return the layout, with these in its topmost index."""
        index = {"schemaVersion": 2, "manifests": entries}
        return self.tree.file("index.json", json.dumps(index)).tar()


def named(entry: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a descriptor with the annotations by which containerd and BuildKit give names."""
    full = name if "/" in name else f"library/{name}"
    annotations = {
        "io.containerd.image.name": f"docker.io/{full}",
        "org.opencontainers.image.ref.name": name.rpartition(":")[2],
    }
    return {**entry, "annotations": annotations}


def oci_archive(
    name: str, layers: Sequence[bytes], config: Mapping[str, Any] | None = None
) -> bytes:
    """Return an OCI image layout in a tar, its layers gzipped."""
    layout = Layout()
    return layout.tar(named(layout.image(layers, config or {}), name))


@cache
def busybox_archive() -> bytes:
    """Return the archive of `busybox:latest`, the image of nearly every test."""
    return docker_archive([BUSYBOX], [busybox_layer()])
