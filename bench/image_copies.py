"""Measure how long it takes to bring a new image, on a base that is known, to another engine.

    bench/image_copies.py FROM.sock NAME=TO.sock … [--size 170] [--runs 5]

The image is a base of ordinary files of this machine and a layer of 1 MB, new each time. It goes
to each engine by `naru image copy`, and by `naru save` and `naru load` through a pipe, in turn.
Times are wall-clock milliseconds of the commands.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import statistics
import subprocess
import sys
import tarfile
from pathlib import Path

from engine import timed
from images import ordinary_layers

_MB = 1 << 20
_NARU = str(Path(sys.executable).parent / "naru")
_NAME = "naru-bench/copied:1"


def image(layers: list[bytes]) -> bytes:
    """Return an archive of one image, as `docker save` writes it."""
    hexes = [hashlib.sha256(layer).hexdigest() for layer in layers]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["sh"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{name}" for name in hexes]},
    }
    paths = [f"{name}/layer.tar" for name in hexes]
    item = {"Config": "config.json", "RepoTags": [_NAME], "Layers": paths}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in (
            ("config.json", json.dumps(config).encode()),
            *zip(paths, layers, strict=True),
            ("manifest.json", json.dumps([item]).encode()),
        ):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def top() -> bytes:
    """Return a layer that nobody has."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("new")
        info.size = _MB
        archive.addfile(info, io.BytesIO(os.urandom(_MB)))
    return buffer.getvalue()


def naru(socket: str, *words: str, data: bytes | None = None) -> None:
    """Run one command at an engine."""
    argv = [_NARU, "-H", f"unix://{socket}", *words]
    subprocess.run(argv, input=data, check=True, stdout=subprocess.DEVNULL)


def copied(source: str, target: str) -> None:
    """Bring the image over by one command."""
    naru(source, "image", "copy", "-q", _NAME, f"unix://{target}")


def piped(source: str, target: str) -> None:
    """Bring it over by two."""
    saving = [_NARU, "-H", f"unix://{source}", "save", _NAME]
    with subprocess.Popen(saving, stdout=subprocess.PIPE) as saver:
        loading = [_NARU, "-H", f"unix://{target}", "load", "-q"]
        subprocess.run(loading, stdin=saver.stdout, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Print medians."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", metavar="FROM.sock")
    parser.add_argument("targets", nargs="+", metavar="NAME=TO.sock")
    parser.add_argument("--size", type=int, default=170, help="MB of the base")
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    targets = dict(word.split("=", 1) for word in args.targets)
    base = next(ordinary_layers(1, args.size * _MB))
    below = image([base]).replace(b"copied:1", b"a-base:1")
    for socket in (args.source, *targets.values()):
        naru(socket, "load", "-q", data=below)
    times: dict[tuple[str, str], list[float]] = {}
    for _ in range(args.runs):
        for name, socket in targets.items():
            for how in (copied, piped):
                naru(args.source, "load", "-q", data=image([base, top()]))
                took = timed(lambda: how(args.source, socket))  # noqa: B023 - called at once
                times.setdefault((name, how.__name__), []).append(took)
                naru(socket, "rmi", "-f", _NAME)
    for name in targets:
        one, other = (times[name, how.__name__] for how in (copied, piped))
        ratio = statistics.median(a / b for a, b in zip(one, other, strict=True))
        print(
            f"to {name}: copy {statistics.median(one):.0f} ms, "
            f"save and load {statistics.median(other):.0f} ms, ratio {ratio:.2f}"
        )


if __name__ == "__main__":
    main()
