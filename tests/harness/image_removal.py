"""All ways to remove an image: what names it has, who uses it, how it is called, with force or not.

`outcome` carries a case out on an engine. What Docker does is recorded in the golden file by

    PYTHONPATH=tests python -m harness.image_removal /run/docker.sock > tests/golden/image_removal.json
"""

from __future__ import annotations

import itertools
import json
import re
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.archives import Tree, busybox_layer, docker_archive
from harness.engine import Engine
from harness.registry import serving

GOLDEN = Path(__file__).parents[1] / "golden" / "image_removal.json"

_BOX, _DIGEST = "REGISTRY/box:1", "REGISTRY/box@DIGEST"
# Kinds of images by the names that they have.
_NAMES: Mapping[str, tuple[str, ...]] = {
    "one tag": ("rm/a:1",),
    "two tags": ("rm/a:1", "rm/a:2"),
    "two repositories": ("rm/a:1", "rm/b:1"),
    "no name": (),
    "tag and digest": (_BOX, _DIGEST),
    "digest and tag elsewhere": ("rm/a:1", _DIGEST),
    "digest": (_DIGEST,),
}
# How it is called beside by its names.
_CALLS: Mapping[str, tuple[str, ...]] = {
    "one tag": ("ID", "SHORT"),
    "tag and digest": ("ID", "REGISTRY/box:1@DIGEST"),
}
_USERS = ("unused", "stopped", "running")


@dataclass(frozen=True)
class Case:
    """One removal."""

    users: str
    has_child: bool
    kind: str
    called: str
    force: bool

    @property
    def name(self) -> str:
        """Return the key of the golden file."""
        words = [self.users, *(["with child"] if self.has_child else []), self.kind]
        return f"{', '.join(words)}: rmi {'-f ' if self.force else ''}{self.called}"


def cases(users: str, *, has_child: bool) -> Iterator[Case]:
    """Yield the cases of one environment: those with digests only where there is no child."""
    for kind, names in _NAMES.items():
        if has_child and _DIGEST in names:
            continue
        for called, force in itertools.product((*names, *_CALLS.get(kind, ("ID",))), (False, True)):
            yield Case(users, has_child, kind, called, force)


ENVIRONMENTS = tuple(itertools.product(_USERS, (False, True)))


def archive(names: tuple[str, ...] = ()) -> bytes:
    """Return the image, whose lower layer is that of `busybox`."""
    layers = [busybox_layer(), Tree().file("removed", "x").tar()]
    return docker_archive(names, layers, {"Cmd": ["sh"], "Labels": {"kind": "removed"}})


