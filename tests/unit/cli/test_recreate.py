"""`container recreate`: every option is heard, and only those on the line."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from fakes.recording_engine import RecordingEngine
from naru.cli import command_table, main
from naru.cli.commands.recreate import CONFIG_FIELDS, HOST_FIELDS, OF_NETWORK

_HERE = frozenset(
    (
        "env-rm help keep-layer label-rm mount-rm platform publish-rm pull quiet timeout wait"
        " wait-timeout"
    ).split()
)


def test_every_option_is_heard() -> None:
    options = command_table.load_command("container recreate").options
    names = {option.stored_as for option in options}
    assert names == {*CONFIG_FIELDS, *HOST_FIELDS, *OF_NETWORK, *_HERE}


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["c"], "you must provide one or more flags when using this command"),
        (["c", "--ip", "1.2.3.4"], "--ip needs --network: it says on which one"),
        (["c", "--keep-layer"], "--keep-layer needs an image"),
        (["c", "--wait-timeout", "3"], "--wait-timeout needs --wait"),
        (["c", "--wait", "--wait-timeout", "0", "i"], "--wait-timeout must be positive"),
        (["c", "--pull", "x", "i"], "invalid pull option: 'x'"),
        (["c", "--rm", "--restart", "always"], "cannot specify both --restart and --rm"),
    ],
)
def test_words_that_mean_nothing_are_refused(
    words: list[str], problem: str, tmp_path: Path
) -> None:
    engine = RecordingEngine(tmp_path / "engine.sock")
    stderr = io.StringIO()
    environ = {"DOCKER_HOST": f"unix://{engine.socket_path}", "HOME": str(tmp_path)}
    argv = ["container", "recreate", *words]
    code = main.run(argv, environ, io.StringIO(), io.StringIO(), stderr)
    engine.close()
    assert code != 0
    assert problem in stderr.getvalue()
