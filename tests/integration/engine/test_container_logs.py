"""Logs: complete, in order, bounded, and found again by time and number."""

from __future__ import annotations

import re
import time

import pytest

from harness.engine import Engine

_UNTIL_GO = "until test -e /go; do sleep 0.02; done"
_STAMP = rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z "


def test_both_streams_are_kept_apart(engine: Engine) -> None:
    done = engine.sh("echo a; echo b >&2; echo c")
    assert engine.logs(done.id, stderr=False) == {"stdout": b"a\nc\n", "stderr": b""}
    assert engine.logs(done.id, stdout=False) == {"stdout": b"", "stderr": b"b\n"}


def test_one_stream_must_be_chosen(engine: Engine) -> None:
    done = engine.sh("echo a")
    answer = engine.api("GET", f"/containers/{done.id}/logs")
    assert answer.status == 400
    assert answer.message == "Bad parameters: you must choose at least one stream"


@pytest.mark.parametrize(
    ("tail", "out"), [("0", b""), ("1", b"4\n"), ("3", b"2\n3\n4\n"), ("all", b"1\n2\n3\n4\n")]
)
def test_tail_counts_from_the_end(engine: Engine, tail: str, out: bytes) -> None:
    done = engine.sh("for i in 1 2 3 4; do echo $i; done")
    assert engine.logs(done.id, tail=tail)["stdout"] == out


def test_timestamps_lead_every_line(engine: Engine) -> None:
    done = engine.sh("echo a; echo b")
    lines = engine.logs(done.id, timestamps=True)["stdout"].splitlines()
    assert [re.sub(rb"^" + _STAMP, b"", line) for line in lines] == [b"a", b"b"]
    assert all(re.match(_STAMP, line) for line in lines)