class Environment:
    """An engine with the image, its users and its child."""

    def __init__(self, engine: Engine, registry: str, users: str, *, has_child: bool) -> None:
        self._engine = engine
        self._registry = registry
        self._containers = []
        self.image_id = self._load()
        if users != "unused":
            self._containers.append(self._create())
            if users == "running":
                engine.start(self._containers[0])
        if has_child:
            container = self._create()
            query = {"container": container, "repo": "rm/child", "tag": "1"}
            engine.api("POST", "/commit", query=query).ok(201)
            self._engine.remove(container)

    def _load(self) -> str:
        said = json.dumps(self._engine.load(archive()))
        found = re.search(r"sha256:[0-9a-f]{64}", said)
        assert found, said
        return found[0]

    def _create(self) -> str:
        words = ("sleep", "1000")
        return self._engine.create(*words, image=self.image_id, host={"NetworkMode": "none"})

    @cached_property
    def _digest(self) -> str:
        """Return the digest that the registry has the image under."""
        query = {"fromImage": f"{self._registry}/box", "tag": "1"}
        said = self._engine.api("POST", "/images/create", query=query).ok(200).body
        found = re.search(rb"Digest: (sha256:[0-9a-f]{64})", said)
        assert found, said
        return found[1].decode()

    def close(self) -> None:
        """Take everything away again."""
        for container in self._containers:
            self._engine.remove(container)
        self._engine.api("DELETE", "/images/rm/child:1", query={"noprune": True}).ok(200, 404)
        self._engine.api("DELETE", f"/images/{self.image_id}", query={"force": True}).ok(200, 404)

    def outcome(self, case: Case) -> dict[str, Any]:
        """Remove the image in one way; return the answer, what is left, and the events."""
        self._rename({self._real(name) for name in _NAMES[case.kind]})
        since = time.time()
        answer = self._engine.api(
            "DELETE", f"/images/{self._real(case.called)}", query={"force": case.force}
        )
        told = answer.json()
        events = self._engine.events(since, type=["image"])
        left = self._names()
        return {
            "status": answer.status,
            "answer": self._said(
                told["message"]
                if answer.status != 200
                else [f"{key} {value}" for record in told for key, value in record.items()]
            ),
            "left": self._said(None if left is None else sorted(left)),
            "events": self._said(
                [f"{event['Action']} {event['Actor']['Attributes']['name']}" for event in events]
            ),
        }

    def _names(self) -> set[str] | None:
        answer = self._engine.api("GET", f"/images/{self.image_id}/json").ok(200, 404)
        if answer.status == 404:
            return None
        found = answer.json()
        return {*found["RepoTags"], *found["RepoDigests"]}

    def _rename(self, wanted: set[str]) -> None:
        """Give the image just these names, and make it anew if it is gone."""
        force = {"force": True, "noprune": True}
        for name in (self._names() or set()) - wanted:
            self._engine.api("DELETE", f"/images/{name}", query=force).ok(200, 404)
        present = self._names()
        if present is None:
            self._load()
            present = set()
        for name in sorted(wanted - present, key=lambda name: "@" not in name):
            repository, _, tag = name.rpartition("@" if "@" in name else ":")
            if "@" in name:
                query = {"fromImage": repository, "tag": tag}
                self._engine.api("POST", "/images/create", query=query).ok(200)
            else:
                query = {"repo": repository, "tag": tag}
                self._engine.api("POST", f"/images/{self.image_id}/tag", query=query).ok(201)
        assert self._names() == wanted

    def _real(self, name: str) -> str:
        if "DIGEST" in name:
            name = name.replace("DIGEST", self._digest)
        name = name.replace("REGISTRY", self._registry)
        whole = self.image_id
        return {"ID": whole, "SHORT": whole.removeprefix("sha256:")[:12]}.get(name, name)

    def _said(self, value: Any) -> Any:
        """Return an answer with names for what is another at each run."""
        if isinstance(value, list):
            return [self._said(member) for member in value]
        if value is None:
            return None
        value = value.replace(self.image_id, "ID").replace(self._registry, "REGISTRY")
        value = value.replace(self.image_id.removeprefix("sha256:")[:12], "SHORT")
        if "_digest" in self.__dict__:
            value = value.replace(self._digest, "DIGEST")
        for container in self._containers:
            value = value.replace(container[:12], "CONTAINER")
        return re.sub(r"sha256:[0-9a-f]{64}", "LAYER", value)


def record(engine: Engine) -> dict[str, Any]:
    """Return what an engine does in all cases."""
    found = {}
    with serving({"box:1": archive(("box:1",))}) as registry:
        for users, has_child in ENVIRONMENTS:
            environment = Environment(engine, registry.address, users, has_child=has_child)
            for case in cases(users, has_child=has_child):
                found[case.name] = environment.outcome(case)
            environment.close()
    return found


if __name__ == "__main__":
    target = Engine(sys.argv[1])
    target.ensure_busybox()
    lines = [
        f"{json.dumps(name)}: {json.dumps(found, sort_keys=True)}"
        for name, found in sorted(record(target).items())
    ]
    sys.stdout.write("{\n" + ",\n".join(lines) + "\n}\n")
