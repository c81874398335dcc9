"""Containers are apart from each other and from their image."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.archives import files
from harness.clients import Client
from harness.requirements import requires

pytestmark = requires("root")


@pytest.mark.seed("S008", "S009", "S010")
def test_processes_network_and_files_of_others_are_out_of_reach(client: Client) -> None:
    first, second = (client.up("busybox", "sleep", n) for n in ("1001", "1002"))
    seen = client.say("exec", first, "ps")
    assert "sleep 1001" in seen
    assert "sleep 1002" not in seen
    other = client.show("{{.State.Pid}}", second)
    killed = client("exec", first, "kill", "-9", other)
    assert killed.code == 1
    assert "No such process" in killed.err
    assert client.show("{{.State.Running}} {{.State.Pid}}", second) == f"true {other}"
    template = "{{.NetworkSettings.Networks.bridge.IPAddress}}"
    addresses = client.show(template, first, second).split()
    assert len(set(addresses)) == 2
    shown = client.say("exec", first, "ip", "-4", "-o", "addr", "show", "eth0")
    assert f" {addresses[0]}/" in shown
    spaces = {client.say("exec", each, "readlink", "/proc/self/ns/net") for each in (first, second)}
    assert len(spaces) == 2
    client("exec", first, "touch", "/written").ok()
    assert client("exec", second, "ls", "/written").code == 1
    assert client("run", "--rm", "busybox", "ls", "/written").code == 1


@pytest.mark.seed("S011")
def test_one_image_serves_many_and_each_takes_only_what_it_writes(client: Client) -> None:
    facts = ("image", "inspect", "-f", "{{.Id}} {{.Size}} {{json .RootFS}}", "busybox")
    before = client.say(*facts)
    script = "dd if=/dev/zero of=/big bs=1000 count=300 2>/dev/null"
    names = ["seeds-none", "seeds-small", "seeds-big"]
    for name, words in zip(names, (":", "echo x > /small", script), strict=True):
        client("run", "--name", name, "busybox", "sh", "-c", words).ok()
    assert [client.say("diff", name) for name in names] == ["", "A /small", "A /big"]
    table = client.say("ps", "-as", "--filter", "name=seeds-", "--format", "{{.Names}} {{.Size}}")
    sizes = dict(line.split(" ", 1) for line in table.splitlines())
    assert [sizes[name].split(" ")[0] for name in names] == ["0B", "2B", "300kB"]
    image = client.show("{{.Image}}", *names).splitlines()
    assert len(set(image)) == 1
    assert client.say(*facts) == before


@pytest.mark.seed("S012")
def test_an_image_is_its_layers_and_a_config(client: Client, tmp_path: Path) -> None:
    client("save", "-o", str(tmp_path / "saved.tar"), "busybox").ok()
    saved = files((tmp_path / "saved.tar").read_bytes())
    [entry] = json.loads(saved["manifest.json"])
    document = json.loads(saved[entry["Config"]])
    assert set(entry["Layers"]) <= saved.keys()
    told = json.loads(client.say("image", "inspect", "busybox"))[0]
    assert told["RootFS"]["Layers"] == document["rootfs"]["diff_ids"]
    assert len(entry["Layers"]) == len(told["RootFS"]["Layers"])
    assert (told["Os"], told["Architecture"]) == (document["os"], document["architecture"])
    assert told["Config"]["Cmd"] == document["config"]["Cmd"]


@pytest.mark.seed("S013")
def test_what_run_overrides_changes_the_container_and_not_the_image(client: Client) -> None:
    before = client.say("image", "inspect", "busybox")
    words = ("-e", "GIVEN=yes", "-e", "PATH=/bin", "busybox", "echo", "over")
    client("run", "--name", "seeds-over", *words).ok()
    config = json.loads(client.show("{{json .Config}}", "seeds-over"))
    assert config["Cmd"] == ["echo", "over"]
    assert sorted(config["Env"]) == ["GIVEN=yes", "PATH=/bin"]
    assert client.say("image", "inspect", "busybox") == before