def test_since_and_until_cut_by_time(engine: Engine) -> None:
    done = engine.sh("echo one; sleep 0.3; echo two; sleep 0.3; echo three")
    stamped = engine.logs(done.id, timestamps=True)["stdout"].splitlines()
    middle = stamped[1].split(b" ")[0].decode()
    # Clients send seconds with nanoseconds behind the point.
    whole = int(time.mktime(time.strptime(middle[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone)
    at = f"{whole}.{middle[20:29]}"
    assert engine.logs(done.id, since=at)["stdout"] == b"two\nthree\n"
    assert engine.logs(done.id, until=at)["stdout"] == b"one\ntwo\n"
    assert engine.logs(done.id, since=at, until=at)["stdout"] == b"two\n"


def test_follow_gives_lines_as_they_come_and_ends_with_the_container(engine: Engine) -> None:
    container = engine.up("sh", "-c", f"echo first; {_UNTIL_GO}; echo second")
    query = {"stdout": True, "follow": True}
    with engine.stream(f"/containers/{container}/logs", query=query) as stream:
        lines = stream.lines()
        assert next(lines)[8:] == b"first"
        engine.exec(container, "touch", "/go")
        assert [line[8:] for line in lines] == [b"second"]


@pytest.mark.parametrize("policy", ["no", "always"])
def test_follow_ends_with_the_run_though_the_container_starts_again(
    engine: Engine, policy: str
) -> None:
    host = {"RestartPolicy": {"Name": policy}}
    script = f"echo one; {_UNTIL_GO}; echo two; test -e /x || {{ touch /x; exit; }}; sleep 1000"
    container = engine.up("sh", "-c", script, host=host)
    query = {"stdout": True, "follow": True}
    with engine.stream(f"/containers/{container}/logs", query=query) as stream:
        lines = stream.lines()
        assert next(lines)[8:] == b"one"
        if policy == "no":
            engine.api("POST", f"/containers/{container}/restart", query={"t": 0}).ok(204)
        engine.exec(container, "touch", "/go")
        assert len(list(lines)) <= 2


def test_follow_of_a_stopped_container_ends_at_once(engine: Engine) -> None:
    done = engine.sh("echo done")
    query = {"stdout": True, "follow": True}
    with engine.stream(f"/containers/{done.id}/logs", query=query) as stream:
        assert stream.read()[8:] == b"done\n"


def test_a_terminals_log_is_raw(engine: Engine) -> None:
    done = engine.run("sh", "-c", "echo a; echo b >&2", Tty=True)
    assert engine.api(
        "GET", f"/containers/{done.id}/logs", query={"stdout": True, "stderr": True}
    ).body == (b"a\r\nb\r\n")


def test_a_line_without_an_end_is_kept(engine: Engine) -> None:
    done = engine.sh("printf 'no newline'")
    assert done.out == "no newline"


def test_a_long_line_stays_one_line(engine: Engine) -> None:
    size = 200_000
    done = engine.sh(f"head -c {size} /dev/zero | tr '\\0' x; echo; echo end")
    lines = done.out.splitlines()
    assert [len(line) for line in lines] == [size, 3]
    stamped = engine.logs(done.id, timestamps=True)["stdout"]
    assert len(stamped.splitlines()) == 2


@pytest.mark.naru_only
def test_bytes_are_not_changed(engine: Engine) -> None:
    container = engine.up("sh", "-c", r"printf '\001\377\200 \302\265\n'")
    engine.wait(container)
    assert engine.logs(container)["stdout"] == b"\x01\xff\x80 \xc2\xb5\n"


def test_no_line_of_many_is_lost_or_split(engine: Engine) -> None:
    done = engine.sh("seq 1 50000")
    assert done.out == "".join(f"{number}\n" for number in range(1, 50001))


@pytest.mark.naru_only
def test_logs_are_bounded_by_default(engine: Engine) -> None:
    # 60 MB written in bursts of 12, 3 x 10 MB kept: the newest lines, each whole.
    line = "a line that is sixty bytes long, end of it included, really"
    script = f"for i in 0 1 2 3 4; do yes '{line}' | head -n 200000; sleep 0.6; done; echo last"
    done = engine.sh(script)
    lines = done.out.splitlines()
    assert lines[-1] == "last"
    assert set(lines[:-1]) == {line}
    assert 5 << 20 <= len(done.out) <= 30_000_000


def test_the_driver_none_keeps_nothing(engine: Engine) -> None:
    container = engine.up("echo", "lost", host={"LogConfig": {"Type": "none"}})
    engine.wait(container)
    answer = engine.api("GET", f"/containers/{container}/logs", query={"stdout": True})
    assert answer.status == 501
    assert "configured logging driver does not support reading" in answer.message


def test_max_size_and_max_file_bound_the_log(engine: Engine) -> None:
    config = {"Type": "json-file", "Config": {"max-size": "20k", "max-file": "2"}}
    # In bursts, because a log is rotated soon, not at once.
    script = "for i in 1 2 3 4 5; do seq ${i}1000 ${i}1999; sleep 0.4; done"
    done = engine.sh(script, host={"LogConfig": config})
    lines = done.out.split()
    everything = [f"{start}{number}" for start in range(1, 6) for number in range(1000, 2000)]
    assert lines == everything[-len(lines) :]
    assert 50 < len(lines) < 4000


def test_an_unknown_driver_is_refused(engine: Engine) -> None:
    answer = engine.refusal(host={"LogConfig": {"Type": "papyrus"}})
    assert answer.status in (400, 500)
    assert "papyrus" in answer.message


def test_an_unknown_log_option_is_refused(engine: Engine) -> None:
    config = {"Type": "json-file", "Config": {"max-width": "3"}}
    answer = engine.ask_to_create(host={"LogConfig": config})
    assert answer.status == 400
    assert "unknown log opt 'max-width' for json-file log driver" in answer.message


def test_logs_of_nobody_are_not_found(engine: Engine) -> None:
    answer = engine.api("GET", "/containers/naru-test-nobody/logs", query={"stdout": True})
    assert (answer.status, answer.message) == (404, "No such container: naru-test-nobody")


def test_a_log_asked_for_right_after_the_start_has_the_first_words(engine: Engine) -> None:
    for _ in range(5):
        container = engine.up("echo", "hello")
        assert engine.logs(container)["stdout"] == b"hello\n"
