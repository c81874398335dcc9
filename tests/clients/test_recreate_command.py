"""`naru container recreate`, as its users see it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.engine import Engine

pytestmark = pytest.mark.naru_only
_NAME = "naru-test-again"


def _view(engine: Engine) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(engine.naru("inspect", _NAME).ok().out)[0]
    return found


def test_options_stand_before_and_after_the_name(engine: Engine) -> None:
    words = ("-e", "A=1", "-e", "B=1", "-v", "/data", "-p", "127.0.0.1::80", "-m", "64m")
    engine.naru("run", "-d", "--name", _NAME, *words, "busybox", "sleep", "1000").ok()
    engine.naru("exec", _NAME, "sh", "-c", "echo mine | tee /layer /data/f").ok()
    again = ("container", "recreate", "--timeout", "0")
    done = engine.naru(
        *again, "-e", "A=2", _NAME, "--env-rm", "B", "--publish-rm", "80", "-p", "127.0.0.1::81"
    )
    assert done.ok().out == f"{_NAME}\n"
    view = _view(engine)
    assert {"A=2"} <= set(view["Config"]["Env"])
    assert not [entry for entry in view["Config"]["Env"] if entry.startswith("B")]
    assert list(view["NetworkSettings"]["Ports"]) == ["81/tcp"]
    assert view["HostConfig"]["Memory"] == 64 << 20
    engine.naru(*again, _NAME, "--tmpfs", "/scratch", "busybox", "sleep", "-x").ok()
    assert _view(engine)["Config"]["Cmd"] == ["sleep", "-x"], "behind the image no option is ours"
    # Which is no time to sleep, so it has ended; what does not run only changes.
    engine.await_status(_NAME, "exited")
    engine.naru(*again, _NAME, "busybox", "sleep", "2000").ok()
    engine.naru("start", _NAME).ok()
    shown = engine.naru("exec", _NAME, "cat", "/layer", "/data/f").ok().out
    assert shown == "mine\nmine\n"


def test_what_does_not_become_healthy_is_as_it_was(engine: Engine) -> None:
    engine.naru("run", "-d", "--name", _NAME, "busybox", "sleep", "1000").ok()
    check = ("--health-cmd", "false", "--health-interval", "100ms", "--health-retries", "1")
    done = engine.naru("container", "recreate", "--timeout", "0", _NAME, "--wait", *check)
    assert done.code == 1
    assert "it is unhealthy; it is as it was before" in done.err
    view = _view(engine)
    assert view["State"]["Running"] is True
    assert "Healthcheck" not in view["Config"]
    missing = engine.naru("container", "recreate", _NAME, "--pull=never", "naru-test/none:1")
    assert missing.code == 1
    assert "No such image: naru-test/none:1" in missing.err
