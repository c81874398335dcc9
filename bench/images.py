"""Measure what engines do with images and a registry, side by side and in turn.

    bench/images.py naru=/run/naru.sock docker=/run/docker.sock --registry 127.0.0.1:5000
        [--content random|ordinary] [--size 300] [--layers 4] [--runs 5] [--case pull …]

The registry speaks plain HTTP and takes pushes from anybody; the image is made and put there
first: `random` bytes in files of 5 MB, or `ordinary` files of this machine. Cases run interleaved,
and ratios are medians of those of neighbouring runs, as in `engine.py`. Times are wall-clock
milliseconds as a client of the Engine API sees them; sizes are MB before compression.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import http.client
import io
import json
import os
import random
import secrets
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from urllib.parse import quote, urlsplit

from engine import Client, compare, timed

_MB = 1 << 20
_PREFIX = "application/vnd.docker"
_LARGEST_FILE = 8 * _MB


class Registry:
    """A registry that images are put into."""

    def __init__(self, host: str) -> None:
        self.host = host

    def _call(self, method: str, path: str, body: bytes = b"", kind: str = "") -> tuple[int, str]:
        connection = http.client.HTTPConnection(self.host, timeout=300)
        headers = {"Content-Type": kind} if kind else {}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status, answer.headers.get("Location", "")

    def has(self, repository: str) -> bool:
        """Say whether the image is there from an earlier run."""
        return self._call("HEAD", f"/v2/{repository}/manifests/1")[0] == 200

    def put_blob(self, repository: str, data: bytes, media_type: str) -> dict[str, object]:
        """Upload a blob and return its descriptor."""
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        _, location = self._call("POST", f"/v2/{repository}/blobs/uploads/")
        parts = urlsplit(location)
        query = f"{parts.query}&" if parts.query else ""
        status, _ = self._call(
            "PUT", f"{parts.path}?{query}digest={quote(digest)}", data, "application/octet-stream"
        )
        if status != 201:
            sys.exit(f"{self.host} takes no blobs: {status}")
        return {"mediaType": media_type, "size": len(data), "digest": digest}

    def put_image(self, repository: str, layers: Iterator[bytes]) -> None:
        """Upload an image of these layers, gzipped as Docker does, with the tag `1`."""
        descriptors, diff_ids = [], []
        for layer in layers:
            diff_ids.append(f"sha256:{hashlib.sha256(layer).hexdigest()}")
            packed = gzip.compress(layer, 6, mtime=0)
            kind = f"{_PREFIX}.image.rootfs.diff.tar.gzip"
            descriptors.append(self.put_blob(repository, packed, kind))
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Cmd": ["sh"]},
                "rootfs": {"type": "layers", "diff_ids": diff_ids},
            }
        )
        kind = f"{_PREFIX}.container.image.v1+json"
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{_PREFIX}.distribution.manifest.v2+json",
            "config": self.put_blob(repository, config.encode(), kind),
            "layers": descriptors,
        }
        path = f"/v2/{repository}/manifests/1"
        self._call("PUT", path, json.dumps(manifest).encode(), str(manifest["mediaType"]))


def random_layers(count: int, size: int) -> Iterator[bytes]:
    """Yield layers of files that no compression makes smaller."""
    for number in range(count):
        source = random.Random(number)
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            folder = tarfile.TarInfo(f"d{number}")
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(folder)
            for part in range(max(1, size // (5 * _MB))):
                info = tarfile.TarInfo(f"d{number}/f{part}")
                info.size = min(size, 5 * _MB)
                archive.addfile(info, io.BytesIO(source.randbytes(info.size)))
        yield buffer.getvalue()


def _machine_files() -> Iterator[Path]:
    for top in ("lib/x86_64-linux-gnu", "lib/python3", "share", "bin", "lib"):
        for folder, below, names in os.walk(f"/usr/{top}"):
            below.sort()
            for name in sorted(names):
                path = Path(folder, name)
                if path.is_file() and not path.is_symlink():
                    yield path


def ordinary_layers(count: int, size: int) -> Iterator[bytes]:
    """Yield layers of programs, libraries and texts that this machine has."""
    files = (path for path in _machine_files() if path.stat().st_size < _LARGEST_FILE)
    for _ in range(count):
        buffer = io.BytesIO()
        # As all programs that make layers do, each brings the directories that its files are in.
        known: set[Path] = {Path("/")}
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            while buffer.tell() < size and (path := next(files, None)) is not None:
                for folder in reversed([each for each in path.parents if each not in known]):
                    known.add(folder)
                    archive.add(folder, arcname=str(folder)[1:], recursive=False)
                archive.add(path, arcname=str(path)[1:], recursive=False)
        yield buffer.getvalue()


CONTENTS = {"random": random_layers, "ordinary": ordinary_layers}


def _pull(client: Client, image: str) -> None:
    name, _, tag = image.rpartition(":")
    answer = client.call("POST", f"/images/create?fromImage={quote(name, safe='')}&tag={tag}")
    if b'"error"' in answer:
        raise RuntimeError(answer[-500:].decode(errors="replace"))


def _remove(client: Client, image: str) -> None:
    client.call("DELETE", f"/images/{image}?force=1")


def _is_there(client: Client, image: str) -> bool:
    try:
        client.call("GET", f"/images/{image}/json")
    except RuntimeError:
        return False
    return True


def pull(client: Client, image: str) -> float:
    """All of an image that is not there."""
    if _is_there(client, image):
        _remove(client, image)
    return timed(lambda: _pull(client, image))


def pull_again(client: Client, image: str) -> float:
    """An image that is there already."""
    if not _is_there(client, image):
        _pull(client, image)
    return timed(lambda: _pull(client, image))


def remove(client: Client, image: str) -> float:
    """The image with all its layers."""
    if not _is_there(client, image):
        _pull(client, image)
    return timed(lambda: _remove(client, image))


@cache
def _layers(repository: str) -> tuple[bytes, ...]:
    """Return the layers that a repository of ours is named after."""
    content, _, form = repository.rpartition("/")[2].partition("-")
    size, count = map(int, form.split("x"))
    return tuple(CONTENTS[content](count, size * _MB // count))


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def _load_new(client: Client, image: str) -> str:
    """Load an image like `image`, of layers that nobody has seen; return its name."""
    host, _, repository = image.rpartition(":")[0].partition("/")
    name = f"{host}/made/{secrets.token_hex(6)}:1"
    layers, diff_ids = [], []
    for layer in _layers(repository):
        salt = io.BytesIO()
        with tarfile.open(fileobj=salt, mode="w", bufsize=512) as archive:
            _add(archive, "salt", secrets.token_bytes(16))
        # One tar goes on behind the header and the block of the other's only file.
        layers.append(salt.getvalue()[:1024] + layer)
        diff_ids.append(f"sha256:{hashlib.sha256(layers[-1]).hexdigest()}")
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["sh"]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    }
    paths = [f"{number}/layer.tar" for number in range(len(layers))]
    listed = [{"Config": "config.json", "RepoTags": [name], "Layers": paths}]
    with tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w") as archive:
            _add(archive, "config.json", json.dumps(config).encode())
            for path, layer in zip(paths, layers, strict=True):
                _add(archive, path, layer)
            _add(archive, "manifest.json", json.dumps(listed).encode())
        file.seek(0)
        client.send("POST", "/images/load?quiet=1", file)
    return name


def _push(client: Client, image: str) -> None:
    name, _, tag = image.rpartition(":")
    answer = client.call("POST", f"/images/{name}/push?tag={tag}", auth="e30=")
    if b'"error"' in answer:
        raise RuntimeError(answer[-500:].decode(errors="replace"))


def push(client: Client, image: str) -> float:
    """An image that was made here, of which the registry has nothing."""
    made = _load_new(client, image)
    took = timed(lambda: _push(client, made))
    _remove(client, made)
    return took


def push_again(client: Client, image: str) -> float:
    """An image that is there already."""
    if not _is_there(client, image):
        _pull(client, image)
    return timed(lambda: _push(client, image))


def push_elsewhere(client: Client, image: str) -> float:
    """A pulled image to another repository of its registry."""
    if not _is_there(client, image):
        _pull(client, image)
    name = f"{image.partition('/')[0]}/mounted/{secrets.token_hex(6)}"
    client.call("POST", f"/images/{image}/tag?repo={name}&tag=1")
    took = timed(lambda: _push(client, f"{name}:1"))
    _remove(client, f"{name}:1")
    return took


CASES: dict[str, Callable[[Client, str], float]] = {
    "pull": pull,
    "pull_again": pull_again,
    "rmi": remove,
    "push": push,
    "push_again": push_again,
    "push_elsewhere": push_elsewhere,
}


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("engines", nargs="+", metavar="NAME=SOCKET")
    parser.add_argument("--registry", required=True, metavar="HOST:PORT")
    parser.add_argument("--content", choices=CONTENTS, default="random")
    parser.add_argument("--size", type=int, default=300, help="MB of all layers together")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--case", action="append", choices=CASES)
    arguments = parser.parse_args()
    registry = Registry(arguments.registry)
    repository = f"bench/{arguments.content}-{arguments.size}x{arguments.layers}"
    if not registry.has(repository):
        layer_size = arguments.size * _MB // arguments.layers
        registry.put_image(repository, CONTENTS[arguments.content](arguments.layers, layer_size))
    image = f"{registry.host}/{repository}:1"
    chosen = {
        case: lambda path, measure=CASES[case]: measure(Client(path), image)
        for case in arguments.case or CASES
    }
    compare(arguments.engines, chosen, arguments.runs)


if __name__ == "__main__":
    main()
