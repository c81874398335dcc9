"""What a platform for containers is: one kernel, an engine behind an API, a command in front."""

from __future__ import annotations

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.archives import Tree, busybox_layer, docker_archive
from harness.clients import Client
from harness.registry import serving
from harness.requirements import requires

pytestmark = requires("root")
_VERBS_OF_CONTAINERS = (
    *("attach", "commit", "cp", "create", "diff", "exec", "export", "kill", "logs", "pause"),
    *("port", "rename", "restart", "run", "start", "stats", "stop", "top", "unpause", "update"),
    "wait",
)


@pytest.mark.seed("S001")
@pytest.mark.naru_only
def test_a_container_is_a_process_of_the_same_kernel(client: Client) -> None:
    container = client.up("busybox", "sleep", "1234")
    assert client.say("exec", container, "uname", "-r") == os.uname().release
    pid = client.show("{{.State.Pid}}", container)
    assert Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x001234\x00"


@pytest.mark.seed("S002", "S018")
@pytest.mark.naru_only
@requires("docker-registry", "skopeo")
def test_the_daily_commands_work_and_run_pulls_what_is_not_there(
    client: Client, tmp_path: Path
) -> None:
    layers = [busybox_layer(), Tree().file("pulled", client.program).tar()]
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN echo built > /built\n")
    with serving({"box:1": docker_archive(["box:1"], layers)}) as registry:
        name = f"{registry.address}/box:1"
        assert "Server:" in client.say("version")
        assert "Server Version:" in client.say("info")
        client("build", "-t", "seeds/built", str(tmp_path)).ok()
        assert client.say("run", "--rm", "seeds/built", "cat", "/built") == "built"
        ran = client("run", name, "cat", "/pulled").ok()
        assert ran.out == client.program
        shown = ran.err.splitlines()
        assert shown[0] == f"Unable to find image '{name}' locally"
        assert shown[1] == "1: Pulling from box"
        assert shown[-1] == f"Status: Downloaded newer image for {name}"
        assert name in client.say("ps", "-a")
        pulled = client.say("pull", name)
        assert pulled.splitlines()[-2:] == [f"Status: Image is up to date for {name}", name]
        own = f"{registry.address}/built:1"
        client("tag", "seeds/built", own).ok()
        assert re.search(r"(?m)^1: digest: sha256:[0-9a-f]{64} size: \d+$", client.say("push", own))
        client.engine.remove_all()
        client("rmi", name, own, "seeds/built").ok()


@pytest.mark.seed("S003")
def test_the_engine_runs_containers_through_a_runtime_that_can_be_chosen(client: Client) -> None:
    info = client.say("info")
    [runtimes] = re.findall(r"(?m)^ Runtimes: (.+)$", info)
    [default] = re.findall(r"(?m)^ Default Runtime: (.+)$", info)
    assert default in runtimes.split()
    assert client.say("run", "--rm", f"--runtime={default}", "busybox", "echo", "ran") == "ran"
    refused = client("run", "--rm", "--runtime=nosuch", "busybox", "true")
    assert refused.code == 125
    assert "nosuch" in refused.err


@pytest.mark.seed("S005")
def test_command_library_and_request_see_the_same_objects(client: Client) -> None:
    container = client.up("-e", "A=1", "--name", "seeds-same", "busybox", "sleep", "1000")
    version = client.engine.version
    [told] = json.loads(client.say("inspect", container, env={"DOCKER_API_VERSION": version}))
    library = client.engine.client(version=version)
    try:
        assert library.containers.get("seeds-same").attrs == told
        assert library.images.get("busybox").id == told["Image"]
    finally:
        library.close()
    assert client.engine.inspect(container[:12]) == told


@pytest.mark.seed("S006")
def test_the_version_is_one_line(client: Client) -> None:
    short, long = client("-v").ok(), client("--version").ok()
    assert re.fullmatch(rf"(?i){client.program} version [^ ,]+(, build \w+)?\n", short.out)
    assert (short.out, short.err) == (long.out, long.err)
    assert short.err == ""


# Short names, and the long ones of the same command.
_NAMES = {
    **{verb: (f"container {verb}",) for verb in _VERBS_OF_CONTAINERS},
    "ps": ("container ls", "container list", "container ps"),
    "rm": ("container rm", "container remove"),
    "images": ("image ls", "image list"),
    "rmi": ("image rm", "image remove"),
    **{
        verb: (f"image {verb}",)
        for verb in ("history", "import", "load", "pull", "push", "save", "tag")
    },
    "build": ("image build", "builder build"),
    "events": ("system events",),
    "info": ("system info",),
    "network ls": ("network list",),
    "network rm": ("network remove",),
    "volume ls": ("volume list",),
    "volume rm": ("volume remove",),
}
_GROUPS = ("builder", "container", "image", "network", "system", "volume")


@pytest.mark.seed("S007")
def test_every_command_has_its_short_and_its_long_name(client_28: Client) -> None:
    def page(path: str) -> str:
        """Return what `--help` prints after the name of the command."""
        shown = client_28.say(*path.split(), "--help")
        return re.sub(rf"^Usage:  {client_28.program}( [a-z]+)+", "", shown)

    paths = [*_NAMES, *(name for names in _NAMES.values() for name in names)]
    with ThreadPoolExecutor(4) as threads:
        pages = dict(zip(paths, threads.map(page, paths), strict=True))
    assert all(pages.values())
    for short, names in _NAMES.items():
        assert {pages[name] for name in names} == {pages[short]}, short
    for group in _GROUPS:
        shown = client_28.say(group, "--help")
        assert shown.startswith(f"Usage:  {client_28.program} {group} COMMAND\n")
