"""`diff`, `export` and `commit`: what is in a container's own files."""

from __future__ import annotations

from naru.cli.batch import container_path
from naru.cli.failure import CommandFailedError
from naru.errors import InvalidInputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from naru.cli.invocation import Invocation

_KINDS = {0: "C", 1: "A", 2: "D"}


def diff(invocation: Invocation) -> int:
    """Print what a container changed."""
    name = invocation.args[0]
    if not name:
        raise CommandFailedError("Container name cannot be empty")
    for change in invocation.client.get(container_path(name, "/changes")) or ():
        invocation.print(f"{_KINDS.get(change['Kind'], '')} {change['Path']}")
    return 0


def export(invocation: Invocation) -> int:
    """Write all files of a container as a tar."""
    from naru.cli.output_file import refuse_output, write_output

    path = invocation.options["output"]
    try:
        refuse_output(invocation, path)
    except CommandFailedError as error:
        prefix = "failed to export container: " if path else ""
        raise CommandFailedError(f"{prefix}{error}") from error
    response = invocation.client.raw("GET", container_path(invocation.args[0], "/export"))
    try:
        write_output(invocation, path, response)
    finally:
        invocation.client.release(response)
    return 0


def commit(invocation: Invocation) -> int:
    """Make an image of a container and print its id."""
    options, args = invocation.options, invocation.args
    container = args[0]
    if not container.strip():
        raise CommandFailedError("invalid container name or ID: value is empty")
    repository = tag = ""
    if len(args) > 1 and args[1]:
        from naru.oci.reference import Reference

        try:
            reference = Reference.parse(args[1])
        except InvalidInputError as error:
            raise CommandFailedError(error.message) from error
        if reference.digest:
            raise CommandFailedError("refusing to create a tag with a digest reference")
        repository, tag = reference.familiar_name, reference.with_default_tag().tag
    query = {
        "container": container,
        "repo": repository,
        "tag": tag,
        "comment": options["message"],
        "author": options["author"],
        "changes": options["change"] or None,
        "pause": None if options["pause"] else False,
    }
    answer = invocation.client.post("/commit", query)
    invocation.print(answer["Id"])
    return 0
