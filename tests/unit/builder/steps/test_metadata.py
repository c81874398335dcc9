"""What the history says of steps, to the letter."""

from __future__ import annotations

import pytest

from naru.builder.steps.metadata import comment_of
from naru.dockerfile.config_change import changed, substituted
from naru.dockerfile.parser import parse_instructions
from naru.oci.image_config import RunDefaults


@pytest.mark.parametrize(
    ("text", "comment"),
    [
        ("ENV a=1 b='c d'", "ENV a=1 b=c d"),
        ("LABEL a=1", "LABEL a=1"),
        ('ARG a="x y" b', "ARG a=x y b"),
        ("CMD echo x", 'CMD ["/bin/sh" "-c" "echo x"]'),
        ('CMD ["a\\"b", "c\\n\\u0001é"]', 'CMD ["a\\"b" "c\\n\\x01é"]'),
        ("CMD", 'CMD ["/bin/sh" "-c"]'),
        ("ENTRYPOINT", "ENTRYPOINT []"),
        ("EXPOSE 82 81", "EXPOSE 81 82"),
        ("VOLUME /a /b", "VOLUME [/a /b]"),
        ('SHELL ["/bin/sh", "-e"]', "SHELL [/bin/sh -e]"),
        ("USER a", "USER a"),
        ("STOPSIGNAL 9", "STOPSIGNAL 9"),
        ("MAINTAINER me", "MAINTAINER me"),
        ("ONBUILD RUN  a  b", "ONBUILD RUN  a  b"),
        (
            "HEALTHCHECK --interval=90s --retries=3 CMD a",
            'HEALTHCHECK &{["CMD-SHELL" "a"] "1m30s" "0s" "0s" "0s" \'\\x03\'}',
        ),
        (
            "HEALTHCHECK --retries=39 CMD a",
            'HEALTHCHECK &{["CMD-SHELL" "a"] "0s" "0s" "0s" "0s" \'\\\'\'}',
        ),
    ],
)
def test_history_speaks_as_go_prints(text: str, comment: str) -> None:
    (instruction,) = parse_instructions(text)
    instruction = substituted(instruction, {})
    assert comment_of(instruction, changed(RunDefaults(), instruction)) == comment
