"""`save`, `load` and `import`: images to files and from files."""

from __future__ import annotations

from naru.cli.failure import CommandFailedError
from naru.cli.progress import show
from naru.errors import InvalidInputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from naru.cli.invocation import Invocation

_CHUNK = 1 << 18
_TAR = {"Content-Type": "application/x-tar"}


def save(invocation: Invocation) -> int:
    """Write images to an archive."""
    from naru.cli.output_file import refuse_output, write_output

    options = invocation.options
    query: dict[str, object] = {"names": invocation.args}
    if options["platform"]:
        from naru.cli.batch import require_api
        from naru.cli.commands.images import platform_json

        require_api(invocation, "platform", "1.48")
        query["platform"] = [platform_json(options["platform"])]
    path = options["output"]
    try:
        refuse_output(invocation, path)
    except CommandFailedError as error:
        prefix = "failed to save image: " if path else ""
        raise CommandFailedError(f"{prefix}{error}") from error
    response = invocation.client.raw("GET", "/images/get", query)
    try:
        write_output(invocation, path, response)
    finally:
        invocation.client.release(response)
    return 0


def load(invocation: Invocation) -> int:
    """Load the images of an archive."""
    options = invocation.options
    is_terminal = invocation.stdout.isatty()
    query: dict[str, object] = {"quiet": options["quiet"] or not is_terminal}
    if options["platform"]:
        from naru.cli.batch import require_api
        from naru.cli.commands.images import platform_json

        require_api(invocation, "platform", "1.48")
        query["platform"] = [platform_json(options["platform"])]
    if options["input"]:
        source = _open(options["input"])
    elif invocation.stdin.isatty():
        raise CommandFailedError("requested load from stdin, but stdin is empty")
    else:
        source = invocation.stdin.buffer
    with source:
        records = invocation.client.stream(
            "POST", "/images/load", query, _chunks(source), {"Content-Type": "application/x-tar"}
        )
        show(records, invocation.stdout, is_terminal=is_terminal)
    return 0


def import_image(invocation: Invocation) -> int:
    """Make an image of a file tree: from a file, from stdin, or from a URL the engine fetches."""
    options, args = invocation.options, invocation.args
    source_name, reference = args[0], args[1] if len(args) > 1 else ""
    if reference:
        from naru.oci.reference import Reference

        try:
            Reference.parse(reference)
        except InvalidInputError as error:
            raise CommandFailedError(error.message) from error
    query = {
        "fromSrc": "-",
        "repo": reference or None,
        "message": options["message"] or None,
        "changes": options["change"] or None,
        "platform": options["platform"] or None,
    }
    source: BinaryIO | None
    if source_name == "-":
        source = invocation.stdin.buffer
    elif "://" in source_name:
        source, query["fromSrc"] = None, source_name
    else:
        source = _open(source_name)
    body = _chunks(source) if source else None
    records = invocation.client.stream(
        "POST", "/images/create", query, body, _TAR if source else None
    )
    try:
        show(records, invocation.stdout, is_terminal=invocation.stdout.isatty())
    finally:
        if source is not None:
            source.close()
    return 0


def _open(path: str) -> BinaryIO:
    try:
        return open(path, "rb")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CommandFailedError(f"open {path}: {reason}") from error


def _chunks(source: BinaryIO) -> Iterator[bytes]:
    while chunk := source.read(_CHUNK):
        yield chunk
