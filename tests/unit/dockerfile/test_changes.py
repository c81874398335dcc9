"""`--change`: each line was compared with what Docker makes of it."""

from __future__ import annotations

import msgspec
import pytest

from naru.dockerfile.changes import apply_changes
from naru.errors import InvalidInputError
from naru.oci.image_config import RunDefaults

_OPEN_QUOTE = "unexpected end of statement while looking for matching double-quote"


def applied(*changes: str, config: RunDefaults | None = None) -> dict[str, object]:
    result = apply_changes(config or RunDefaults(), list(changes))
    return msgspec.json.decode(msgspec.json.encode(result), type=dict[str, object])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("CMD a b", {"Cmd": ["/bin/sh", "-c", "a b"]}),
        ('cmd ["a", "b"]', {"Cmd": ["a", "b"]}),
        ("CMD [a", {"Cmd": ["/bin/sh", "-c", "[a"]}),
        ("ENTRYPOINT x", {"Entrypoint": ["/bin/sh", "-c", "x"]}),
        ("ENTRYPOINT", {}),
        ("ENV a b c", {"Env": ["a=b c"]}),
        ("ENV a=\"b c\" d=e\\ f g='h'", {"Env": ["a=b c", "d=e f", "g=h"]}),
        ("ENV A=1\nENV B=$A\\$A", {"Env": ["A=1", "B=1$A"]}),
        ("ENV X=${FOO:-bar}${FOO:+y}", {"Env": ["X=bar"]}),
        ("ENV A=1\nENV A=2", {"Env": ["A=2"]}),
        ("EXPOSE 80-81 53/udp", {"ExposedPorts": {"53/udp": {}, "80/tcp": {}, "81/tcp": {}}}),
        ("EXPOSE 80:90", {"ExposedPorts": {"90/tcp": {}}}),
        ('LABEL "a b"="c d" e=f', {"Labels": {"a b": "c d", "e": "f"}}),
        ("USER a b", {"User": "a b"}),
        ("# hi\nUSER u\\\n x", {"User": "u x"}),
        ("WORKDIR a\nWORKDIR b", {"WorkingDir": "/a/b"}),
        ("WORKDIR a/../c", {"WorkingDir": "/c"}),
        ('VOLUME ["/a b"]', {"Volumes": {"/a b": {}}}),
        ("VOLUME /a /b", {"Volumes": {"/a": {}, "/b": {}}}),
        ("STOPSIGNAL SIGRTMIN+3", {"StopSignal": "SIGRTMIN+3"}),
        ("ONBUILD RUN x  y", {"OnBuild": ["RUN x  y"]}),
        ("HEALTHCHECK NONE", {"Healthcheck": {"Test": ["NONE"]}}),
        (
            "HEALTHCHECK --interval=5s --retries=2 CMD a b",
            {
                "Healthcheck": {
                    "Test": ["CMD-SHELL", "a b"],
                    "Interval": 5_000_000_000,
                    "Retries": 2,
                }
            },
        ),
        ('HEALTHCHECK CMD ["a"]', {"Healthcheck": {"Test": ["CMD", "a"]}}),
    ],
)
def test_a_change_is_applied_to_the_config(change: str, expected: dict[str, object]) -> None:
    assert applied(change) == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("FOO x", "foo is not a valid change command"),
        ("RUN x", "run is not a valid change command"),
        ("", "file with no instructions"),
        ("ENV", "ENV requires at least one argument"),
        ("ENV a", "ENV must have two arguments"),
        ("ENV =b", "ENV names can not be blank"),
        ("ENV a=b c", 'Syntax error - can\'t find = in "c". Must be of the form: name=value'),
        (
            'ENV a="b',
            f'failed to process "\\"b": {_OPEN_QUOTE}',
        ),
        ("LABEL a", "LABEL must have two arguments"),
        ("EXPOSE", "EXPOSE requires at least one argument"),
        ("EXPOSE abc", "Invalid containerPort: abc"),
        ("EXPOSE 99999", "Invalid containerPort: 99999"),
        ("EXPOSE 80-70", "Invalid containerPort: 80-70"),
        ("EXPOSE 80/foo", "Invalid proto: foo"),
        ("CMD [1]", "when using JSON array syntax, arrays must be comprised of strings only"),
        ("USER", "USER requires exactly one argument"),
        ("WORKDIR", "WORKDIR requires exactly one argument"),
        ("WORKDIR $NOPE", "cannot normalize nothing"),
        ("VOLUME []", "VOLUME requires at least one argument"),
        ('VOLUME [""]', "VOLUME specified can not be an empty string"),
        ("ONBUILD", "ONBUILD requires at least one argument"),
        ("ONBUILD ONBUILD x", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"),
        ("ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger"),
        ("HEALTHCHECK x", 'Unknown type "X" in HEALTHCHECK (try CMD)'),
        ("HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD"),
        ("HEALTHCHECK NONE x", "HEALTHCHECK NONE takes no arguments"),
        ("HEALTHCHECK --foo=1 CMD x", "unknown flag: --foo"),
        ("HEALTHCHECK --interval=1 CMD x", 'time: missing unit in duration "1"'),
        ("HEALTHCHECK --retries=-1 CMD x", "--retries cannot be negative (-1)"),
        (
            "HEALTHCHECK --retries=x CMD x",
            'strconv.ParseInt: parsing "x": invalid syntax',
        ),
    ],
)
def test_mistake_is_told_in_dockers_words(change: str, message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        applied(change)
    assert caught.value.message == message


def test_no_changes_change_nothing() -> None:
    config = RunDefaults(env=("A=1",))
    assert apply_changes(config, []) is config


def test_new_entrypoint_drops_the_old_command_but_not_a_new_one() -> None:
    old = RunDefaults(cmd=("old",))
    assert applied('ENTRYPOINT ["x"]', config=old) == {"Entrypoint": ["x"]}
    assert applied('CMD ["n"]', 'ENTRYPOINT ["x"]', config=old)["Cmd"] == ["n"]


def test_later_changes_see_the_environment_of_the_image() -> None:
    found = applied("WORKDIR $HOME", config=RunDefaults(env=("HOME=/root",)))
    assert found["WorkingDir"] == "/root"
