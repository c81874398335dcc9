"""Making containers as users of both commands do it, and the options that the command itself heeds."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from fakes.create_words import WORDS
from harness.archives import busybox_layer, docker_archive
from harness.clients import Client
from harness.engine import Engine
from harness.waiting import eventually
from naru.cli import command_table

_IMAGE = "naru-test/making:1"
# Options of run that its request does not show, each with a test that shows what it does.
_HEEDED_BY_THE_COMMAND = {
    "cidfile": "clients/test_making_containers::test_the_id_goes_to_a_new_file",
    "detach": "clients/test_making_containers::test_in_the_background_the_id_is_all_that_is_said",
    "detach-keys": "clients/test_naru_terminal::test_detach_keys_leave_the_container_running",
    "disable-content-trust": "clients/test_making_containers::test_signatures_are_not_said_to_be_checked",
    "help": "unit/cli/test_help::test_page_of_a_command_is_dockers",
    "pull": "clients/test_making_containers::test_an_image_is_pulled_as_told",
    "quiet": "clients/test_making_containers::test_an_image_is_pulled_as_told",
    "sig-proxy": "clients/test_naru_run::test_signals_that_are_not_proxied_end_the_command_alone",
}


def _inspect(client: Client, name: str) -> dict[str, Any]:
    found = json.loads(client("inspect", name).ok().out)[0]
    assert isinstance(found, dict)
    return found


def test_every_option_of_run_is_among_the_words_or_heeded_by_the_command() -> None:
    words = {
        word.partition("=")[0]
        for lines in WORDS.values()
        for line in lines.splitlines()
        for word in shlex.split(line)
    }
    for option in command_table.load_command("run").options:
        if option.is_ours:
            continue
        if option.name in _HEEDED_BY_THE_COMMAND:
            module, _, test = _HEEDED_BY_THE_COMMAND[option.name].partition("::")
            source = (Path(__file__).parents[1] / f"{module}.py").read_text(encoding="utf-8")
            assert f"def {test}(" in source, option.name
            continue
        is_short = option.short and any(
            re.match(rf"-[a-zA-Z]*{option.short}", word) for word in words
        )
        assert f"--{option.name}" in words or is_short, option.name


@pytest.mark.seed("S012", "S013", "S014")
def test_what_is_said_at_the_start_changes_the_container_only(
    engine: Engine, client: Client
) -> None:
    config = {"Env": ["A=image"], "Cmd": ["echo", "image"]}
    engine.load(docker_archive([_IMAGE], [busybox_layer()], config=config))
    try:
        before = _inspect(client, _IMAGE)
        assert before["RootFS"]["Layers"]
        assert (before["Config"]["Env"], before["Config"]["Cmd"]) == (config["Env"], config["Cmd"])
        words = ("run", "--name", "naru-test-cmd", "-e", "A=own", _IMAGE)
        assert client(*words, "sh", "-c", "echo hi $A").ok().out == "hi own\n"
        assert _inspect(client, _IMAGE) == before
        own = _inspect(client, "naru-test-cmd")["Config"]
        assert (own["Env"], own["Cmd"]) == (["A=own"], ["sh", "-c", "echo hi $A"])
        literal = client("run", "--rm", _IMAGE, "cmd")
        assert literal.code == 127
        assert 'exec: "cmd": executable file not found in $PATH' in literal.err
    finally:
        engine.remove_all()
        engine.api("DELETE", f"/images/{_IMAGE}", query={"force": True}).ok(200, 404)


@pytest.mark.seed("S015")
def test_in_the_background_the_id_is_all_that_is_said(client: Client) -> None:
    done = client("run", "-d", "busybox", "echo", "hi").ok()
    assert re.fullmatch(r"[0-9a-f]{64}\n", done.out)
    assert client("run", "--rm", "busybox", "sh", "-c", "echo hi; exit 7").code == 7


@pytest.mark.seed("S016")
def test_variables_stand_before_the_image(client: Client) -> None:
    words = ("run", "--rm", "--env", "KEY=value", "busybox", "sh", "-c", "echo $KEY")
    assert client(*words).ok().out == "value\n"
    for verb, code in (("run", 125), ("create", 1)):
        wrong = client(verb, "--env", "busybox", "KEY=VALUE")
        assert wrong.code == code
        problem = "invalid reference format: repository name (library/KEY=VALUE) must be lowercase"
        assert problem in wrong.err


@pytest.mark.seed("S017")
def test_files_give_variables_and_labels(client: Client, tmp_path: Path) -> None:
    variables, labels = tmp_path / "env", tmp_path / "labels"
    variables.write_text("# not me\n\nA=1\nPATH\nNOT_SET_ANYWHERE\n")
    labels.write_text("#no\none=1\n two=2\n")
    words = (f"--env-file={variables}", f"--label-file={labels}", "-e", "B=2")
    name = client("create", *words, "busybox").ok().out.strip()
    config = _inspect(client, name)["Config"]
    env = dict(entry.partition("=")[::2] for entry in config["Env"])
    assert (env["A"], env["B"], "NOT_SET_ANYWHERE" in env) == ("1", "2", False)
    assert env["PATH"]
    assert (config["Labels"]["one"], config["Labels"]["two"]) == ("1", "2")


@pytest.mark.seed("S025")
def test_what_is_created_does_not_run(client: Client) -> None:
    name = client("container", "create", "busybox").ok().out.strip()
    assert re.fullmatch(r"[0-9a-f]{64}", name)
    assert _inspect(client, name)["State"]["Status"] == "created"


@pytest.mark.seed("S026")
def test_only_the_streams_that_are_named_are_shown(client: Client) -> None:
    script = ("busybox", "sh", "-c", "echo out; echo err >&2")
    for streams, out, err in (
        (("stdout",), "out\n", ""),
        (("stderr",), "", "err\n"),
        (("stdout", "stderr"), "out\n", "err\n"),
    ):
        words = [word for name in streams for word in ("-a", name)]
        done = client("container", "run", "--rm", *words, *script).ok()
        assert (done.out, done.err) == (out, err)


@pytest.mark.seed("S027")
def test_the_id_goes_to_a_new_file(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "id"
    client("run", "--cidfile", str(path), "busybox", "true").ok()
    text = path.read_text()
    assert re.fullmatch(r"[0-9a-f]{64}", text)
    assert _inspect(client, text)["HostConfig"]["ContainerIDFile"] == str(path)
    again = client("run", "--cidfile", str(path), "busybox", "true")
    assert again.code == 125
    assert "container ID file found, make sure the other container isn't running" in again.err
    assert path.read_text() == text


@pytest.mark.seed("S029")
def test_a_name_is_given_or_made_up_and_belongs_to_one(client: Client) -> None:
    first = client("create", "--name", "naru-test-named", "busybox").ok().out.strip()
    taken = client("run", "--name", "naru-test-named", "busybox")
    assert taken.code == 125
    assert (
        f'Conflict. The container name "/naru-test-named" is already in use by container "{first}".'
    ) in taken.err
    other = client("create", "busybox").ok().out.strip()
    assert re.fullmatch(r"/[a-z]+_[a-z]+[0-9]*", _inspect(client, other)["Name"])


@pytest.mark.seed("S030")
def test_a_user_is_found_by_name_and_by_number(client: Client) -> None:
    for user, shown in (("1234:56", "1234:56"), ("0", "0:0"), ("77", "77:0")):
        words = ("run", "--rm", "-u", user, "busybox", "sh", "-c", "echo $(id -u):$(id -g)")
        assert client(*words).ok().out.strip() == shown


@pytest.mark.seed("S032", "S033")
def test_what_goes_at_its_end_takes_its_volumes_along(engine: Engine, client: Client) -> None:
    before = client("volume", "ls", "-q").ok().out
    client("run", "--rm", "-v", "/data", "--name", "naru-test-gone", "busybox", "true").ok()
    eventually(lambda: client("inspect", "naru-test-gone").code == 1, "it is gone")
    assert client("volume", "ls", "-q").ok().out == before
    both = client("run", "--rm", "--restart=always", "busybox")
    assert both.code == 125
    assert "conflicting options: cannot specify both --restart and --rm" in both.err
    client("run", "--rm", "--restart=no", "busybox", "true").ok()
    assert engine.containers() == []


def test_an_image_is_pulled_as_told(client: Client) -> None:
    missing = "127.0.0.1:1/naru/nothing:1"
    looking = f"Unable to find image '{missing}' locally"
    for words, code, is_told in (
        ((), 125, True),
        (("--quiet",), 125, False),
        (("--pull", "never"), 125, False),
        (("--pull", "sometimes"), 125, False),
    ):
        done = client("run", *words, missing)
        assert (done.code, looking in done.err) == (code, is_told), words
    assert "No such image" in client("run", "--pull=never", missing).err
    assert "invalid pull option: 'sometimes'" in client("run", "--pull=sometimes", missing).err
    # Told to pull always, it does so although the image is there.
    there = "127.0.0.1:1/naru/there:1"
    client("tag", "busybox", there).ok()
    try:
        client("run", "--rm", there, "true").ok()
        client("run", "--rm", "--pull=never", there, "true").ok()
        assert client("run", "--rm", "--pull=always", there, "true").code == 125
    finally:
        client("rmi", there).ok()


def test_an_image_of_another_platform_is_looked_for(client: Client) -> None:
    stays = client("create", "--pull=never", "--platform=linux/s390x", "busybox")
    assert stays.code == 1
    assert "does not match the specified platform (linux/s390x)" in stays.err
    assert "its platform (linux/" in stays.err


def test_signatures_are_not_said_to_be_checked(client: Client) -> None:
    client("run", "--rm", "--disable-content-trust", "busybox", "true").ok()
    checked = client("run", "--rm", "--disable-content-trust=false", "busybox", "true")
    assert checked.code != 0


def test_domain_annotations_and_the_engines_socket_reach_the_container(client: Client) -> None:
    words = ("--domainname", "example.org", "--annotation", "org.example=1", "--use-api-socket")
    name = client("create", "-h", "web", *words, "busybox").ok().out.strip()
    view = _inspect(client, name)
    assert (view["Config"]["Hostname"], view["Config"]["Domainname"]) == ("web", "example.org")
    assert view["HostConfig"]["Annotations"] == {"org.example": "1"}
    [mount] = view["HostConfig"]["Mounts"]
    assert mount["Target"] == "/var/run/docker.sock"
