"""Every command and option of docker is here, or is left out for a reason that stands here."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
import pytest

from naru.cli import command_table, main
from naru.cli.spec import index

_GOLDEN = Path(__file__).parents[2] / "golden" / "cli" / "command_tree.json"
_TREE: dict[str, list[str]] = msgspec.json.decode(_GOLDEN.read_bytes())["commands"]

_SWARM = "this engine takes no part in swarms"
# By the first words of the path.
_LEFT_OUT = {
    "checkpoint": "experimental in docker, and of no use with its own restore",
    "config": _SWARM,
    "context": "contexts that docker made are used; making them is docker's",
    "manifest": "experimental in docker: puts indexes together in registries",
    "node": _SWARM,
    "plugin": "plugins of docker's own kind are programs for its engine",
    "secret": _SWARM,
    "service": _SWARM,
    "stack": _SWARM,
    "swarm": _SWARM,
    "trust": "signs through a Notary service, which this engine does not ask",
    "volume update": "changes volumes of a swarm's cluster only",
}
_WINDOWS = ("cpu-count", "cpu-percent", "io-maxbandwidth", "io-maxiops")
_CREATING = ("run", "create", "container run", "container create")
_OPTIONS_LEFT_OUT: dict[str, tuple[str, ...]] = {
    # Docker itself hides these where the engine is not one of Windows.
    **dict.fromkeys(_CREATING, _WINDOWS),
    # Checkpoints, as above.
    **dict.fromkeys(("start", "container start"), ("checkpoint", "checkpoint-dir")),
    # Volumes of a swarm's cluster.
    "volume create": (
        "availability",
        "group",
        "limit-bytes",
        "required-bytes",
        "scope",
        "secret",
        "sharing",
        "topology-preferred",
        "topology-required",
        "type",
    ),
    "volume ls": ("cluster",),
}


def _is_left_out(path: str) -> bool:
    words = path.split()
    return any(" ".join(words[:count]) in _LEFT_OUT for count in range(1, len(words) + 1))


def test_every_command_of_docker_is_here_or_left_out_on_purpose() -> None:
    assert [path for path in _TREE if path not in index.COMMANDS and not _is_left_out(path)] == []


def test_nothing_is_called_left_out_that_is_here() -> None:
    assert [path for path in index.COMMANDS if _is_left_out(path)] == []
    for path, names in _OPTIONS_LEFT_OUT.items():
        here = {option.name for option in command_table.load_command(path).options}
        assert here.isdisjoint(names), path


@pytest.mark.parametrize("path", sorted(path for path in _TREE if not _is_left_out(path)))
def test_every_option_of_a_command_is_here_or_left_out_on_purpose(path: str) -> None:
    here = {option.name for option in command_table.load_command(path).options}
    assert set(_TREE[path]) - here == set(_OPTIONS_LEFT_OUT.get(path, ()))


@pytest.mark.parametrize("path", sorted(_LEFT_OUT))
def test_what_is_left_out_is_refused_in_dockers_words(path: str) -> None:
    out, err = io.StringIO(), io.StringIO()
    code = main.run([*path.split(), "x"], {}, io.StringIO(), out, err)
    assert code == 1
    assert out.getvalue() == ""
    group, _, inner = path.partition(" ")
    usage = f"Usage:  naru {group}\n\nRun 'naru {group} --help'" if inner else "Run 'naru --help'"
    said = err.getvalue().splitlines()
    advice = [line for line in said if line.startswith(("Did you mean", "docker has such"))]
    assert inner or advice[0].startswith("docker has such a command, Naru has not")
    expected = f"naru: unknown command: naru {path}\n\n{usage} for more information"
    assert [line for line in said if line not in advice] == expected.splitlines()
