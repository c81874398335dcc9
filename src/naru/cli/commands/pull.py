"""`pull`."""

from __future__ import annotations

from naru.cli import registry_auth
from naru.cli.failure import CommandFailedError
from naru.errors import InvalidInputError
from naru.oci.reference import Reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from naru.cli.invocation import Invocation


def pull(invocation: Invocation) -> int:
    """Bring an image, or all tags of a repository."""
    options = invocation.options
    refuse_content_trust(invocation)
    reference = wanted_reference(invocation)
    out: TextIO | None = None if options["quiet"] else invocation.stdout
    pull_image(
        invocation,
        reference,
        platform=options["platform"],
        all_tags=options["all-tags"],
        out=out,
    )
    invocation.print(reference.canonical)
    return 0


def wanted_reference(invocation: Invocation) -> Reference:
    """Return the image, or with `--all-tags` the repository, that `pull` or `push` is to have.

    Raises:
        CommandFailedError: it is none, or has a tag beside `--all-tags`.
    """
    options = invocation.options
    try:
        reference = Reference.parse(invocation.args[0])
    except InvalidInputError as error:
        raise CommandFailedError(error.message) from error
    if options["all-tags"] and not reference.is_name_only:
        raise CommandFailedError("tag can't be used with --all-tags/-a")
    if not options["all-tags"] and reference.is_name_only:
        reference = reference.with_default_tag()
        if not options["quiet"]:
            invocation.print(f"Using default tag: {reference.tag}")
            invocation.stdout.flush()
    return reference


def refuse_content_trust(invocation: Invocation) -> None:
    """Refuse to promise what nobody checks.

    Raises:
        CommandFailedError: signatures shall be checked.
    """
    asked = invocation.options["disable-content-trust"] is False
    by_environment = invocation.environ.get("DOCKER_CONTENT_TRUST", "") not in ("", "0", "false")
    given = invocation.options.changed("disable-content-trust")
    if asked or (by_environment and not given):
        raise CommandFailedError("content trust is not supported: signatures cannot be checked")


def pull_image(
    invocation: Invocation,
    reference: Reference,
    *,
    platform: str = "",
    all_tags: bool = False,
    out: TextIO | None,
) -> None:
    """Have the engine pull; show the progress on `out` (None: nothing is shown).

    Raises:
        CommandFailedError: the pull failed half way, in the words of the engine.
        NaruError: the engine refused it.
    """
    from naru.cli.progress import show

    tag = str(reference.digest) if reference.digest else reference.tag
    query = {
        "fromImage": reference.familiar_name,
        "tag": None if all_tags else tag,
        "platform": platform or None,
    }
    auth = registry_auth.headers(invocation, reference.registry)
    records = invocation.client.stream("POST", "/images/create", query, headers=auth)
    if out is not None:
        show(records, out, is_terminal=out.isatty())
        return
    from io import StringIO

    # Nobody watches, but an error in the stream still counts.
    show(records, StringIO(), is_terminal=False)
