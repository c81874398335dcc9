"""Dockerfiles whose outcome is known: what Docker made of each of them is in `golden/builds.json`.

Recorded by `PYTHONPATH=tests python -m harness.builds SOCKET` from an engine of Docker's.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import sys
import tarfile
from pathlib import Path
from typing import Any

from harness.archives import Tree, busybox_layer, docker_archive, files, members
from harness.engine import Engine
from harness.wire import Response

GOLDEN = Path(__file__).parents[1] / "golden" / "builds.json"
BASE = "naru-test/build-base:1"
TRIGGERS = "naru-test/build-triggers:1"
_TAR = {"Content-Type": "application/x-tar"}

# name: Dockerfile; all have the same context. `FROM base` is the base image.
CASES = {
    "env": 'ENV a=1 b="x y" c=$a\nENV d ${a:-n} "q"\nENV a=2\nENV e=${a}${none:+y}\\$a',
    "label": 'LABEL a=1 "b c"="d e"\nLABEL a=2 multi="x\\\ny"',
    "cmd": "CMD echo $HOME",
    "cmd-words": 'CMD ["echo", "a \\"b\\"", "é\\t"]',
    "cmd-empty": "CMD",
    "cmd-none": "CMD []",
    "entrypoint-resets-cmd": 'ENTRYPOINT ["/bin/echo", "x"]',
    "entrypoint-keeps-own-cmd": "CMD one two\nENTRYPOINT echo",
    "entrypoint-none": "ENTRYPOINT []",
    "shell": 'SHELL ["/bin/sh", "-e", "-c"]\nCMD x\nRUN echo $- > /flags',
    "workdir": "WORKDIR a/b\nWORKDIR ../c\nWORKDIR /x/./y\nENV w=z\nWORKDIR $w",
    "workdir-exists": "WORKDIR /etc",
    "user": "USER app:staff\nRUN id -un > /tmp/me",
    "expose": "ENV p='70 71/udp'\nEXPOSE 80 443/tcp $p 9000-9002",
    "volume": 'VOLUME /v /w\nVOLUME ["/a b"]\nRUN touch /v/lost /kept',
    "stopsignal": "STOPSIGNAL SIGINT",
    "maintainer": "MAINTAINER Some Body <a@b.c>\nRUN touch /x",
    "healthcheck": "HEALTHCHECK --interval=90s --timeout=1500ms --retries=3 CMD a  b",
    "healthcheck-none": "HEALTHCHECK CMD x\nHEALTHCHECK NONE",
    "onbuild": "ONBUILD  RUN  touch /triggered\nONBUILD COPY f /",
    "arg": 'ARG a="x y" b\nARG c=${a}z\nRUN echo "$a$b$c" > /out\nENV e=$c',
    "arg-env-wins": "ARG a=1\nENV a=2\nRUN echo $a > /out",
    "run": "RUN mkdir -p /n/m && echo hi > /n/m/f && chmod 640 /n/m/f && chown 5:6 /n/m/f",
    "run-words": 'RUN ["touch", "/a b"]',
    "run-deletes": "RUN rm -r /data/sub /data/one\nRUN touch /data/sub",
    "run-nothing": "RUN true",
    "run-special": "RUN mkfifo /p && ln -s p /s && ln /data/one /data/hard && chmod 4755 /p",
    "copy-file": "COPY f /new/dir/name",
    "copy-file-to-directory": "COPY f /data/\nCOPY f /data\nCOPY f /new/",
    "copy-relative": "WORKDIR /w\nCOPY f .\nCOPY f g\nCOPY d ./sub/",
    "copy-directory": "COPY d /data\nCOPY d /fresh/deep",
    "copy-everything": "COPY . /all/",
    "copy-wildcards": "COPY d/*.txt [f]* /m/\nCOPY d* /n/",
    "copy-several": "COPY f d /many/",
    "copy-link": "COPY l /followed\nCOPY ld /dir\nCOPY d/rel /one/",
    "copy-through-link": "COPY f /data/tosub/\nCOPY f /data/toone",
    "copy-over": "COPY d /data/sub\nCOPY f /data/one",
    "copy-chown": "COPY --chown=app:staff d /c/d\nCOPY --chown=7 f /c/\nCOPY --chown=app f /c/g",
    "copy-json": 'COPY ["a b", "f", "/sp ace/"]',
    "copy-odd-names": "COPY [[]x] /odd\nCOPY \\*  /odd2/",
    "copy-variables": "ENV n=f to=/tgt/\nCOPY $n ${to}",
    "copy-from-stage": (
        "RUN echo 1 > /x && chown 3:4 /x\nFROM base\nCOPY --from=0 /x /y\n"
        "COPY --from=0 /x /data/sub /z/\nCOPY --from=0 --chown=8:9 /x /w/"
    ),
    "copy-from-image": "COPY --from=base /etc/passwd /p\nCOPY --from=base /data /q",
    "add-archive": "ADD t.tar /t/\nADD t.tgz /u\nADD t.tar.xz /v/",
    "add-no-archive": "ADD plain.gz /t/\nADD f /t/\nADD d /t/d",
    "stages": (
        "ENV a=1\nRUN echo one > /one\nFROM first AS second\nRUN echo two > /two\n"
        "FROM scratch\nCOPY --from=first /one /\nCOPY --from=second /two /one /both/\nENV z=1"
    ),
    "scratch": 'FROM scratch\nENV a=b\nCOPY f /\nWORKDIR /w\nCMD ["/f"]',
    "triggers": "FROM triggers\nENV own=1",
    "continuation": "RUN echo a \\\n  # comment\n  b \\\n  > /out",
}
QUERIES: dict[str, dict[str, Any]] = {
    "arg": {"buildargs": {"b": "given", "a": "over"}},
    "label": {"labels": {"from": "option", "a": "3 4"}},
}


def context(dockerfile: str) -> bytes:
    """Return the context of all cases, with this Dockerfile in it."""
    inner = Tree().directory("top", uid=7, gid=8).file("top/in", "in\n", uid=7, gid=8, mode=0o600)
    plain = inner.tar()
    compressed = io.BytesIO()
    with tarfile.open(fileobj=compressed, mode="w:xz") as archive:
        for info, data in inner.entries:
            archive.addfile(info, io.BytesIO(data))
    tree = (
        Tree()
        .file("Dockerfile", dockerfile)
        .file("f", "f\n")
        .file("a b", "blank\n")
        .file("[x]", "brackets\n")
        .file("*", "star\n")
        .symlink("l", "f")
        .symlink("ld", "d")
        .directory("d", mode=0o700)
        .file("d/x.txt", "x\n", mode=0o640)
        .file("d/y.txt", "y\n", mode=0o755)
        .hardlink("d/z.txt", "d/x.txt", mode=0o640)
        .symlink("d/rel", "x.txt")
        .symlink("d/out", "/etc/passwd")
        .directory("d/e")
        .file("d/e/g", "g\n")
        .directory("d/empty", mode=0o711)
        .file("t.tar", plain)
        .file("t.tgz", gzip.compress(plain, mtime=0))
        .file("t.tar.xz", compressed.getvalue())
        .file("plain.gz", gzip.compress(b"no tar", mtime=0))
    )
    return tree.tar()


def dockerfile_of(case: str) -> str:
    """Return the whole Dockerfile of a case."""
    text = CASES[case]
    if not text.startswith("FROM "):
        text = f"FROM base AS first\n{text}"
    text = re.sub(r"(?m)^FROM base\b", f"FROM {BASE}", text)
    text = text.replace("--from=base", f"--from={BASE}")
    return re.sub(r"(?m)^FROM triggers\b", f"FROM {TRIGGERS}", text)


def provide_bases(engine: Engine) -> None:
    """Load the images that cases start from."""
    data = (
        Tree()
        .directory("data")
        .file("data/one", "1\n")
        .directory("data/sub")
        .file("data/sub/old", "old\n")
        .symlink("data/tosub", "sub")
        .symlink("data/toone", "/data/one")
        .tar()
    )
    config = {"Cmd": ["sh"], "Env": ["PATH=/bin", "BASE=1"], "Labels": {"base": "yes"}}
    layers = [busybox_layer(), data]
    engine.load(docker_archive([BASE], layers, config))
    triggers = {**config, "OnBuild": ["COPY f /by-trigger", "RUN touch /ran", "ENV trigger=1"]}
    engine.load(docker_archive([TRIGGERS], layers, triggers))


def build(engine: Engine, body: bytes, **query: Any) -> Response:
    """Send a build; return the answer, whatever it is."""
    return engine.api("POST", "/build", body, query=query, headers=_TAR, timeout_s=120)


def image_of(answer: Response) -> str:
    """Return the id of the image that a build came to; assert that there is one."""
    records = answer.ok(200).json_lines()
    ids = [record["aux"]["ID"] for record in records if record.get("aux")]
    assert ids, records
    assert not any("error" in record for record in records), records
    return str(ids[-1])


def remove_images(engine: Engine, answer: Response) -> None:
    """Remove what the stages of a build came to, as far as it is there."""
    for record in reversed(answer.json_lines()):
        if image_id := (record.get("aux") or {}).get("ID"):
            engine.api("DELETE", f"/images/{image_id}", query={"force": True}).ok(200, 404)


def outcome(engine: Engine, case: str) -> dict[str, Any]:
    """Build a case and return what it came to, without what differs from time to time."""
    answer = build(engine, context(dockerfile_of(case)), **QUERIES.get(case, {}))
    image_id = image_of(answer)
    try:
        return describe(engine, image_id)
    finally:
        remove_images(engine, answer)


def describe(engine: Engine, image_id: str) -> dict[str, Any]:
    """Return config, history and layers of an image, as far as they do not come from the base."""
    inspected = engine.api("GET", f"/images/{image_id}/json").ok(200).json()
    config = {key: value for key, value in inspected["Config"].items() if value and key != "Image"}
    history = [
        _without_sums(entry["CreatedBy"])
        for entry in engine.api("GET", f"/images/{image_id}/history").ok(200).json()
        if not entry["CreatedBy"].startswith("step ")
    ]
    base = engine.api("GET", f"/images/{BASE}/json").ok(200).json()["RootFS"]["Layers"]
    layers = _layers(engine.api("GET", f"/images/{image_id}/get", timeout_s=120).ok(200).body)
    below = inspected["RootFS"].get("Layers") or []
    return {
        "config": config,
        "author": inspected["Author"],
        "history": list(reversed(history)),
        "layers": layers[len(base) :] if below[: len(base)] == base else layers,
    }


def _without_sums(text: str) -> str:
    """Leave out what engines compute in their own ways, and what Docker 20.10 did not have yet."""
    text = re.sub(r"(file|dir|multi):[0-9a-f]{64}\b", r"\1:…", text)
    return re.sub(r'("[0-9a-zµ.]+" ){3,4}(?=\')', "TIMES ", text)


def _layers(archive: bytes) -> list[list[list[Any]]]:
    saved = files(archive)
    [manifest] = json.loads(saved["manifest.json"])
    layers = [members(saved[path]) for path in manifest["Layers"]]
    return [sorted(_entry(info, data) for info, data in layer) for layer in layers]


def _entry(info: tarfile.TarInfo, data: bytes) -> list[Any]:
    content = data.decode() if data.isascii() else f"{len(data)} bytes"
    kind = {b"0": "file", b"1": "hard link", b"2": "link", b"5": "directory", b"6": "fifo"}
    # Which of two names is the link depends on the order of entries.
    link = info.linkname if info.issym() else ""
    # Nobody looks at the mode of a whiteout. Runtimes differ in that of a place to mount on.
    is_plain = not info.issym() and not info.name.rpartition("/")[2].startswith(".wh.")
    mode = oct(info.mode & (0o777 if info.isdir() else 0o7777)) if is_plain else ""
    return [
        info.name.strip("/").removeprefix("./"),
        kind[info.type],
        mode,
        info.uid,
        info.gid,
        link,
        content,
    ]


def main() -> None:
    """Record what an engine makes of the cases."""
    engine = Engine(sys.argv[1])
    provide_bases(engine)
    found = {case: outcome(engine, case) for case in CASES}
    for name in (BASE, TRIGGERS):
        engine.api("DELETE", f"/images/{name}", query={"force": True}).ok(200)
    text = json.dumps(found, indent=1, ensure_ascii=False, sort_keys=True)
    GOLDEN.write_text(re.sub(r"\n {4,}|\n {3}(?=[\]}])", " ", text) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
