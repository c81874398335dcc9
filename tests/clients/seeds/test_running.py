"""`run` and `create`: what they are told, what they print, and what they leave."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from harness.clients import Client, ended
from harness.requirements import requires

pytestmark = requires("root")


@pytest.mark.seed("S014")
def test_words_after_the_image_take_the_place_of_its_command(client: Client) -> None:
    assert client.say("run", "--name", "customCmd", "busybox", "echo", "hi") == "hi"
    # The placeholder of a manual, typed as it stands there.
    literal = client("run", "--name", "customCmd2", "busybox", "cmd", "(custom command)")
    assert (literal.code, literal.out) == (127, "")
    assert 'exec: "cmd": executable file not found in $PATH' in literal.err


@pytest.mark.seed("S015")
def test_the_background_gives_an_id_and_the_foreground_the_exit_code(client: Client) -> None:
    detached = client("run", "-d", "busybox", "sleep", "1000").ok()
    assert re.fullmatch(r"[0-9a-f]{64}\n", detached.out)
    assert client.show("{{.State.Running}}", detached.out.strip()) == "true"
    shown = client("run", "busybox", "sh", "-c", "echo until; echo the end; exit 9")
    assert (shown.code, shown.out) == (9, "until\nthe end\n")


@pytest.mark.seed("S016")
def test_variables_are_set_and_the_wrong_order_is_told(client_28: Client) -> None:
    words = ("--env", "KEY=VALUE", "-e", "TWO=a b", "-e", "HOME_OF_MINE", "busybox", "env")
    lines = client_28.say("run", "--rm", *words, env={"HOME_OF_MINE": "x"}).splitlines()
    assert {"KEY=VALUE", "TWO=a b", "HOME_OF_MINE=x"} <= set(lines)
    text = "invalid reference format: repository name (library/KEY=VALUE) must be lowercase"
    for verb, code in (("run", 125), ("create", 1)):
        swapped = client_28(verb, "--env", "busybox", "KEY=VALUE")
        assert (swapped.code, swapped.out) == (code, "")
        assert text in swapped.err


@pytest.mark.seed("S017")
def test_a_file_gives_variables(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_text("# a comment=1\n\n  \nSET=yes\nWITH=a = b\nFROM_HOST\nNOT_ON_HOST\n")
    words = ("run", "--rm", f"--env-file={path}", "busybox", "env")
    lines = client.say(*words, env={"FROM_HOST": "here"}).splitlines()
    assert {"SET=yes", "WITH=a = b", "FROM_HOST=here"} <= set(lines)
    assert not [line for line in lines if "comment" in line or line.startswith("NOT_ON_HOST")]


@pytest.mark.seed("S024")
def test_input_goes_through_a_pipe(client: Client) -> None:
    script = f"echo hi | {client.path} run --rm -i busybox cat"
    done = subprocess.run(
        ["sh", "-c", script], env=client.engine.environ, capture_output=True, check=True
    )
    assert done.stdout == b"hi\n"
    assert client.say("run", "--rm", "busybox", "cat", stdin="hi\n") == ""


@pytest.mark.seed("S025")
def test_create_makes_what_start_starts(client: Client) -> None:
    made = client("container", "create", "busybox", "echo", "later").ok().out
    assert re.fullmatch(r"[0-9a-f]{64}\n", made)
    row = ("ps", "-a", "--no-trunc", "--filter", f"id={made.strip()}", "--format")
    assert client.say(*row, "{{.ID}} {{.Status}}") == f"{made.strip()} Created"
    assert client.say("logs", made.strip()) == ""
    assert client.say("start", "-a", made.strip()) == "later"


@pytest.mark.seed("S027")
def test_the_id_goes_to_a_file_that_must_not_be_there(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "cid"
    words = ("container", "run", "-d", "--cidfile", str(path), "busybox", "true")
    container = client.say(*words)
    assert path.read_text() == container
    assert len(container) == 64
    again = client(*words)
    assert again.code == 125
    assert f"delete {path}" in again.err
    assert path.read_text() == container


@pytest.mark.seed("S028")
def test_a_terminal_shows_a_calendar_and_holds_a_shell(client: Client) -> None:
    calendar = client.terminal("run", "--rm", "-i", "-t", "busybox", "/bin/cal")
    calendar.expect("Su Mo Tu We Th Fr Sa\r\n")
    assert ended(calendar)[1] == 0
    shell = client.terminal("run", "-it", "--rm", "busybox", "/bin/sh", size=(31, 97))
    shell.expect("# ")
    shell.sendline("tty; stty size")
    shell.expect("/dev/pts/0")
    shell.expect("31 97")
    for _ in range(20):
        # Only a change is told, and the command may not listen for it yet.
        shell.setwinsize(44, 110)
        shell.setwinsize(45, 111)
        shell.sendline("stty size")
        if shell.expect_exact(["45 111", "44 110", "31 97"]) == 0:
            break
    else:
        pytest.fail("the new size is not known inside")
    shell.sendline("exit 7")
    assert ended(shell)[1] == 7


@pytest.mark.seed("S029")
def test_names_are_given_or_drawn_and_never_twice(client: Client) -> None:
    first = client.say("create", "--name", "seeds-named", "busybox")
    assert client.show("{{.Name}}", first) == "/seeds-named"
    drawn = client.show("{{.Name}}", client.say("create", "busybox"))
    assert re.fullmatch(r"/[a-z]+_[a-z]+", drawn)
    taken = client("run", "--name", "seeds-named", "busybox")
    assert taken.code == 125
    text = f'The container name "/seeds-named" is already in use by container "{first}"'
    assert f"Conflict. {text}" in taken.err
    answer = client.engine.ask_to_create(name="seeds-named")
    assert answer.status == 409
    assert text in answer.json()["message"]


@pytest.mark.seed("S030")
def test_users_are_numbers_or_names_of_the_image(client: Client) -> None:
    image = client.engine.ensure_test_image()

    def ids(user: str) -> str:
        return client.say("run", "--rm", "-u", user, image, "sh", "-c", "id -u; id -g").replace(
            "\n", ":"
        )

    assert ids("1234") == "1234:0"
    assert ids("1234:56") == "1234:56"
    assert ids("app") == "1000:1000"
    assert ids("app:staff") == "1000:50"
    unknown = client("run", "--rm", "-u", "nosuch", image, "true")
    assert unknown.code in (125, 126)
    assert "unable to find user nosuch: no matching entries in passwd file" in unknown.err


@pytest.mark.seed("S041")
def test_a_host_name_is_known_in_all_its_places(client: Client) -> None:
    script = "hostname; cat /etc/hostname; grep -c own-name /etc/hosts"
    words = ("run", "--rm", "-h", "own-name", "busybox", "sh", "-c", script)
    assert client.say(*words) == "own-name\nown-name\n1"
    container = client.up("busybox", "sleep", "1000")
    assert client.say("exec", container, "hostname") == container[:12]


@pytest.mark.seed("S046")
def test_the_working_directory_is_made_if_it_is_missing(client: Client) -> None:
    for path in ("/etc", "/made/by/run"):
        assert client.say("run", "--rm", "-w", path, "busybox", "pwd") == path
    relative = client("run", "--rm", "-w", "relative", "busybox", "pwd")
    assert relative.code == 125
    assert "the working directory 'relative' is invalid, it needs to be an absolute path" in (
        relative.err
    )


@pytest.mark.seed("S042")
def test_shares_of_the_processor_reach_the_cgroup(client: Client) -> None:
    on_v2 = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
    path = "/sys/fs/cgroup/cpu.weight" if on_v2 else "/sys/fs/cgroup/cpu/cpu.shares"
    for option, expected in (("-c=512", "20" if on_v2 else "512"), ("-c=0", "")):
        value = client.say("run", "--rm", option, "busybox", "cat", path)
        assert value == (expected or ("100" if on_v2 else "1024"))


@pytest.mark.seed("S004")
def test_limits_are_the_cgroups_own(client: Client) -> None:
    on_v2 = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
    files = (
        ("memory.max", "cpu.max", "pids.max")
        if on_v2
        else ("memory/memory.limit_in_bytes", "cpu/cpu.cfs_quota_us", "pids/pids.max")
    )
    limits = ("-m", "32m", "--cpus", "0.5", "--pids-limit", "20")
    container = client.up(*limits, "busybox", "sleep", "1000")
    values = client.say(
        "exec", container, "sh", "-c", "cd /sys/fs/cgroup; cat " + " ".join(files)
    ).splitlines()
    assert values == [str(32 << 20), "50000 100000" if on_v2 else "50000", "20"]
    script = "for n in $(seq 30); do sleep 5 & done; :"
    assert "can't fork" in client("exec", container, "sh", "-c", script).err


@pytest.mark.seed("S043")
def test_more_memory_than_the_limit_is_fatal_and_told(client: Client) -> None:
    words = ("--name", "seeds-oom", "-m", "16m", "busybox")
    hungry = client("run", *words, "sh", "-c", "x=$(head -c 100000000 /dev/zero | tr '\\0' x)")
    assert hungry.code == 137
    form = "{{.State.OOMKilled}} {{.State.ExitCode}} {{.HostConfig.Memory}} "
    form += "{{.HostConfig.MemorySwap}}"
    assert client.show(form, "seeds-oom") == f"true 137 {16 << 20} {32 << 20}"
    small = client("run", "-m", "5m", "busybox", "true")
    assert small.code == 125
    assert "Minimum memory limit allowed is 6MB" in small.err
