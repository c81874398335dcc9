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
    path.write_text('{"debug": true, "mtu": 1400}')
    reload()
    assert logging.getLogger().level == logging.DEBUG
    assert "at the next start: mtu\n" in caplog.text


def test_a_wrong_file_changes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "daemon.json"
    path.write_text("{}")
    reload = Reloader(loader(path), lambda: loader(path))
    before = logging.getLogger().level
    path.write_text('{"debug": true, "no-such": 1}')
    reload()
    assert logging.getLogger().level == before
    assert "stays as it was" in caplog.text
