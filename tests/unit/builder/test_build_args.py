"""ARG and `--build-arg`: who wins, what is remembered, what was for nothing."""

from __future__ import annotations

import pytest

from naru.builder.build_args import BuildArguments, platform_arguments
from naru.oci.platform import Platform


def values(arguments: BuildArguments, *declared: tuple[str, str | None]) -> dict[str, str]:
    allowed: dict[str, str | None] = {}
    for name, default in declared:
        arguments.add(allowed, name, default)
    return arguments.values(allowed, {"SET": "by the image"})


def test_an_argument_counts_only_where_it_is_declared() -> None:
    arguments = BuildArguments({"a": "1", "b": "2"}, {})
    assert values(arguments, ("a", None)) == {"a": "1"}
    assert values(arguments) == {}


@pytest.mark.parametrize(
    ("given", "default", "expected"),
    [
        ({"a": "given"}, "default", "given"),
        ({"a": ""}, "default", ""),
        ({"a": None}, "default", "default"),
        ({}, "default", "default"),
    ],
)
def test_what_was_given_beats_the_default(
    given: dict[str, str | None], default: str, expected: str
) -> None:
    assert values(BuildArguments(given, {}), ("a", default)) == {"a": expected}


def test_the_environment_of_the_image_beats_both() -> None:
    assert values(BuildArguments({"SET": "given"}, {}), ("SET", "default")) == {}


def test_a_stage_inherits_global_defaults_by_naming_them() -> None:
    arguments = BuildArguments({"b": "given"}, {"TARGETARCH": "arm64"})
    arguments.add_global("a", "1")
    arguments.add_global("b", "2")
    assert arguments.global_values() == {"a": "1", "b": "given", "TARGETARCH": "arm64"}
    found = values(arguments, ("a", None), ("TARGETARCH", None))
    assert found == {"a": "1", "TARGETARCH": "arm64"}


def test_proxies_need_no_declaration_and_are_not_remembered_without() -> None:
    arguments = BuildArguments({"http_proxy": "p"}, {})
    assert values(arguments) == {"http_proxy": "p"}
    assert not arguments.is_remembered("http_proxy")
    assert values(arguments, ("http_proxy", None)) == {"http_proxy": "p"}
    assert arguments.is_remembered("http_proxy")


def test_what_was_given_for_nothing_is_known() -> None:
    arguments = BuildArguments({"b": "1", "a": "1", "used": "1", "g": "1", "NO_PROXY": "1"}, {})
    arguments.add_global("g", None)
    values(arguments, ("used", None))
    assert arguments.unused() == ["a", "b"]


def test_platforms_have_buildkits_names() -> None:
    found = platform_arguments(
        Platform(os="linux", architecture="arm", variant="v7"),
        Platform(os="linux", architecture="amd64"),
    )
    assert found["TARGETPLATFORM"] == "linux/arm/v7"
    assert found["BUILDPLATFORM"] == "linux/amd64"
    assert (found["TARGETVARIANT"], found["BUILDVARIANT"]) == ("v7", "")
