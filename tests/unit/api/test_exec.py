"""Exec requests on the wire."""

from __future__ import annotations

import msgspec

from naru.api.exec import ExecConfig, ExecStartConfig


def test_requests_are_read_by_the_schemas_names() -> None:
    config = msgspec.json.decode(
        b'{"AttachStdin": true, "Cmd": ["a"], "WorkingDir": "/", "DetachKeys": "q",'
        b' "ConsoleSize": [24, 80], "Unknown": 1}',
        type=ExecConfig,
    )
    assert (config.attach_stdin, config.cmd, config.working_dir) == (True, ["a"], "/")
    assert config.console_pair() == (24, 80)
    start = msgspec.json.decode(b'{"Detach": true, "Tty": true}', type=ExecStartConfig)
    assert (start.detach, start.tty) == (True, True)


def test_a_size_needs_both_sides() -> None:
    assert ExecConfig().console_pair() is None
    assert ExecConfig(console_size=[1]).console_pair() is None
