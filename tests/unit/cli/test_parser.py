"""Words are read by pflag's rules, and refused in pflag's words."""

from __future__ import annotations

import pytest

from naru.cli.command_table import Command, Option, load_command
from naru.cli.parser import HelpRequestedError, OptionParser, UsageError, parse_command

_OPTIONS = [
    Option("all", "a", "bool", "", "All"),
    Option("last", "n", "int", "-1", "Last"),
    Option("filter", "f", "filter", "", "Filter"),
    Option("name", "", "string", "", "Name"),
    Option("env", "e", "list", "", "Env"),
    Option("platform", "", "strings", "", "Platform"),
    Option("sig-proxy", "", "bool", "true", "Proxy"),
    Option("timeout", "t", "int", "", "Timeout"),
    Option("time", "", "int", "", "Old", "hidden same-as=timeout deprecated=use --timeout instead"),
]


def _parse(*words: str, stops: bool = False) -> tuple[dict[str, object], list[str]]:
    parser = OptionParser(_OPTIONS)
    args = parser.parse(words, stops_at_argument=stops)
    given = [o.stored_as for o in _OPTIONS if parser.values.changed(o.stored_as)]
    return {name: parser.values[name] for name in given}, args


@pytest.mark.parametrize(
    ("words", "values", "args"),
    [
        (["-a"], {"all": True}, []),
        (["--all=false"], {"all": False}, []),
        (["-a=0"], {"all": False}, []),
        (["-an5"], {"all": True, "last": 5}, []),
        (["-an", "5"], {"all": True, "last": 5}, []),
        (["-n=5", "x"], {"last": 5}, ["x"]),
        (["--last", "-7"], {"last": -7}, []),
        (["-n", "0x10"], {"last": 16}, []),
        (["x", "-a", "y"], {"all": True}, ["x", "y"]),
        (["--", "-a"], {}, ["-a"]),
        (["-", "-a"], {"all": True}, ["-"]),
        (["--name", "--", "x"], {"name": "--"}, ["x"]),
        (["--name="], {"name": ""}, []),
        (["-eA=1", "-e", "B"], {"env": ["A=1", "B"]}, []),
        (["--platform", "a,b", "--platform", "c"], {"platform": ["a", "b", "c"]}, []),
        (
            ["-f", "Status=up", "-f", "status=x=y"],
            {"filter": {"status": {"up": True, "x=y": True}}},
            [],
        ),
        (["--time", "3"], {"timeout": 3}, []),
    ],
)
def test_words_are_read(words: list[str], values: dict[str, object], args: list[str]) -> None:
    assert _parse(*words) == (values, args)


def test_options_end_at_the_first_argument_where_they_shall() -> None:
    assert _parse("-a", "busybox", "-a", "--bogus", stops=True) == (
        {"all": True},
        ["busybox", "-a", "--bogus"],
    )


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--bogus"], "unknown flag: --bogus"),
        (["--bogus=x"], "unknown flag: --bogus"),
        (["-Zx"], "unknown shorthand flag: 'Z' in -Zx"),
        (["-aZ"], "unknown shorthand flag: 'Z' in -Z"),
        (["--name"], "flag needs an argument: --name"),
        (["-an"], "flag needs an argument: 'n' in -n"),
        (["---x"], "bad flag syntax: ---x"),
        (["--=x"], "bad flag syntax: --=x"),
        (
            ["-n", "x"],
            (
                'invalid argument "x" for "-n, --last" flag: '
                'strconv.ParseInt: parsing "x": invalid syntax'
            ),
        ),
        (
            ["-n99999999999999999999"],
            (
                'invalid argument "99999999999999999999" for "-n, --last" flag: '
                'strconv.ParseInt: parsing "99999999999999999999": value out of range'
            ),
        ),
        (
            ["--all=maybe"],
            (
                'invalid argument "maybe" for "-a, --all" flag: '
                'strconv.ParseBool: parsing "maybe": invalid syntax'
            ),
        ),
        (
            ["-f", "x"],
            (
                'invalid argument "x" for "-f, --filter" flag: '
                "bad format of filter (expected name=value)"
            ),
        ),
    ],
)
def test_mistakes_are_refused_in_pflags_words(words: list[str], problem: str) -> None:
    with pytest.raises(ValueError) as caught:
        _parse(*words)
    assert str(caught.value) == problem


def test_defaults_stand_until_something_is_given() -> None:
    values = OptionParser(_OPTIONS).values
    assert values["last"] == -1
    assert values["sig-proxy"] is True
    assert values["env"] == []
    assert values["filter"] == {}
    assert not values.changed("last")


def test_help_comes_before_later_mistakes_and_after_earlier_ones() -> None:
    with pytest.raises(HelpRequestedError):
        _parse("--help", "--bogus")
    with pytest.raises(ValueError, match="unknown flag"):
        _parse("--bogus", "--help")
    assert _parse("--help=false") == ({}, [])


def test_deprecated_option_warns() -> None:
    _, _, warnings = parse_command(load_command("stop"), ["--time", "1", "x"])
    assert warnings == ["Flag --time has been deprecated, use --timeout instead"]


@pytest.mark.parametrize(
    ("path", "words", "problem"),
    [
        ("ps", ["x"], "naru: 'naru ps' accepts no arguments"),
        ("tag", ["x"], "naru: 'naru tag' requires 2 arguments"),
        ("pull", [], "naru: 'naru pull' requires 1 argument"),
        ("images", ["a", "b"], "naru: 'naru images' requires at most 1 argument"),
        ("inspect", [], "naru: 'naru inspect' requires at least 1 argument"),
        ("exec", ["x"], "naru: 'naru exec' requires at least 2 arguments"),
    ],
)
def test_wrong_number_of_arguments_is_refused(path: str, words: list[str], problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_command(load_command(path), words)
    assert caught.value.message.startswith(problem + "\n\nUsage:  naru " + path)
    assert caught.value.exit_code == 1


def test_typographic_dash_is_refused_with_a_hint() -> None:
    with pytest.raises(UsageError) as caught:
        parse_command(load_command("images"), ["—digests"])
    assert "Did you mean --digests?" in caught.value.message
    assert caught.value.exit_code == 125


def test_typographic_dash_is_for_the_container_behind_its_image() -> None:
    command = load_command("top")
    _, args, _ = parse_command(command, ["c1", "—x"])
    assert args == ["c1", "—x"]


def test_check_of_an_option_becomes_the_value_and_its_refusal_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(text: str) -> str:
        if text == "bad":
            raise ValueError("no good")
        return text.upper()

    monkeypatch.setattr("naru.cli.parser.CHECKS", {"name": refuse}, raising=False)
    declared = {
        "usage": "[OPTIONS]",
        "about": "",
        "arity": (0, None),
        "handler": "",
        "checks": "naru.cli.parser:CHECKS",
        "options": (("name", "", "string", "", "Name"),),
    }
    command = Command("x", declared)
    options, _, _ = parse_command(command, ["--name", "good"])
    assert options["name"] == "GOOD"
    with pytest.raises(UsageError) as caught:
        parse_command(command, ["--name", "bad"])
    assert caught.value.message.startswith('invalid argument "bad" for "--name" flag: no good\n')
