"""Log options, bounded by default."""

from __future__ import annotations

import pytest

from naru.errors import InvalidInputError
from naru.runtime.log_driver import LogPolicy, log_policy


@pytest.mark.parametrize(
    ("driver", "options", "policy"),
    [
        ("json-file", {}, LogPolicy(is_written=True, max_bytes=10_000_000, max_files=3)),
        ("local", {"max-size": "1m", "max-file": "1"}, LogPolicy(True, 1 << 20, 1)),
        ("json-file", {"max-size": "-1"}, LogPolicy(True, 0, 3)),
        ("none", {}, LogPolicy(False, 0, 0)),
    ],
)
def test_options_become_a_policy(driver: str, options: dict[str, str], policy: LogPolicy) -> None:
    assert log_policy(driver, options) == policy


@pytest.mark.parametrize(
    ("driver", "options", "text"),
    [
        ("syslog", {}, "logger: no log driver named 'syslog' is registered"),
        ("json-file", {"a": "b"}, "unknown log opt 'a' for json-file log driver"),
        ("none", {"max-size": "1m"}, "unknown log opt 'max-size' for none log driver"),
        ("local", {"max-size": "x"}, "invalid size: 'x'"),
        ("local", {"max-size": "0"}, "max-size must be a positive number, got '0'"),
        ("local", {"max-file": "0"}, "max-file must be a positive number, got '0'"),
    ],
)
def test_other_options_are_refused(driver: str, options: dict[str, str], text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        log_policy(driver, options)
    assert caught.value.message == text
