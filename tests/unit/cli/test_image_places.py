"""The places of `image copy`."""

from __future__ import annotations

import pytest

from naru.cli.failure import CommandFailedError
from naru.cli.image_places import (
    EnginePlace,
    FilePlace,
    RegistryPlace,
    check_source,
    layout_tag,
    parse_place,
    target_name,
)

_DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "host", "context", "name"),
    [
        ("web", "", "", "web"),
        ("reg.lan:5000/team/web:1", "", "", "reg.lan:5000/team/web:1"),
        (_DIGEST, "", "", _DIGEST),
        ("engine:web:1", "", "", "web:1"),
        ("engine:oci:1", "", "", "oci:1"),
        ("engine:", "", "", ""),
        ("ssh://me@prod:22#web:1", "ssh://me@prod:22", "", "web:1"),
        ("ssh://prod/run/naru.sock#a/b", "ssh://prod/run/naru.sock", "", "a/b"),
        ("ssh://prod", "ssh://prod", "", ""),
        ("unix:///run/naru.sock#web", "unix:///run/naru.sock", "", "web"),
        ("tcp://10.0.0.1:2376#web", "tcp://10.0.0.1:2376", "", "web"),
        ("context:prod", "", "prod", ""),
        ("context:prod#web:1", "", "prod", "web:1"),
        ("docker", "", "", "docker"),
    ],
)
def test_engines_are_hosts_contexts_or_the_commands_own(
    text: str, host: str, context: str, name: str
) -> None:
    assert parse_place(text) == EnginePlace(text, name, host=host, context=context)


def test_registries_are_references() -> None:
    place = parse_place("docker://reg.lan:5000/web")
    assert isinstance(place, RegistryPlace)
    assert place.reference.familiar == "reg.lan:5000/web:latest"
    official = parse_place("docker://busybox:1")
    assert isinstance(official, RegistryPlace)
    assert official.reference.canonical == "docker.io/library/busybox:1"


@pytest.mark.parametrize(
    ("text", "kind", "path", "name"),
    [
        ("oci:dir", "oci", "dir", ""),
        ("oci:/a/b:v1", "oci", "/a/b", "v1"),
        ("oci:/a/b:reg.lan:5000/web:1", "oci", "/a/b", "reg.lan:5000/web:1"),
        ("oci-archive:x.tar:v1", "oci-archive", "x.tar", "v1"),
        ("docker-archive:x.tar:web:1", "docker-archive", "x.tar", "web:1"),
    ],
)
def test_files_are_a_path_and_maybe_a_name(text: str, kind: str, path: str, name: str) -> None:
    assert parse_place(text) == FilePlace(text, kind, path, name)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("http://h/x", '"http://h/x": http:// is no place for images, use a name, engine:NAME, '),
        ("", "an empty place: use a name, "),
        ("oci:", '"oci:" names no folder, as in oci:PATH'),
        ("docker-archive::x", '"docker-archive::x" names no file, as in docker-archive:PATH'),
        ("context:", '"context:" names no context, as in context:NAME#IMAGE'),
        ("docker://", '"docker://": invalid reference format'),
        ("docker://A", "must be lowercase"),
    ],
)
def test_anything_else_is_refused_with_what_would_do(text: str, problem: str) -> None:
    with pytest.raises(CommandFailedError) as raised:
        parse_place(text)
    assert problem in raised.value.message


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("ssh://prod", '"ssh://prod" names no image, as in ssh://prod#NAME'),
        ("engine:", '"engine:" names no image, as in engine:NAME'),
        ("context:prod", '"context:prod" names no image, as in context:prod#NAME'),
        ("web:", '"web:": invalid reference format'),
        ("docker-archive:x:B", '"docker-archive:x:B": '),
    ],
)
def test_a_source_names_its_image(text: str, problem: str) -> None:
    with pytest.raises(CommandFailedError) as raised:
        check_source(parse_place(text))
    assert raised.value.message.startswith(problem)


@pytest.mark.parametrize(
    "text", ["web", "a" * 64, _DIGEST, "oci:dir", "docker-archive:x", "0123ab"]
)
def test_ids_and_files_of_one_image_are_sources(text: str) -> None:
    check_source(parse_place(text))


@pytest.mark.parametrize(
    ("text", "name", "tag"),
    [
        ("web", "docker.io/library/web:latest", ""),
        ("ssh://prod", None, ""),
        ("engine:", None, ""),
        ("docker://reg.lan/web", "reg.lan/web:latest", ""),
        ("oci:dir", None, ""),
        ("oci:dir:v1", None, "v1"),
        ("oci:dir:reg.lan/web:1", "reg.lan/web:1", ""),
        ("docker-archive:x:web", "docker.io/library/web:latest", ""),
        ("oci-archive:x:v1", None, "v1"),
    ],
)
def test_a_target_may_name_the_image_and_a_layout_tag_it(
    text: str, name: str | None, tag: str
) -> None:
    place = parse_place(text)
    found = target_name(place)
    assert (found.canonical if found else None) == name
    if isinstance(place, FilePlace):
        assert layout_tag(place) == tag


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"web@{_DIGEST}", "an image is named by a tag, not by a digest"),
        (f"docker://reg.lan/web@{_DIGEST}", "an image is sent under a tag, not a digest"),
        ("engine:" + "a" * 64, "an id cannot be a name"),
        ("engine:a b", "invalid reference format"),
        ("oci:dir:a b", "invalid reference format"),
    ],
)
def test_what_can_be_no_name_at_a_target_is_refused(text: str, problem: str) -> None:
    with pytest.raises(CommandFailedError) as raised:
        target_name(parse_place(text))
    assert raised.value.message == f'"{text}": {problem}'
