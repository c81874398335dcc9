"""Fixtures for everybody, and the two rules that hold for every test.

Nothing is left behind: an engine has after a test what it had before. Nothing hides: where
`CI=true`, a test that was skipped has failed.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Generator, Iterator

import hypothesis
import pytest

from harness import dockerd, leaks, narud
from harness.engine import Engine
from harness.narud import EngineUnderTest

# Another engine to aim the tests at, such as Docker itself: proof that they test behaviour.
_OTHER_SOCKET = os.environ.get("NARU_TEST_SOCKET", "")

# Shells let what they run in the background ignore it, and so would all that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes tells how busy the machine is. All else is as it was: in CI, examples
# are the same each time.
hypothesis.settings.register_profile(
    "naru", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("naru")


@pytest.fixture(scope="session")
def shared_engine() -> Iterator[Engine]:
    """Give the engine that most tests share: starting one for each would cost a second."""
    if _OTHER_SOCKET:
        other = Engine(_OTHER_SOCKET)
        other.ensure_busybox()
        yield other
        other.remove_all()
        return
    engine = narud.started()
    yield engine
    engine.destroy()


@pytest.fixture
def engine(shared_engine: Engine, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Give an engine with `busybox:latest` and nothing else; containers are removed afterwards."""
    if not isinstance(shared_engine, EngineUnderTest):
        if request.node.get_closest_marker("naru_only"):
            pytest.skip("what it promises is Naru's")
        yield shared_engine
        shared_engine.remove_all()
        return
    if not shared_engine.is_alive:
        shared_engine.process = None
        shared_engine.start_engine()
    shared_engine.ensure_busybox()
    before = shared_engine.footprint()
    yield shared_engine
    assert shared_engine.is_alive, f"the engine died\n{shared_engine.log_tail()}"
    shared_engine.remove_all()
    leaks.assert_nothing_left(before, shared_engine.footprint, what=request.node.name)


@pytest.fixture
def make_engine() -> Iterator[Callable[..., EngineUnderTest]]:
    """Give a maker of engines of one's own, for tests that kill them."""
    if _OTHER_SOCKET:
        pytest.skip("needs an engine of its own")
    made: list[EngineUnderTest] = []

    def make(*flags: str, env: dict[str, str] | None = None) -> EngineUnderTest:
        engine = narud.started(flags, env)
        made.append(engine)
        return engine

    yield make
    for engine in made:
        engine.destroy()


@pytest.fixture
def own_engine(make_engine: Callable[..., EngineUnderTest]) -> EngineUnderTest:
    """Give an engine of one's own, with `busybox:latest`."""
    return make_engine()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what compares with another release of Docker than this machine has.

    Distributions have older ones, whose words differ; what is recorded stands in other tests.
    """
    unfit = [
        item
        for item in items
        for program in ("docker", "dockerd")
        for marker in item.iter_markers(f"{program}_release")
        if not dockerd.release(program).startswith(f"{marker.args[0]}.")
    ]
    if unfit:
        items[:] = [item for item in items if item not in unfit]
        config.hook.pytest_deselected(items=unfit)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the engine's log to a failure; let no skip pass in CI."""
    report = yield
    if report.failed:
        shared = getattr(item, "funcargs", {})
        for name in ("engine", "own_engine"):
            engine = shared.get(name)
            if isinstance(engine, EngineUnderTest):
                report.sections.append((f"log of {name}", engine.log_tail()))
    if report.skipped and not hasattr(report, "wasxfail"):
        _forbid_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Let no file be skipped in CI either."""
    report = yield
    if report.skipped:
        _forbid_skip(report)
    return report


def _forbid_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if os.environ.get("CI") != "true":
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    report.outcome = "failed"
    report.longrepr = f"skipped, which CI does not allow: {reason}"
