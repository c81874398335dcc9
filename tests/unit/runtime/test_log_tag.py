"""Tags name a container."""

from __future__ import annotations

import pytest

from naru.errors import InvalidInputError, NotSupportedError
from naru.runtime.log_attributes import LogSource
from naru.runtime.log_tag import check_tag, tag_text

_SOURCE = LogSource(
    container_id="0123456789ab" + "c" * 52,
    name="web",
    image_id="sha256:" + "b" * 64,
    image_name="busybox:1",
    argv=("sh", "-c", "true"),
    labels={"com.x": "1"},
    hostname="host",
)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain", "plain"),
        ("{{.Name}}/{{ .ID }}", "web/0123456789ab"),
        ("{{.FullID}}", "0123456789ab" + "c" * 52),
        ("{{.ImageName}}-{{.ImageID}}", "busybox:1-sha256:bbbbb"),
        ("{{.ContainerName}} {{.Command}} {{.Hostname}}", "/web sh -c true host"),
        ("{{.DaemonName}}", "docker"),
        ('{{index .ContainerLabels "com.x"}}{{index .ContainerLabels "no"}}', "1"),
    ],
)
def test_actions_are_filled_in(template: str, text: str) -> None:
    check_tag(template)
    assert tag_text(template, _SOURCE) == text


@pytest.mark.parametrize(
    ("template", "error", "words"),
    [
        ("{{", InvalidInputError, "template: log-tag:1: unclosed action"),
        (
            "{{.Foo}}",
            InvalidInputError,
            "can't evaluate field Foo in type *logger.Info",
        ),
        ("{{if .Name}}x{{end}}", NotSupportedError, "'{{if .Name}}' is not supported"),
    ],
)
def test_what_cannot_be_filled_in_is_refused(
    template: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error) as caught:
        check_tag(template)
    assert words in str(caught.value)
