"""Platforms: spellings, and which image fits which machine."""

from __future__ import annotations

import pytest

from naru.errors import InvalidInputError
from naru.oci.platform import Platform, host_platform, matches, parse_platform, rank


def spelled(text: str) -> Platform:
    system, architecture, *variant = text.split("/")
    return Platform(os=system, architecture=architecture, variant="".join(variant))


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("linux/x86_64", "linux/amd64"),
        ("linux/amd64/v1", "linux/amd64"),
        ("linux/amd64/v3", "linux/amd64/v3"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm64/8", "linux/arm64"),
        ("linux/armv7l", "linux/arm/v7"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("Linux/I686", "linux/386"),
        ("macOS/arm64", "darwin/arm64"),
    ],
)
def test_spellings_become_gos(text: str, normal: str) -> None:
    assert str(spelled(text).normalised()) == normal
    assert str(parse_platform(text)) == normal


def test_missing_parts_are_the_hosts() -> None:
    assert parse_platform("linux") == host_platform()
    assert parse_platform("s390x") == Platform(os="linux", architecture="s390x")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", '"" is an invalid OS component of "": OSAndVersion specifier component must match'),
        ("a=b/c", '"a=b" is an invalid OS component of "a=b/c": OSAndVersion specifier component'),
        ("a/b/c/d", '"a/b/c/d": cannot parse platform specifier: invalid argument'),
        ("linux/", '"" is an invalid component of "linux/": platform specifier component must'),
        ("linux/a b", '"a b" is an invalid component of "linux/a b": platform specifier component'),
    ],
)
def test_what_is_no_platform_is_refused_in_dockers_words(text: str, words: str) -> None:
    with pytest.raises(InvalidInputError) as told:
        parse_platform(text)
    assert told.value.message.startswith(words)


def test_a_system_may_have_a_version() -> None:
    assert parse_platform("windows(10.0)/amd64").os_version == "10.0"


def test_a_word_alone_must_be_a_system_or_a_processor() -> None:
    with pytest.raises(InvalidInputError, match=r'^"bogus": unknown operating system or arch'):
        parse_platform("bogus")
    assert parse_platform("x86_64").architecture == "amd64"


def test_wildcards_are_refused_as_such() -> None:
    with pytest.raises(InvalidInputError, match=r'^"lin\*": wildcards not yet supported'):
        parse_platform("lin*")


@pytest.mark.parametrize(
    ("wanted", "best_first"),
    [
        ("linux/amd64", ["linux/amd64", "linux/386"]),
        ("linux/amd64/v3", ["linux/amd64/v3", "linux/amd64/v2", "linux/amd64", "linux/386"]),
        ("linux/arm64", ["linux/arm64", "linux/arm/v8", "linux/arm/v7", "linux/arm/v6"]),
        ("linux/arm/v7", ["linux/arm", "linux/arm/v6", "linux/arm/v5"]),
        ("linux/arm/v6", ["linux/arm/v6", "linux/arm/v5"]),
        ("linux/amd64/v2", ["linux/amd64/v2", "linux/amd64", "linux/386"]),
    ],
)
def test_better_fits_rank_first(wanted: str, best_first: list[str]) -> None:
    ranks = [rank(spelled(text), spelled(wanted)) for text in best_first]
    assert None not in ranks
    assert ranks[0] == 0
    assert ranks == sorted(set(ranks), key=lambda value: value or 0)


@pytest.mark.parametrize(
    ("candidate", "wanted"),
    [
        ("windows/amd64", "linux/amd64"),
        ("linux/arm64", "linux/amd64"),
        ("linux/arm/v7", "linux/arm/v6"),
        ("linux/amd64/v3", "linux/amd64"),
        ("unknown/unknown", "linux/amd64"),
    ],
)
def test_what_cannot_run_does_not_match(candidate: str, wanted: str) -> None:
    assert not matches(spelled(candidate), spelled(wanted))


def test_the_host_runs_itself() -> None:
    assert matches(host_platform(), host_platform())
