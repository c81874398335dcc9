"""Log drivers: what arrives at the other end, and what `logs` gives whatever the driver."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.engine import Engine
from harness.waiting import eventually


def _config(driver: str, **options: str) -> dict[str, Any]:
    renamed = {name.replace("_", "-"): value for name, value in options.items()}
    return {"LogConfig": {"Type": driver, "Config": renamed}}


def _path(engine: Engine, container: str) -> Path:
    return Path(engine.api("GET", f"/containers/{container}/json").json()["LogPath"])


def _entries(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


@contextmanager
def _tcp_server(port: int = 0) -> Iterator[tuple[int, list[bytes]]]:
    """Take lines on a port of this machine."""
    lines: list[bytes] = []

    class Lines(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            lines.extend(self.rfile)

    socketserver.ThreadingTCPServer.allow_reuse_address = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", port), Lines) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], lines
        server.shutdown()


def test_json_file_is_dockers_file_when_the_container_has_ended(engine: Engine) -> None:
    done = engine.run(
        "sh",
        "-c",
        """echo out; echo '"quoted" \\ <&>' >&2; printf 'no end'""",
        Labels={"team": "x"},
        Env=["STAGE=test", "OTHER=1"],
        host=_config("json-file", labels="team", env_regex="^STAGE", tag="{{.Name}}-tag"),
    )
    name = engine.api("GET", f"/containers/{done.id}/json").json()["Name"][1:]
    path = _path(engine, done.id)
    assert path.name == f"{done.id}-json.log"
    entries = _entries(path)
    texts = {(entry["stream"], entry["log"]) for entry in entries}
    assert texts == {
        ("stdout", "out\n"),
        ("stdout", "no end"),
        ("stderr", '"quoted" \\ <&>\n'),
    }
    attrs = {"team": "x", "STAGE": "test", "tag": f"{name}-tag"}
    assert all(entry["attrs"] == attrs for entry in entries)
    assert all(set(entry) == {"log", "stream", "attrs", "time"} for entry in entries)
    assert all(entry["time"].endswith("Z") and len(entry["time"]) <= 30 for entry in entries)


def test_a_container_that_never_ran_has_no_file(engine: Engine) -> None:
    container = engine.create("true")
    assert engine.api("GET", f"/containers/{container}/json").json()["LogPath"] == ""


def test_json_file_is_bounded_to_the_byte_and_ends_with_the_newest_line(engine: Engine) -> None:
    done = engine.run("seq", "1", "20000", host=_config("json-file", max_size="10k", max_file="3"))
    path = _path(engine, done.id)
    files = [path.with_name(f"{path.name}.{number}") for number in (2, 1)] + [path]
    # Docker looks before a line, so that the last one may stand out.
    assert all(file.stat().st_size <= 10_100 for file in files)
    assert not path.with_name(f"{path.name}.3").exists()
    numbers = [int(entry["log"]) for file in files for entry in _entries(file)]
    assert numbers == list(range(numbers[0], 20001))
    assert len(numbers) > 200


def test_json_file_compresses_rotated_files(engine: Engine) -> None:
    options = _config("json-file", max_size="10k", max_file="3", compress="true")
    done = engine.run("seq", "1", "5000", host=options)
    path = _path(engine, done.id)
    # Docker compresses in the background.
    eventually(
        lambda: (
            sorted(file.name for file in path.parent.glob(f"{path.name}*"))
            == [path.name, f"{path.name}.1.gz", f"{path.name}.2.gz"]
        ),
        "the rotated files are compressed",
    )


def test_a_reader_of_the_file_sees_whole_lines_once_and_in_order(engine: Engine) -> None:
    container = engine.up("sh", "-c", "for i in 1 2 3 4 5; do seq ${i}0001 ${i}4000; done")
    path = _path(engine, container)
    eventually(path.exists, "the file is there")
    seen: list[bytes] = []
    with path.open("rb") as file:

        def read_all() -> bool:
            while data := file.read(1 << 16):
                seen.append(data)
            return b"54000" in seen[-1] if seen else False

        eventually(read_all, "the last line")
        engine.wait(container)
        read_all()
    lines = b"".join(seen).splitlines()
    numbers = [int(json.loads(line)["log"]) for line in lines]
    assert numbers == [n for i in range(1, 6) for n in range(i * 10000 + 1, i * 10000 + 4001)]


def test_the_file_goes_on_over_restarts(engine: Engine) -> None:
    done = engine.run("sh", "-c", "echo run; printf end")
    engine.api("POST", f"/containers/{done.id}/start").ok(204)
    engine.wait(done.id)
    logs = [entry["log"] for entry in _entries(_path(engine, done.id))]
    assert logs == ["run\n", "end", "run\n", "end"]


def test_details_show_what_options_ask_for(engine: Engine) -> None:
    done = engine.run(
        "echo",
        "hello",
        Labels={"b": "x y", "c": "1"},
        Env=["A=1,2"],
        host=_config("json-file", labels="b", env="A"),
    )
    query = {"stdout": True, "details": True}
    body = engine.api("GET", f"/containers/{done.id}/logs", query=query).body
    assert body[8:] == b"A=1%2C2,b=x+y hello\n"
    body = engine.api(
        "GET", f"/containers/{done.id}/logs", query={**query, "timestamps": True}
    ).body
    assert body[8 + 31 :] == b"A=1%2C2,b=x+y hello\n"
    plain = engine.run("echo", "hello")
    body = engine.api("GET", f"/containers/{plain.id}/logs", query=query).body
    assert body[8:] == b" hello\n"


@pytest.mark.naru_only
def test_syslog_gets_every_line_and_logs_still_works(engine: Engine) -> None:
    with _tcp_server() as (port, lines):
        done = engine.run(
            "sh",
            "-c",
            "echo out; echo err >&2",
            host=_config(
                "syslog",
                syslog_address=f"tcp://127.0.0.1:{port}",
                syslog_facility="local3",
                syslog_format="rfc5424micro",
                tag="app/{{.Name}}",
            ),
        )
        eventually(lambda: len(lines) == 2, "both lines arrive")
    name = engine.api("GET", f"/containers/{done.id}/json").json()["Name"][1:]
    by_text = {line.rpartition(b" ")[2].strip(): line.split(b" ") for line in lines}
    assert by_text[b"out"][0] == b"<158>1"
    assert by_text[b"err"][0] == b"<155>1"
    for words in by_text.values():
        assert words[3] == words[5] == f"app/{name}".encode()
        assert len(words[1]) in (27, 32)
    assert (done.out, done.err) == ("out\n", "err\n")


@pytest.mark.naru_only
def test_a_server_that_is_down_stalls_nobody_and_gets_all_when_it_is_back(engine: Engine) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    done = engine.run(
        "seq", "1", "1000", host=_config("syslog", syslog_address=f"tcp://127.0.0.1:{port}")
    )
    assert done.out.split()[-1] == "1000"
    with _tcp_server(port) as (_, lines):
        eventually(lambda: len(lines) == 1000, "all lines arrive", timeout_s=40)
    numbers = [int(line.rpartition(b" ")[2]) for line in lines]
    assert numbers == list(range(1, 1001))


@pytest.mark.naru_only
def test_gelf_sends_json_with_what_it_knows(engine: Engine) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(20)
        address = f"udp://127.0.0.1:{server.getsockname()[1]}"
        done = engine.run(
            "echo",
            "hello",
            host=_config("gelf", gelf_address=address, gelf_compression_type="none"),
        )
        message = json.loads(server.recv(65536))
    assert message["short_message"] == "hello"
    assert (message["version"], message["level"]) == ("1.1", 6)
    assert message["_container_id"] == done.id
    assert message["_command"] == "echo hello"


@pytest.mark.naru_only
def test_fluentd_gets_events_also_of_a_container_that_is_removed_at_once(engine: Engine) -> None:
    with _tcp_server() as (port, lines):
        options = _config("fluentd", fluentd_address=f"127.0.0.1:{port}", tag="a.{{.Name}}")
        container = engine.create("echo", "hello", host={**options, "AutoRemove": True})
        engine.start(container)
        eventually(lambda: b"hello" in b"".join(lines), "the event arrives")
    assert b"container_id" in b"".join(lines)


@pytest.mark.naru_only
def test_a_cache_that_is_off_is_not_read(engine: Engine) -> None:
    options = _config("syslog", syslog_address="udp://127.0.0.1:9", cache_disabled="true")
    container = engine.up("true", host=options)
    engine.wait(container)
    answer = engine.api("GET", f"/containers/{container}/logs", query={"stdout": True})
    assert answer.status == 501
    assert answer.message == "configured logging driver does not support reading"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (_config("syslog", syslog_facility="foo"), "invalid syslog facility"),
        (_config("syslog", syslog_format="foo"), "nvalid syslog format"),
        (_config("syslog", syslog_address="foo"), "syslog-address should be in form"),
        (_config("syslog", syslog_address="unix:///nope"), "stat /nope: no such file"),
        (_config("gelf"), "gelf-address is a required parameter"),
        (_config("gelf", gelf_address="foo"), "gelf-address should be in form"),
        (_config("json-file", mode="x"), "logger: logging mode not supported: x"),
        (
            _config("json-file", max_buffer_size="1m"),
            "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
        ),
    ],
)
def test_options_that_make_no_sense_are_refused_at_creation(
    engine: Engine, config: dict[str, Any], words: str
) -> None:
    answer = engine.ask_to_create(host=config)
    assert answer.status in (400, 500)
    assert words in answer.message
