"""`ps` asks the engine for what it shows, and shows it as docker does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from naru.cli.commands.ps import familiar

_ITEM: dict[str, Any] = {
    "Id": "ab" * 32,
    "Names": ["/other/alias", "/web"],
    "Image": "docker.io/library/nginx:1@sha256:" + "0" * 64,
    "ImageID": "sha256:" + "cd" * 32,
    "Command": "nginx -g 'daemon off;' \t",
    "Created": 0,
    "Ports": [{"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"}],
    "Labels": {"b": "2", "a": "1"},
    "State": "running",
    "Status": "Up 2 hours",
    "SizeRw": 10,
    "SizeRootFs": 2_000_000,
    "Mounts": [
        {"Type": "volume", "Name": "a" * 20, "Driver": "local"},
        {"Type": "bind", "Source": "/srv"},
    ],
    "NetworkSettings": {"Networks": {"n2": {}, "n1": {}}},
}

Cli = Callable[..., Any]


def test_the_default_table_has_dockers_columns(cli: Cli, engine: Any) -> None:
    engine.on("GET", "/containers/json", [_ITEM])
    outcome = cli("ps")
    head, row = outcome.out.splitlines()
    assert head.split() == [
        "CONTAINER",
        "ID",
        "IMAGE",
        "COMMAND",
        "CREATED",
        "STATUS",
        "PORTS",
        "NAMES",
    ]
    assert row.startswith('abababababab   nginx:1   "nginx -g \'daemon of…"   5')
    assert row.endswith("Up 2 hours   0.0.0.0:8080->80/tcp   web")
    assert engine.asked == [("GET", "/containers/json", {}, None)]


@pytest.mark.parametrize(
    ("words", "query"),
    [
        (["-a"], {"all": True}),
        (["-n", "3"], {"limit": 3}),
        (["-l"], {"limit": 1}),
        (["-s"], {"size": True}),
        (["-q"], {}),
        (["-f", "status=exited"], {"filters": {"status": {"exited": True}}}),
        (["--format", "{{.Size}}"], {"size": True}),
        (["--format", "{{json .}}"], {"size": True}),
        (["--format", "{{.Names}}"], {}),
        (["--format", "json"], {}),
    ],
)
def test_only_what_is_shown_is_asked_for(
    cli: Cli, engine: Any, words: list[str], query: dict[str, Any]
) -> None:
    engine.on("GET", "/containers/json", [])
    assert cli("ps", *words).code == 0
    assert engine.asked[0][2] == query


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("{{.Names}}", "web"),
        ('{{.Labels}} {{.Label "b"}}', "a=1,b=2 2"),
        ("{{.Mounts}}", "aaaaaaaaaaaaaa…,/srv"),
        ("{{.LocalVolumes}} {{.Networks}}", "1 n1,n2"),
        ("{{.Size}}", "10B (virtual 2MB)"),
        ("{{.Platform}}", "<nil>"),
    ],
)
def test_every_field_prints_as_in_docker(cli: Cli, engine: Any, form: str, text: str) -> None:
    engine.on("GET", "/containers/json", [_ITEM])
    assert cli("ps", "--format", form).out == text + "\n"


def test_nothing_is_cut_when_asked(cli: Cli, engine: Any) -> None:
    engine.on("GET", "/containers/json", [_ITEM])
    out = cli("ps", "--no-trunc", "--format", "{{.ID}} {{.Names}} {{.Command}}").out
    assert out == "ab" * 32 + " other/alias,web \"nginx -g 'daemon off;' \\t\"\n"


def test_quiet_prints_ids_and_warns_about_a_format(cli: Cli, engine: Any) -> None:
    engine.on("GET", "/containers/json", [_ITEM])
    outcome = cli("ps", "-q", "--format", "{{.Names}}")
    assert outcome.out == "abababababab\n"
    assert outcome.err.startswith("WARNING: Ignoring custom format")


def test_format_of_the_configuration_is_the_default(cli: Cli, engine: Any, tmp_path: Any) -> None:
    (tmp_path / "config.json").write_text('{"psFormat": "table {{.Names}}\\\\t{{.State}}"}')
    engine.on("GET", "/containers/json", [_ITEM])
    assert cli("ps").out == "NAMES     STATE\nweb       running\n"


def test_bad_format_fails_before_the_engine_is_asked(cli: Cli, engine: Any) -> None:
    outcome = cli("ps", "--format", "{{.Foo}}")
    assert outcome.code == 1
    assert outcome.err.startswith("failed to execute template: template: :1:2:")
    assert engine.asked == []


@pytest.mark.parametrize(
    ("image", "text"),
    [
        ("docker.io/library/x:1", "x:1"),
        ("docker.io/me/x", "me/x"),
        ("host:5000/x:1@sha256:00", "host:5000/x:1"),
        ("busybox", "busybox"),
    ],
)
def test_images_are_named_as_people_do(image: str, text: str) -> None:
    assert familiar(image) == text
