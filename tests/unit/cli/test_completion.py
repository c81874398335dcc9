"""What is offered where the cursor is, from the declarations and from what an engine has."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from naru.cli.completion import FILES, candidates
from naru.cli.spec import index

from .conftest import RecordedEngine

Cli = Callable[..., Any]
_THINGS = {
    "containers": ["web", "db"],
    "running": ["web"],
    "stopped": ["db"],
    "images": ["app:1", "busybox"],
    "networks": ["bridge", "front"],
    "volumes": ["data"],
}


def _offered(line: str) -> list[str]:
    words = line.split(" ")
    found = candidates(words, lambda kind: [(name, "") for name in _THINGS[kind]])
    return [name for name, _ in found]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("net", ["network"]),
        ("-D net", ["network"]),
        ("-H unix:///x net", ["network"]),
        ("network con", ["connect"]),
        ("network connect ", ["bridge", "front"]),
        ("network connect front ", ["web", "db"]),
        ("network create ", []),
        ("rm ", ["web", "db"]),
        ("rm web ", ["db"]),
        ("stop ", ["web"]),
        ("start ", ["db"]),
        ("container exec -it -e A=1 ", ["web"]),
        ("exec web ", [FILES]),
        ("run --rm -e ", []),
        ("run --rm -p 80:80 b", ["busybox"]),
        ("run busybox --na", [FILES]),
        ("run --network ", ["bridge", "front"]),
        ("run --network=f", ["--network=front"]),
        ("run --restart ", ["no", "always", "on-failure", "unless-stopped"]),
        ("run -v ", ["data:", FILES]),
        ("run --hostn", ["--hostname"]),
        ("network create -d ", ["bridge", "ipvlan", "macvlan"]),
        ("volume rm ", ["data"]),
        ("volume restore data ", []),
        ("image copy a", ["app:1"]),
        ("rename web ", []),
        ("load -i ", [FILES]),
        ("cp w", ["web:", FILES]),
        ("inspect ", ["web", "db", "app:1", "busybox", "bridge", "front", "data"]),
        ("completion ", ["bash", "fish", "zsh"]),
        ("rm -- -", []),
        ("nosuch ", []),
        ("--log-level d", ["debug"]),
    ],
)
def test_what_fits_is_offered(line: str, offered: list[str]) -> None:
    assert _offered(line) == offered


def test_every_command_that_is_shown_is_offered_and_no_other() -> None:
    groups = index.GROUPS
    for path in index.COMMANDS.keys() - index.ALIASES.keys():
        group, _, name = path.rpartition(" ")
        if group or name not in groups:
            found = _offered(f"{group} {name}".strip())
            shown = path in {n for _, names in index.ROOT_SECTIONS for n in names} or bool(group)
            assert (name in found) == (shown and path not in index.HIDDEN), path


def test_names_come_from_the_engine_and_each_with_a_word(engine: RecordedEngine, cli: Cli) -> None:
    engine.on("GET", "/containers/json", [{"Names": ["/web"], "Image": "app:1"}])
    assert cli("__complete", "--", "exec", "w").out == "web\tapp:1\n"
    assert engine.asked[0][2]["filters"] == {"status": ["running"]}
    engine.on("GET", "/images/json", [{"RepoTags": ["app:1", "box:latest"]}, {"RepoTags": None}])
    assert cli("__complete", "--", "rmi", "").out == "app:1\nbox\nbox:latest\n"


def test_bash_gets_what_stands_behind_its_last_break(engine: RecordedEngine, cli: Cli) -> None:
    engine.on("GET", "/images/json", [{"RepoTags": ["host:5000/app:1"]}])
    words = ("--breaks", " :=", "--line")
    assert cli("__complete", *words, "naru push host:50").out == "5000/app:1\n"
    assert cli("__complete", *words, "naru push 'host:5000/a").out == "5000/app:1\n"
    assert cli("__complete", *words, "naru images ").out == "host:5000/app:1\n"


def test_without_an_engine_words_are_offered_and_nothing_is_said(cli: Cli) -> None:
    silent = cli("__complete", "--", "rm", "")
    assert (silent.code, silent.out, silent.err) == (0, "", "")
    assert cli("__complete", "--", "--context", "nosuch", "rm", "").err == ""
    assert cli("__complete", "--", "netw").out == "network\tManage networks\n"


def test_scripts_are_for_three_shells(cli: Cli) -> None:
    for shell in ("bash", "fish", "zsh"):
        assert "__complete" in cli("completion", shell).out
    wrong = cli("completion", "tcsh")
    assert (wrong.code, wrong.err) == (1, '"tcsh": expected bash, fish, zsh\n')


def test_bash_completes_with_its_script(cli: Cli) -> None:
    script = cli("completion", "bash").out
    asking = """
naru() { printf '%s\\t%s\\n' "$3" 'what it is' :files ''; }
COMP_LINE='naru rm x and more' COMP_POINT=9
_naru
printf '<%s>' "${COMPREPLY[@]}"
"""
    done = subprocess.run(
        ["bash", "-c", script + asking], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("<naru rm x>", "")
