"""Log options: bounded by default, Docker's texts for what is refused."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from naru.errors import InvalidInputError, NotSupportedError
from naru.runtime import journald_sink
from naru.runtime.log_driver import LogPolicy, available_drivers, check_on_host, log_policy

_SYSLOG = {"syslog-address": "udp://127.0.0.1:5140"}


@pytest.mark.parametrize(
    ("driver", "options", "policy"),
    [
        ("json-file", {}, LogPolicy(is_written=True, has_sink=True)),
        (
            "json-file",
            {"max-size": "10k", "max-file": "2", "compress": "true"},
            LogPolicy(True, 10_000, 2, has_sink=True, compress=True),
        ),
        ("local", {"max-size": "1m", "max-file": "1"}, LogPolicy(True, 1_000_000, 1)),
        ("local", {"compress": "false"}, LogPolicy(True)),
        ("json-file", {"max-size": "-1"}, LogPolicy(True, 0, 3, has_sink=True)),
        ("none", {}, LogPolicy(False, 0, 0, is_readable=False)),
        ("syslog", _SYSLOG, LogPolicy(True, 20_000_000, 5, has_sink=True)),
        (
            "syslog",
            {**_SYSLOG, "cache-max-size": "1m", "cache-max-file": "2", "cache-compress": "false"},
            LogPolicy(True, 1_000_000, 2, has_sink=True),
        ),
        (
            "syslog",
            {**_SYSLOG, "cache-disabled": "true"},
            LogPolicy(True, 20_000_000, 5, is_readable=False, has_sink=True),
        ),
        (
            "gelf",
            {"gelf-address": "tcp://h:1", "mode": "non-blocking", "max-buffer-size": "4k"},
            LogPolicy(True, 20_000_000, 5, has_sink=True, buffer_bytes=4096),
        ),
    ],
)
def test_options_become_a_policy(driver: str, options: dict[str, str], policy: LogPolicy) -> None:
    assert log_policy(driver, options) == policy


@pytest.mark.parametrize(
    ("driver", "options", "text"),
    [
        ("papyrus", {}, "logger: no log driver named 'papyrus' is registered"),
        ("json-file", {"a": "b"}, "unknown log opt 'a' for json-file log driver"),
        ("local", {"labels": "b"}, "unknown log opt 'labels' for log driver local"),
        ("syslog", {"max-size": "1m"}, "unknown log opt 'max-size' for syslog log driver"),
        ("journald", {"max-size": "1m"}, "unknown log opt 'max-size' for journald log driver"),
        ("fluentd", {"a": "b"}, "unknown log opt 'a' for fluentd log driver"),
        ("gelf", {"a": "b"}, 'unknown log opt "a" for gelf log driver'),
        ("none", {"max-size": "1m"}, "unknown log opt 'max-size' for none log driver"),
        ("none", {"mode": "blocking"}, "unknown log opt 'mode' for none log driver"),
        ("local", {"max-size": "x"}, "invalid size: 'x'"),
        ("local", {"max-size": "0"}, "max-size must be a positive number, got '0'"),
        ("local", {"max-file": "0"}, "max-file cannot be less than 1"),
        ("local", {"max-file": "x"}, 'strconv.Atoi: parsing "x": invalid syntax'),
        ("json-file", {"compress": "maybe"}, 'strconv.ParseBool: parsing "maybe": invalid syntax'),
        (
            "json-file",
            {"compress": "true", "max-file": "1"},
            "compress cannot be true when max-file is less than 2 or max-size is not set",
        ),
        ("json-file", {"mode": "x"}, "logger: logging mode not supported: x"),
        (
            "json-file",
            {"max-buffer-size": "1m"},
            "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
        ),
        (
            "json-file",
            {"mode": "non-blocking", "max-buffer-size": "x"},
            "error parsing option max-buffer-size: invalid size: 'x'",
        ),
        ("json-file", {"cache-disabled": "x"}, "invalid value for option cache-disabled: x"),
        ("json-file", {"cache-compress": "x"}, "invalid value for option cache-compress: x"),
        ("json-file", {"cache-max-size": "x"}, "invalid size: 'x'"),
        ("json-file", {"tag": "{{.Foo}}"}, "can't evaluate field Foo in type *logger.Info"),
        ("json-file", {"labels-regex": "("}, "error parsing regexp"),
    ],
)
def test_what_makes_no_sense_is_refused(driver: str, options: dict[str, str], text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        log_policy(driver, options)
    assert text in caught.value.message


@pytest.mark.parametrize("driver", ["awslogs", "etwlogs", "gcplogs", "splunk"])
def test_drivers_that_docker_has_and_we_have_not_are_named(driver: str) -> None:
    with pytest.raises(NotSupportedError, match=f"log driver {driver} is not supported"):
        log_policy(driver, {})


def test_what_logs_reads_is_not_compressed() -> None:
    with pytest.raises(NotSupportedError, match="compress=true is not supported"):
        log_policy("local", {"compress": "true"})


def test_journald_is_there_when_its_socket_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "socket"
    monkeypatch.setattr(journald_sink.is_available, "__defaults__", (str(path),))
    assert "journald" not in available_drivers()
    with pytest.raises(NotSupportedError, match="journald is not enabled on this host"):
        check_on_host("journald", {})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(path))
        assert "journald" in available_drivers()
        check_on_host("journald", {})
