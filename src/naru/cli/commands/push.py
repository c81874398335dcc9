"""`push`."""

from __future__ import annotations

from naru.cli import registry_auth
from naru.cli.commands.pull import refuse_content_trust, wanted_reference
from naru.cli.failure import CommandFailedError
from naru.oci.reference import Reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from naru.cli.invocation import Invocation

_ONE_PLATFORM = """\
Using --platform pushes only the specified platform manifest of a multi-platform image index.
Other components, like attestations, will not be included.
To push the complete multi-platform image, remove the --platform flag.
"""
_NOT_ALL = (
    "Not all multiplatform-content is present and only the available single-platform image was "
    "pushed\n\x1b[31m{}\x1b[0m -> \x1b[32m{}\x1b[0m"
)
_INDENT = " " * 9
_PLAIN_HEAD = " Info -> "
_FANCY_HEAD = "\x1b[1m\x1b[106m\x1b[30mi\x1b[0m\x1b[0m \x1b[96mInfo → \x1b[0m\x1b[0m"


def push(invocation: Invocation) -> int:
    """Send an image, or all tags of a repository, to its registry."""
    options = invocation.options
    refuse_content_trust(invocation)
    platform = _platform(invocation) if options["platform"] else None
    reference = wanted_reference(invocation)
    if reference.digest:
        raise CommandFailedError("cannot push a digest reference")
    _push(invocation, reference, platform)
    return 0


def _platform(invocation: Invocation) -> str:
    """Return `--platform` in the API's form, and say what it means."""
    from naru.cli.batch import require_api
    from naru.cli.commands.images import platform_json

    require_api(invocation, "platform", "1.46")
    found = platform_json(invocation.options["platform"])
    _note(invocation, _ONE_PLATFORM)
    return found


def _push(invocation: Invocation, reference: Reference, platform: str | None) -> None:
    """Have the engine push; show the progress, and at the end what was left out.

    Raises:
        CommandFailedError: the push failed half way, in the words of the engine.
        NaruError: the engine refused it.
    """
    from io import StringIO

    from naru.cli.progress import show
    from naru.client.transport import quote

    out = StringIO() if invocation.options["quiet"] else invocation.stdout
    notes: list[str] = []

    def hear(aux: dict[str, Any]) -> None:
        if aux.get("manifestPushedInsteadOfIndex"):
            notes.append(
                _NOT_ALL.format(aux["originalIndex"]["digest"], aux["selectedManifest"]["digest"])
            )

    invocation.stdout.flush()
    records = invocation.client.stream(
        "POST",
        f"/images/{quote(reference.name, b'/:')}/push",
        {"tag": reference.tag or None, "platform": platform},
        headers=registry_auth.headers(invocation, reference.registry, always=True),
    )
    try:
        show(records, out, is_terminal=out.isatty(), on_aux=hear)
        if invocation.options["quiet"]:
            invocation.print(reference.canonical)
    finally:
        for note in notes:
            _note(invocation, note)


def _note(invocation: Invocation, text: str) -> None:
    """Tell users what they may not expect, set off from the rest.

    Spec: docker/cli, internal/tui/note.go.
    """
    is_fancy = invocation.stdout.isatty()
    head = _FANCY_HEAD if is_fancy else _PLAIN_HEAD
    if is_fancy:
        text = text.replace("--platform", "\x1b[1m--platform\x1b[0m")
    shown = [f"\x1b[3m{line}\x1b[0m" if is_fancy else line for line in text.split("\n")]
    invocation.print("\n" + head + f"\n{_INDENT}".join(shown))
