"""Health checks as both commands ask for them and show them."""

from __future__ import annotations

import pytest

from harness.engine import Engine
from harness.waiting import eventually

_CLIENTS = pytest.mark.parametrize("client", ["docker", "naru"])


@_CLIENTS
def test_health_options_reach_the_engine_and_ps_shows_the_answer(
    engine: Engine, client: str
) -> None:
    run = getattr(engine, client)
    words = "--health-cmd true --health-interval 200ms --health-retries 2 --health-timeout 5s"
    container = run("run", "-d", *words.split(), "busybox", "sleep", "1000").ok().out.strip()
    form = "{{json .Config.Healthcheck}}"
    assert run("inspect", "-f", form, container).ok().out.strip() == (
        '{"Test":["CMD-SHELL","true"],"Interval":200000000,"Timeout":5000000000,"Retries":2}'
    )
    status = ("ps", "--filter", f"id={container}", "--format", "{{.Status}}")
    eventually(lambda: "(healthy)" in run(*status).ok().out, "ps says healthy")
    assert run("inspect", "-f", "{{.State.Health.Status}}", container).ok().out == "healthy\n"
    assert run("ps", "-q", "--no-trunc", "--filter", "health=healthy").ok().out.strip() == container


@_CLIENTS
def test_no_healthcheck_is_kept(engine: Engine, client: str) -> None:
    run = getattr(engine, client)
    container = run("create", "--no-healthcheck", "busybox", "true").ok().out.strip()
    assert engine.inspect(container)["Config"]["Healthcheck"] == {"Test": ["NONE"]}
    answer = run("create", "--no-healthcheck", "--health-cmd", "x", "busybox")
    assert answer.code != 0
    assert "--no-healthcheck conflicts with --health-* options" in answer.err
    answer = run("create", "--health-cmd", "x", "--health-interval", "1us", "busybox")
    assert answer.code != 0
    assert "Interval in Healthcheck cannot be less than 1ms" in answer.err


@pytest.mark.naru_only
def test_what_follows_a_failure_is_asked_for_with_naru(engine: Engine) -> None:
    words = "--health-cmd false --health-interval 100ms --health-retries 1".split()
    words += ["--health-on-failure", "kill"]
    container = engine.naru("run", "-d", *words, "busybox", "sleep", "1000").ok().out.strip()
    assert engine.inspect(container)["Config"]["Healthcheck"]["OnFailure"] == "kill"
    assert engine.await_status(container, "exited")["ExitCode"] == 137
    answer = engine.naru("create", "--health-cmd", "x", "--health-on-failure", "x", "busybox")
    assert answer.code == 1
    assert "must be one of none, restart, stop, kill" in answer.err
