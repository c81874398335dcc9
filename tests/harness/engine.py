"""The face of an engine under test: requests, clients, and short words for what tests do often.

Any engine will do: `Engine(socket)` drives Docker itself as well, which is how the tests of
behaviour are tested.
"""

from __future__ import annotations

import itertools
import os
import shutil
import sys
import tempfile
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pexpect
from docker import DockerClient

from harness import programs, wire
from harness.archives import (
    BUSYBOX,
    TEST_IMAGE,
    busybox_archive,
    busybox_layer,
    docker_archive,
)
from harness.programs import Result
from harness.waiting import eventually

# Marks what tests made, so that cleaning up touches nothing else on a shared engine.
LABEL = f"naru-test={os.getpid()}"
LABELS = dict([LABEL.split("=", 1)])
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Finished:
    """A container that ran to its end; it is still there."""

    id: str
    code: int
    out: str
    err: str


class Engine:
    """An engine that listens on a unix socket."""

    is_naru = False

    def __init__(self, socket_path: str) -> None:
        self.socket = socket_path
        self.config_dir = tempfile.mkdtemp(prefix="naru-test-config-")
        # Whoever makes an object for a socket alone has nothing to close.
        weakref.finalize(self, shutil.rmtree, self.config_dir, ignore_errors=True)

    # -- requests --------------------------------------------------------------------------------

    @cached_property
    def version(self) -> str:
        """Return the version that requests speak unless told otherwise: 1.41 at most.

        It is what every engine we compare with has.
        """
        answer = wire.request(self.socket, "GET", "/_ping")
        newest = answer.headers["api-version"]
        return min(newest, "1.41", key=lambda text: [int(word) for word in text.split(".")])

    def api(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: wire.Query | None = None,
        headers: Mapping[str, str] | None = None,
        version: str | None = None,
        timeout_s: float = 100,
    ) -> wire.Response:
        """Make one request; `version` "" leaves it out of the path."""
        return wire.request(
            self.socket,
            method,
            path,
            body,
            query=query,
            headers=headers,
            version=self.version if version is None else version,
            timeout_s=timeout_s,
        )

    def stream(
        self, path: str, *, query: wire.Query | None = None, timeout_s: float = 100
    ) -> wire.Stream:
        """Start a GET whose answer goes on: logs, events."""
        return wire.Stream(
            self.socket, path, query=query, version=self.version, timeout_s=timeout_s
        )

    def hijack(
        self, path: str, body: object = None, *, query: wire.Query | None = None
    ) -> wire.Hijacked:
        """Start a POST whose connection becomes a process's."""
        return wire.Hijacked(self.socket, path, body, query=query, version=self.version)

    # -- programs --------------------------------------------------------------------------------

    @property
    def environ(self) -> dict[str, str]:
        """Return the environment of clients: this engine, and no configuration of the user's."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("DOCKER_", "NARU_"))}
        return kept | {"DOCKER_CONFIG": self.config_dir, "DOCKER_HOST": f"unix://{self.socket}"}

    def docker(
        self,
        *args: str,
        stdin: str | bytes = b"",
        env: Mapping[str, str] | None = None,
        timeout_s: float = 60,
    ) -> Result:
        """Run the real docker command."""
        return self._client("docker", args, stdin, env, timeout_s)

    def naru(
        self,
        *args: str,
        stdin: str | bytes = b"",
        env: Mapping[str, str] | None = None,
        timeout_s: float = 60,
    ) -> Result:
        """Run our command."""
        return self._client(self.naru_program, args, stdin, env, timeout_s)

    def terminal(
        self, program: str, *args: str, size: tuple[int, int] = (24, 80), timeout_s: float = 60
    ) -> pexpect.spawn[str]:
        """Run `docker` or `naru` on a terminal of its own; the caller closes it."""
        path = self.naru_program if program == "naru" else program
        return pexpect.spawn(
            path,
            _labelled(args),
            env=self.environ | {"TERM": "xterm"},
            dimensions=size,
            timeout=timeout_s,
            encoding="utf-8",
            echo=False,
        )

    @property
    def naru_program(self) -> str:
        """Return the path of our command."""
        return str(Path(sys.executable).parent / "naru")

    def _client(
        self,
        program: str,
        args: Sequence[str],
        stdin: str | bytes,
        env: Mapping[str, str] | None,
        timeout_s: float,
    ) -> Result:
        argv = [program, *_labelled(args)]
        return programs.run(
            argv, stdin=stdin, env=self.environ | dict(env or {}), timeout_s=timeout_s
        )

    def client(self, **options: Any) -> DockerClient:
        """Return docker-py's client; the caller closes it."""
        return DockerClient(base_url=f"unix://{self.socket}", **options)

    # -- short words -----------------------------------------------------------------------------

    def create(self, *cmd: str, **options: Any) -> str:
        """Create a container and return its id; `options` are those of `ask_to_create`."""
        return str(self.ask_to_create(*cmd, **options).ok(201).json()["Id"])

    def ask_to_create(
        self,
        *cmd: str,
        name: str | None = None,
        image: str = BUSYBOX,
        host: Mapping[str, Any] | None = None,
        version: str | None = None,
        **config: Any,
    ) -> wire.Response:
        """Ask for a container, which may be refused; `config` and `host` are the API's own keys."""
        body = {"Image": image, "HostConfig": dict(host or {}), **config}
        body["Labels"] = LABELS | (config.get("Labels") or {})
        if cmd:
            body["Cmd"] = list(cmd)
        return self.api("POST", "/containers/create", body, query={"name": name}, version=version)

    def refusal(self, *cmd: str, **options: Any) -> wire.Response:
        """Return the answer that refuses a container, at its creation or at its start.

        Which of the two it is differs between engines, and between releases of Docker's.
        """
        answer = self.ask_to_create(*cmd, **options)
        if answer.status == 201:
            container = answer.json()["Id"]
            answer = self.api("POST", f"/containers/{container}/start")
            self.remove(container)
        assert answer.status >= 400, (answer.status, cmd, options)
        return answer

    def start(self, container: str) -> None:
        """Start a container."""
        self.api("POST", f"/containers/{container}/start").ok(204)

    def up(self, *cmd: str, **options: Any) -> str:
        """Create and start a container; it sleeps if it has nothing to do. Return its id."""
        words = cmd or (() if "Entrypoint" in options else ("sleep", "1000"))
        container = self.create(*words, **options)
        self.start(container)
        return container

    def run(self, *cmd: str, **options: Any) -> Finished:
        """Create, start and wait; return the exit code and the log. The container stays."""
        container = self.up(*cmd, **options)
        code = self.wait(container)
        logs = self.logs(container)
        return Finished(container, code, logs["stdout"].decode(), logs["stderr"].decode())

    def sh(self, script: str, **options: Any) -> Finished:
        """Run a shell script in a container of its own."""
        return self.run("sh", "-c", script, **options)

    def wait(self, container: str, condition: str | None = None, *, timeout_s: float = 100) -> int:
        """Wait for a container's end and return its exit code."""
        answer = self.api(
            "POST",
            f"/containers/{container}/wait",
            query={"condition": condition},
            timeout_s=timeout_s,
        )
        return int(answer.ok(200).json()["StatusCode"])

    def logs(self, container: str, **query: Any) -> dict[str, bytes]:
        """Return a container's log; of a terminal all is stdout."""
        words = {"stdout": True, "stderr": True, **query}
        body = self.api("GET", f"/containers/{container}/logs", query=words).ok(200).body
        if self.inspect(container)["Config"]["Tty"]:
            return {"stdout": body, "stderr": b""}
        return wire.split_frames(body)

    def inspect(self, container: str) -> dict[str, Any]:
        """Return all that the engine tells about a container."""
        answer = self.api("GET", f"/containers/{container}/json").ok(200).json()
        assert isinstance(answer, dict)
        return answer

    def state(self, container: str) -> dict[str, Any]:
        """Return the `State` of a container."""
        state = self.inspect(container)["State"]
        assert isinstance(state, dict)
        return state

    def await_status(self, container: str, status: str) -> dict[str, Any]:
        """Wait until a container has this status; return its state."""

        def probe() -> dict[str, Any]:
            state = self.state(container)
            assert state["Status"] == status, state
            return state

        return eventually(probe, f"{container[:12]} is {status}")

    def events(self, since: float, **filters: list[str]) -> list[dict[str, Any]]:
        """Return what has been told since a time of `time.time`, as far as it fits the filters."""
        query = {"since": f"{since:.9f}", "until": f"{time.time():.9f}", "filters": filters}
        return self.api("GET", "/events", query=query).ok(200).json_lines()

    def await_made(self, container: str, status: str) -> None:
        """Wait until somebody else has made a container and it has this status."""

        def probe() -> bool:
            answer = self.api("GET", f"/containers/{container}/json")
            return answer.status == 200 and answer.json()["State"]["Status"] == status

        eventually(probe, f"{container} is {status}")

    def remove(self, container: str) -> None:
        """Remove a container, running or not, with its anonymous volumes."""
        self.api("DELETE", f"/containers/{container}", query={"force": True, "v": True}).ok(204)

    def exec(self, container: str, *cmd: str, **config: Any) -> Finished:
        """Run a second process in a container to its end."""
        body = {"Cmd": list(cmd), "AttachStdout": True, "AttachStderr": True, **config}
        answer = self.api("POST", f"/containers/{container}/exec", body).ok(201)
        exec_id = str(answer.json()["Id"])
        tty = bool(config.get("Tty"))
        stream = self.api("POST", f"/exec/{exec_id}/start", {"Detach": False, "Tty": tty}).ok(200)
        parts = {"stdout": stream.body, "stderr": b""} if tty else wire.split_frames(stream.body)

        def ended() -> Any:
            state = self.api("GET", f"/exec/{exec_id}/json").ok(200).json()
            return None if state["Running"] else state

        code = eventually(ended, "the exec has ended")["ExitCode"]
        return Finished(exec_id, int(code), parts["stdout"].decode(), parts["stderr"].decode())

    def load(self, archive: bytes) -> list[Any]:
        """Load an image archive; return the records of the answer."""
        answer = self.api("POST", "/images/load", archive, query={"quiet": True}).ok(200)
        records = answer.json_lines()
        failed = [record for record in records if "error" in record]
        assert not failed, failed
        return records

    def image_id(self, name: str) -> str:
        """Return the id of an image."""
        return str(self.api("GET", f"/images/{name}/json").ok(200).json()["Id"])

    def has_image(self, name: str) -> bool:
        """Say whether an image is there."""
        return self.api("GET", f"/images/{name}/json").status == 200

    def ensure_busybox(self) -> None:
        """Load `busybox:latest` unless it is there."""
        if not self.has_image(BUSYBOX):
            self.load(busybox_archive())

    def ensure_test_image(self) -> str:
        """Return the name of an image with users, groups and homes; load it if need be.

        It stays for other tests of the session.
        """
        if not self.has_image(TEST_IMAGE):
            self.load(docker_archive([TEST_IMAGE], [busybox_layer()]))
        return TEST_IMAGE

    def containers(self) -> list[str]:
        """Return the ids of all containers that tests of this process made."""
        query = {"all": True, "filters": {"label": [LABEL]}}
        answer = self.api("GET", "/containers/json", query=query).ok(200)
        return [str(item["Id"]) for item in answer.json()]

    def network(self, name: str | None = None, **body: Any) -> str:
        """Make a network and return its name; `body` is the API's own keys."""
        name = name or f"nt-{os.getpid()}-{next(_numbers)}"
        labels = LABELS | body.pop("Labels", {})
        self.api("POST", "/networks/create", {"Name": name, "Labels": labels, **body}).ok(201)
        return name

    def networks(self) -> list[str]:
        """Return the ids of all networks that tests of this process made."""
        query = {"filters": {"label": [LABEL]}}
        answer = self.api("GET", "/networks", query=query).ok(200)
        # What others were made from goes after them.
        found = sorted(answer.json(), key=lambda item: bool(item["ConfigOnly"]))
        return [str(item["Id"]) for item in found]

    def remove_all(self) -> None:
        """Remove every container and network that tests of this process made."""
        for container in self.containers():
            query = {"force": True, "v": True}
            self.api("DELETE", f"/containers/{container}", query=query).ok(204, 404, 409)
        for network in self.networks():
            self.api("DELETE", f"/networks/{network}").ok(204, 404)


def _labelled(args: Sequence[str]) -> list[str]:
    """Add our label to the words that make a container."""
    words = list(args)
    for index, word in enumerate(words):
        if word in ("run", "create"):
            if index == 0 or words[index - 1] == "container":
                words.insert(index + 1, f"--label={LABEL}")
            break
        if not word.startswith("-") and word != "container":
            break
    return words
