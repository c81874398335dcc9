"""Dockerfiles, whole: forms, stages, heredocs, and mistakes in Docker's words."""

from __future__ import annotations

import pytest

from naru.dockerfile.instructions import (
    Arg,
    Cmd,
    Copy,
    Env,
    Healthcheck,
    Instruction,
    OnBuild,
    Run,
    Workdir,
)
from naru.dockerfile.parser import parse_dockerfile, parse_instructions
from naru.errors import InvalidInputError


def body(*lines: str) -> tuple[Instruction, ...]:
    return parse_dockerfile("\n".join(("FROM base", *lines))).stages[0].instructions


def test_stages_and_arguments_in_front_of_them() -> None:
    found = parse_dockerfile(
        "ARG V=1\nFROM --platform=linux/arm64 base:$V AS Build\nRUN a\nfrom build\ncmd b\n"
    )
    assert found.arguments[0].entries == (("V", "1"),)
    first, second = found.stages
    assert (first.start.image, first.start.stage) == ("base:$V", "build")
    assert first.start.platform == "linux/arm64"
    assert first.start.text == "FROM --platform=linux/arm64 base:$V AS Build"
    assert second.start.image == "build"
    assert isinstance(second.instructions[0], Cmd)


def test_lines_go_on_over_comments_and_empty_lines() -> None:
    found = parse_dockerfile("FROM base\nRUN a \\\n  # no\n\n  && b \\\nc\nRUN d\n")
    first, second = found.stages[0].instructions
    assert isinstance(first, Run)
    assert first.command.words == ("a   && b c",)
    assert (first.line, second.line) == (2, 7)
    assert found.warnings[0].startswith("[WARNING]: Empty continuation line found in:")


def test_the_escape_character_can_be_chosen() -> None:
    found = parse_dockerfile("# escape=`\nFROM base\nRUN a `\n  b\\\nWORKDIR c:\\d\n")
    run, workdir = found.stages[0].instructions
    assert isinstance(run, Run)
    assert isinstance(workdir, Workdir)
    assert run.command.words == ("a   b\\",)
    assert workdir.path == "c:\\d"
    assert found.escape == "`"


def test_directives_end_with_the_first_line_that_is_none() -> None:
    found = parse_dockerfile("# syntax=docker/dockerfile:1\n# hi\n# escape=`\nFROM a\nRUN b \\\nc")
    assert found.escape == "\\"


def test_a_command_is_a_line_or_a_list_of_words() -> None:
    shell, words, bracket = body("RUN a  b", 'RUN ["a", "b c"]', "RUN [ -f x ]")
    assert isinstance(shell, Run)
    assert isinstance(words, Run)
    assert isinstance(bracket, Run)
    assert (shell.command.words, shell.command.uses_shell) == (("a  b",), True)
    assert (words.command.words, words.command.uses_shell) == (("a", "b c"), False)
    assert (bracket.command.words, bracket.command.uses_shell) == (("[ -f x ]",), True)


def test_copy_takes_all_its_flags() -> None:
    (copy,) = body('COPY --from=build --chown="a:b" --chmod=755 --link --exclude=*.o x y /d/')
    assert isinstance(copy, Copy)
    assert (copy.origin, copy.chown, copy.chmod, copy.links) == ("build", "a:b", "755", True)
    assert (copy.sources, copy.destination, copy.excluded) == (("x", "y"), "/d/", ("*.o",))


def test_pairs_in_both_forms() -> None:
    new, old = body('ENV a=1 b="c d"', "ENV a b  c")
    assert isinstance(new, Env)
    assert isinstance(old, Env)
    assert new.pairs == (("a", "1"), ("b", '"c d"'))
    assert old.pairs == (("a", "b  c"),)


def test_arguments_without_a_default() -> None:
    (arg,) = body('ARG a b=1 c=""')
    assert isinstance(arg, Arg)
    assert arg.entries == (("a", None), ("b", "1"), ("c", '""'))


def test_heredocs_reach_to_their_mark() -> None:
    run, copy, after = body(
        "RUN <<A cat && <<-'B' cat",
        "in a",
        "A",
        "\tin b",
        "\tB",
        "COPY <<x.txt <<EOF f /d/",
        "text",
        "x.txt",
        "# no comment",
        "EOF",
        "RUN after",
    )
    assert isinstance(run, Run)
    assert isinstance(copy, Copy)
    assert [(doc.name, doc.text, doc.expands) for doc in run.command.heredocs] == [
        ("A", "in a\n", True),
        ("B", "in b\n", False),
    ]
    assert [(doc.name, doc.content) for doc in copy.heredocs] == [
        ("x.txt", "text\n"),
        ("EOF", "# no comment\n"),
    ]
    assert copy.sources == ("f",)
    assert after.line == 12


