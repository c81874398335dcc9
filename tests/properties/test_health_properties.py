"""Laws of the health rule: whatever probes say, and in whatever order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from naru.engine.health_rule import Health, HealthCheck, ProbeResult, after_probe

_SECOND = 10**9
_CHECKS = st.builds(
    HealthCheck,
    st.just(("x",)),
    retries=st.integers(1, 5),
    start_period=st.integers(0, 20 * _SECOND),
)
# Exit codes of probes that are a second apart.
_CODES = st.lists(st.sampled_from((0, 1, 2, 137, -1)), max_size=40)


def _histories(check: HealthCheck, codes: list[int]) -> list[Health]:
    healths = [Health()]
    for second, code in enumerate(codes, 1):
        result = ProbeResult(second * _SECOND, second * _SECOND + 1, code, "")
        healths.append(after_probe(check, healths[-1], result, started_ns=0))
    return healths


@given(_CHECKS, _CODES)
def test_the_last_five_results_are_kept_in_order(check: HealthCheck, codes: list[int]) -> None:
    health = _histories(check, codes)[-1]
    assert [result.exit_code for result in health.log] == codes[-5:]


@given(_CHECKS, _CODES)
def test_a_success_always_means_healthy(check: HealthCheck, codes: list[int]) -> None:
    health = _histories(check, [*codes, 0])[-1]
    assert (health.status, health.failing_streak) == ("healthy", 0)


@given(_CHECKS, _CODES)
def test_unhealthy_is_who_failed_often_enough_in_a_row(
    check: HealthCheck, codes: list[int]
) -> None:
    for health in _histories(check, codes):
        assert (health.status == "unhealthy") == (health.failing_streak >= check.retries)


@given(_CHECKS, _CODES)
def test_nobody_goes_back_to_starting(check: HealthCheck, codes: list[int]) -> None:
    statuses = [health.status for health in _histories(check, codes)]
    settled = next((n for n, status in enumerate(statuses) if status != "starting"), len(statuses))
    assert "starting" not in statuses[settled:]


@given(_CHECKS, _CODES)
def test_failures_are_forgiven_until_the_start_period_is_over(
    check: HealthCheck, codes: list[int]
) -> None:
    failures = [code or 1 for code in codes]
    for second, health in enumerate(_histories(check, failures)):
        counted = sum(1 for n in range(1, second + 1) if n * _SECOND >= check.start_period)
        assert health.failing_streak == counted
