"""What a reload changes, and what it says of the rest."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from naru.daemon.config import load_config
from naru.daemon.reloading import Reloader
from naru.daemon.settings import DaemonConfig


@pytest.fixture(autouse=True)
def _level() -> Iterator[None]:
    before = logging.getLogger().level
    yield
    logging.getLogger().setLevel(before)


def loader(path: Path) -> DaemonConfig:
    return load_config([f"--config-file={path}"], version="1")


def test_the_log_level_changes_and_the_rest_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "daemon.json"
    path.write_text('{"log-level": "error"}')
    reload = Reloader(loader(path), lambda: loader(path))
    applied: list[DaemonConfig] = []
    reload.apply = applied.append
    path.write_text('{"debug": true, "mtu": 1400, "registry-mirrors": ["https://a.lan"]}')
    reload()
    assert logging.getLogger().level == logging.DEBUG
    assert [config.registry_mirror for config in applied] == [("https://a.lan",)]
    assert "at the next start: mtu\n" in caplog.text


def test_a_wrong_file_changes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "daemon.json"
    path.write_text("{}")
    reload = Reloader(loader(path), lambda: loader(path))
    applied: list[DaemonConfig] = []
    reload.apply = applied.append
    before = logging.getLogger().level
    for text in ('{"debug": true, "no-such": 1}', '{"registry-mirrors": ["a.lan"]}'):
        path.write_text(text)
        reload()
    assert logging.getLogger().level == before
    assert applied == []
    assert caplog.text.count("stays as it was") == 2
