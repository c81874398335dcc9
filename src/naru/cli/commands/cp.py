"""`cp`: files between a container and this machine.

Owners are what Docker's documentation says: root's in the container and one's own here, or with
`-a` those of the source.
"""

from __future__ import annotations

from naru.api.path_stat import MODE_DEVICE, MODE_DIRECTORY, MODE_IRREGULAR, MODE_SYMLINK
from naru.cli import copy_rules, local_paths
from naru.cli.copy_progress import CopyProgress
from naru.cli.copy_rules import Place, Placement
from naru.cli.failure import CommandFailedError
from naru.client import archive as client_archive
from naru.errors import NaruError, NotFoundError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from naru.cli.invocation import Invocation
    from naru.client.archive import PathArchive

_CHUNK = 1 << 18


def copy(invocation: Invocation) -> int:
    """Copy to or from a container, by which of the arguments names one."""
    source, destination = invocation.args
    if not source:
        raise CommandFailedError("source can not be empty")
    if not destination:
        raise CommandFailedError("destination can not be empty")
    source_container, source_path = copy_rules.split_argument(source)
    container, path = copy_rules.split_argument(destination)
    if source_container and container:
        raise CommandFailedError("copying between containers is not supported")
    if source_container:
        _copy_out(invocation, source_container, source_path, path)
    elif container:
        _copy_in(invocation, source_path, container, path)
    else:
        raise CommandFailedError("must specify at least one container source")
    return 0


def _progress(invocation: Invocation, header: str) -> CopyProgress:
    is_quiet = invocation.options["quiet"]
    if not invocation.options.changed("quiet"):
        is_quiet = not invocation.stdout.isatty()
    return CopyProgress(invocation.stderr, header, is_quiet=is_quiet)


def _copy_out(invocation: Invocation, container: str, path: str, destination: str) -> None:
    client = invocation.client
    target = Place("-")
    if destination != "-":
        target = local_paths.destination(local_paths.absolute(destination))
    shown = local_paths.absolute(destination)
    rebase_name = ""
    if invocation.options["follow-link"]:
        path, rebase_name = _followed(invocation, container, path)
    archive = _open_archive(invocation, container, path)
    try:
        if destination == "-":
            invocation.stdout.flush()
            for piece in archive:
                invocation.stdout.buffer.write(piece)
            return
        placement = _placement_of(archive, path, rebase_name, target, shown)
        with _progress(invocation, "Copying from container - ") as progress:
            from naru.cli.local_extract import extract

            keeps_owners = invocation.options["archive"]
            extract(progress.reader(archive), placement, keeps_owners=keeps_owners)
            progress.done(shown)
    finally:
        client.release(archive.response)


def _followed(invocation: Invocation, container: str, path: str) -> tuple[str, str]:
    """Return what a link in the container leads to, and the name that is kept."""
    try:
        stat = client_archive.stat_path(invocation.client, container, path)
    except NaruError:
        # Whatever is wrong with it, the copy itself will tell.
        return path, ""
    if not stat["mode"] & MODE_SYMLINK:
        return path, ""
    return copy_rules.rebase(path, stat["linkTarget"])


def _open_archive(invocation: Invocation, container: str, path: str) -> PathArchive:
    """Ask for a path as it is written, and if nothing is called so, for all that fits it."""
    try:
        return client_archive.get(invocation.client, container, path)
    except NotFoundError:
        if not copy_rules.is_pattern(path):
            raise
    if invocation.options["follow-link"]:
        raise CommandFailedError("--follow-link cannot be used with a pattern")
    return client_archive.get(invocation.client, container, path, is_pattern=True)


def _placement_of(
    archive: PathArchive, path: str, rebase_name: str, target: Place, shown: str
) -> Placement:
    if archive.matches > 1:
        if not target.is_dir:
            raise CommandFailedError(
                f'"{shown}" must be a directory: {archive.matches} files fit "{path}"'
            )
        return Placement(target.path)
    if archive.matches == 1:
        path = str(archive.stat["name"])
    is_dir = bool(archive.stat["mode"] & MODE_DIRECTORY)
    source = Place(path, exists=True, is_dir=is_dir, rebase_name="")
    placement = copy_rules.place(source, target)
    if rebase_name and not placement.new_base:
        # The link's own name, for what it leads to.
        base = copy_rules.split_entry(path)[1]
        return Placement(placement.directory, base, rebase_name)
    return placement


def _copy_in(invocation: Invocation, source: str, container: str, path: str) -> None:
    target = _target(invocation, container, path)
    if source == "-":
        if not target.is_dir:
            raise CommandFailedError(f'destination "{container}:{path}" must be a directory')
        with _progress(invocation, "Copying to container - ") as progress:
            body = progress.counted(_chunks(invocation))
            client_archive.put(invocation.client, container, target.path, body)
            progress.done(f"{container}:{target.path}")
        return
    follows_link = invocation.options["follow-link"]
    local = local_paths.source(local_paths.absolute(source), follows_link=follows_link)
    placement = copy_rules.place(local, target)
    from naru.cli.local_archive import archive

    name = placement.new_base or local.rebase_name or copy_rules.split_entry(local.path)[1]
    body = archive(local.path.rstrip("/") or "/", name, keeps_owners=invocation.options["archive"])
    with _progress(invocation, "Copying to container - ") as progress:
        client_archive.put(
            invocation.client, container, placement.directory, progress.counted(body)
        )
        progress.done(f"{container}:{target.path}")


def _target(invocation: Invocation, container: str, path: str) -> Place:
    """Look at a path in the container; a link stands for what it leads to."""
    client, found = invocation.client, path
    try:
        stat = client_archive.stat_path(client, container, path)
        if stat["mode"] & MODE_SYMLINK:
            found = str(stat["linkTarget"])
            stat = client_archive.stat_path(client, container, found)
    except NaruError:
        # Its directory may be there; if not, the engine says so in the end.
        return Place(found)
    mode = stat["mode"]
    if mode & (MODE_DEVICE | MODE_IRREGULAR):
        kind = "a device" if mode & MODE_DEVICE else "an irregular file"
        raise CommandFailedError(
            f'destination "{container}:{path}" must be a directory or a regular file: got {kind}'
        )
    return Place(found, exists=True, is_dir=bool(mode & MODE_DIRECTORY))


def _chunks(invocation: Invocation) -> Iterator[bytes]:
    while piece := invocation.stdin.buffer.read1(_CHUNK):  # type: ignore[attr-defined]  # it is buffered
        yield piece