def test_triggers_are_kept_as_written() -> None:
    (trigger,) = body("ONBUILD   RUN <<E", "x", "E")
    assert isinstance(trigger, OnBuild)
    assert trigger.trigger == "RUN <<E\nx\nE"
    (run,) = parse_instructions(trigger.trigger)
    assert isinstance(run, Run)
    assert run.command.heredocs[0].content == "x\n"


def test_a_health_check_takes_its_flags() -> None:
    (check,) = body("HEALTHCHECK --interval=5s --retries=3 --start-interval=1s cmd a b")
    assert isinstance(check, Healthcheck)
    assert check.check.test == ("CMD-SHELL", "a b")
    assert (check.check.interval, check.check.retries) == (5 * 10**9, 3)
    assert check.check.start_interval == 10**9


def test_run_takes_several_mounts() -> None:
    (run,) = body(
        "RUN --mount=type=cache,dst=/c,sharing=locked --mount=src=a,target=/b,rw "
        "--mount=type=secret,id=s --network=none true"
    )
    assert isinstance(run, Run)
    cache, bind, secret = run.mounts
    assert (cache.type, cache.target, cache.options) == ("cache", "/c", {"sharing": "locked"})
    assert (bind.type, bind.source, bind.target, bind.read_only) == ("bind", "a", "/b", False)
    assert (secret.type, secret.options) == ("secret", {"id": "s"})
    assert run.network == "none"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "failed to parse Dockerfile: file with no instructions"),
        ("# only\n\n", "failed to parse Dockerfile: file with no instructions"),
        ("RUN x", "no build stage in current context"),
        ("ARG x", "no build stage in current context"),
        ("FROM a\nFOOBAR", "dockerfile parse error on line 2: unknown instruction: FOOBAR"),
        (
            "FROM a\n\nruun x",
            "dockerfile parse error on line 3: unknown instruction: ruun (did you mean RUN?)",
        ),
        (
            "FROM",
            "dockerfile parse error on line 1: FROM requires either one or three arguments",
        ),
        (
            "FROM a AS 1b",
            (
                'dockerfile parse error on line 1: invalid name for build stage: "1b", '
                "name can't start with a number or contain symbols"
            ),
        ),
        (
            "FROM a\nCOPY x",
            (
                "dockerfile parse error on line 2: COPY requires at least two arguments, but only "
                "one was provided. Destination could not be determined"
            ),
        ),
        ("FROM a\nCOPY --foo x /", "dockerfile parse error on line 2: unknown flag: --foo"),
        (
            "FROM a\nCOPY --chown x /",
            "dockerfile parse error on line 2: missing a value on flag: --chown",
        ),
        (
            "FROM a\nCOPY --link=no x /",
            "dockerfile parse error on line 2: expecting boolean value for flag --link, not: no",
        ),
        (
            "FROM a\nCOPY --chown=1 --chown=2 x /",
            "dockerfile parse error on line 2: duplicate flag specified: --chown",
        ),
        ("FROM a\nENV b", "failed to parse Dockerfile: ENV must have two arguments"),
        ("FROM a\nENV =b", "dockerfile parse error on line 2: ENV names can not be blank"),
        ("FROM a\nARG", "dockerfile parse error on line 2: ARG requires at least one argument"),
        (
            "FROM a\nSHELL x",
            "dockerfile parse error on line 2: SHELL requires the arguments to be in JSON form",
        ),
        (
            "FROM a\nCMD [1]",
            (
                "failed to parse Dockerfile: when using JSON array syntax, "
                "arrays must be comprised of strings only"
            ),
        ),
        ("FROM a\nRUN <<E\nx", "failed to parse Dockerfile: unterminated heredoc"),
        (
            "# escape=x\nFROM a",
            "failed to parse Dockerfile: invalid escape token 'x' does not match ` or \\",
        ),
        (
            "# escape=`\n# escape=`\nFROM a",
            "failed to parse Dockerfile: only one escape parser directive can be used",
        ),
        (
            "FROM a\nONBUILD FROM b",
            "dockerfile parse error on line 2: FROM isn't allowed as an ONBUILD trigger",
        ),
        (
            "FROM a\nRUN --mount=type=foo x",
            'dockerfile parse error on line 2: unsupported mount type "foo"',
        ),
        (
            "FROM a\nRUN --mount=type=cache x",
            "dockerfile parse error on line 2: missing target for mount type 'cache'",
        ),
    ],
)
def test_mistake_is_told_in_dockers_words(text: str, message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_dockerfile(text)
    assert caught.value.message == message
