"""Facts about a host, and what follows from them."""

from __future__ import annotations

import pytest

from naru.specgen.facts import ALL_CAPABILITIES, HostFacts, no_devices


@pytest.mark.parametrize(
    ("text", "version"),
    [("6.18.44-fc", (6, 18)), ("5.4-rc1", (5, 4)), ("", (0, 0)), ("strange", (0, 0))],
)
def test_kernel_version_is_compared_as_numbers(text: str, version: tuple[int, int]) -> None:
    assert HostFacts(kernel_version=text).kernel == version


def test_limits_are_free_only_with_the_capability() -> None:
    limited = HostFacts(
        capabilities=ALL_CAPABILITIES - {"CAP_SYS_RESOURCE"}, rlimits={"nofile": 1000}
    )
    assert limited.can_set_rlimit("nofile", 1000)
    assert not limited.can_set_rlimit("nofile", 1001)
    assert limited.can_set_rlimit("core", 1 << 40)
    assert HostFacts(rlimits={"nofile": 1000}).can_set_rlimit("nofile", 1001)


def test_a_host_without_devices_finds_none() -> None:
    assert no_devices("/dev/null") == ()
