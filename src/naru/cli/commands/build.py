"""`build`: a Dockerfile and its context sent to the engine, and what it tells of the build."""

from __future__ import annotations

import os
from io import StringIO

from naru.cli.build_context import DEFAULT_NAME, ContextFolder, single_file
from naru.cli.commands.pull import refuse_content_trust
from naru.cli.failure import CommandFailedError, with_hint
from naru.cli.human import size
from naru.cli.progress import show
from naru.cli.registry_auth import all_logins
from naru.client.stream_failure import failure_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, TextIO

    from naru.cli.invocation import Invocation
    from naru.client.stream_failure import StreamFailure

_CHUNK = 1 << 18
_ARCHIVE_MAGIC = (b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")
_LIMITS = {
    "memory": "memory",
    "memswap": "memory-swap",
    "shmsize": "shm-size",
    "cpushares": "cpu-shares",
    "cpuperiod": "cpu-period",
    "cpuquota": "cpu-quota",
    "cpusetcpus": "cpuset-cpus",
    "cpusetmems": "cpuset-mems",
    "cgroupparent": "cgroup-parent",
}
_PROGRESS = ("auto", "plain", "quiet", "rawjson")


def build(invocation: Invocation) -> int:
    """Build an image; its exit code is that of the command that failed, if one did."""
    options = invocation.options
    refuse_content_trust(invocation)
    if options["progress"] not in _PROGRESS:
        raise CommandFailedError(
            f"invalid progress mode {options['progress']}: expected one of {', '.join(_PROGRESS)}"
        )
    _forget_id(options["iidfile"])
    context = _Context(invocation)
    quiet = options["quiet"] or options["progress"] == "quiet"
    query = {**_query(invocation), **context.query, "q": True if quiet else None}
    headers = {"Content-Type": "application/x-tar", "X-Registry-Config": all_logins(invocation)}
    # Quiet is for what goes well: what was held back is shown if it does not.
    held = StringIO()
    out = held if quiet else invocation.stdout
    body = None if "remote" in query else _told(context.chunks(), out, options["progress"])
    records = invocation.client.stream("POST", "/build", query, body, headers)
    image_id = _follow(invocation, records, held if quiet else None)
    if options["iidfile"]:
        if not image_id:
            raise CommandFailedError(
                f"server did not provide an image ID. Cannot write {options['iidfile']}"
            )
        with open(options["iidfile"], "w", encoding="utf-8") as file:
            file.write(image_id)
    return 0


def _forget_id(path: str) -> None:
    """Leave no stale id behind where the build fails."""
    if path:
        try:
            os.remove(path)
        except FileNotFoundError:
            return
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise CommandFailedError(f"removing image ID file: {path}: {reason}") from error


class _Context:
    """Where the context of a build comes from."""

    def __init__(self, invocation: Invocation) -> None:
        place, dockerfile = invocation.args[0], invocation.options["file"]
        self.query: dict[str, Any] = {"dockerfile": dockerfile or None}
        self._stdin = invocation.stdin.buffer
        self._compresses = invocation.options["compress"]
        self._folder: ContextFolder | None = None
        if place == "-" and dockerfile == "-":
            raise CommandFailedError(
                "invalid argument: can't use stdin for both build context and dockerfile"
            )
        if place == "-":
            return
        if os.path.exists(place):
            self._open_folder(place, dockerfile)
        elif _is_remote(place):
            self.query["remote"] = place
        else:
            raise CommandFailedError(f'unable to prepare context: path "{place}" not found')

    def _open_folder(self, place: str, dockerfile: str) -> None:
        root = os.path.realpath(place)
        if not os.path.isdir(root):
            raise CommandFailedError(
                f"unable to prepare context: context must be a directory: {root}"
            )
        reads_stdin = dockerfile == "-"
        name, content = _find_dockerfile(root, dockerfile, self._stdin if reads_stdin else None)
        self._folder = ContextFolder(root, name, reads_stdin=content is not None)
        self._folder.check()
        if content is not None:
            self._folder.add_dockerfile(name, content)
        self.query["dockerfile"] = name

    def chunks(self) -> Iterator[bytes]:
        """Yield the context."""
        if self._folder is not None:
            chunks = self._folder.archive()
            return _compressed(chunks) if self._compresses else chunks
        return self._from_stdin()

    def _from_stdin(self) -> Iterator[bytes]:
        head = self._stdin.read(512)
        if _is_archive(head):
            yield head
            while piece := self._stdin.read(_CHUNK):
                yield piece
            return
        # No archive: then it is the Dockerfile itself, and there are no other files.
        yield single_file(DEFAULT_NAME, _dockerfile_from(self._stdin, head))


def _is_archive(head: bytes) -> bool:
    return head.startswith(_ARCHIVE_MAGIC) or head[257:262] == b"ustar"


def _is_remote(place: str) -> bool:
    return place.startswith(("http://", "https://", "git://", "git@", "github.com/"))


def _dockerfile_from(stdin: Any, head: bytes = b"") -> bytes:
    """Return what `head` is the beginning of.

    Raises:
        CommandFailedError: it is too large for any Dockerfile, as what has no end is.
    """
    from naru.dockerfile.parser import MAX_DOCKERFILE

    text: bytes = head + stdin.read(MAX_DOCKERFILE + 1 - len(head))
    if len(text) > MAX_DOCKERFILE:
        raise CommandFailedError(f"the Dockerfile is larger than {MAX_DOCKERFILE} bytes")
    return text


def _find_dockerfile(root: str, given: str, stdin: Any) -> tuple[str, bytes | None]:
    """Return the Dockerfile's name in the context, and its content if it is not there."""
    if stdin is not None:
        return _name_outside(), _dockerfile_from(stdin)
    path = given or os.path.join(root, DEFAULT_NAME)
    if not given and not os.path.exists(path):
        lower = os.path.join(root, DEFAULT_NAME.lower())
        path = lower if os.path.exists(lower) else path
    absolute = os.path.realpath(path)
    if not os.path.exists(absolute):
        raise CommandFailedError(
            "unable to prepare context: unable to evaluate symlinks in Dockerfile path: "
            f"lstat {os.path.abspath(path)}: no such file or directory"
        )
    relative = os.path.relpath(absolute, root)
    if not relative.startswith(".."):
        return relative, None
    try:
        with open(absolute, "rb") as file:
            return _name_outside(), file.read()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CommandFailedError(f"unable to open Dockerfile: open {absolute}: {reason}") from error


def _name_outside() -> str:
    return f".dockerfile.{os.urandom(10).hex()}"


def _compressed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    import zlib

    packer = zlib.compressobj(wbits=31)
    for chunk in chunks:
        if packed := packer.compress(chunk):
            yield packed
    yield packer.flush()


def _told(chunks: Iterable[bytes], out: TextIO, progress: str) -> Iterator[bytes]:
    """Pass the context on, and tell how much it was."""
    sent = 0
    is_watched = out.isatty() and progress == "auto"
    words = "Sending build context to Docker daemon"
    for chunk in chunks:
        sent += len(chunk)
        yield chunk
        if is_watched:
            out.write(f"{words} {size(sent, 4):>8}\r")
    if progress != "rawjson":
        out.write(f"{words} {size(sent, 4):>8}\r\r\n")
        out.flush()


def _query(invocation: Invocation) -> dict[str, Any]:
    options = invocation.options
    from naru.cli.container_options.environment import to_map

    limits = {key: options[name] or None for key, name in _LIMITS.items()}
    return {
        **limits,
        "version": "1",
        "t": options["tag"] or None,
        "nocache": True if options["no-cache"] else None,
        "rm": options["rm"],
        "forcerm": True if options["force-rm"] else None,
        "pull": True if options["pull"] else None,
        "buildargs": _arguments(options["build-arg"], invocation),
        "labels": to_map(options["label"]),
        "cachefrom": _json(options["cache-from"]),
        "target": options["target"] or None,
        "networkmode": options["network"] or None,
        "extrahosts": options["add-host"] or None,
        "platform": options["platform"] or None,
        "isolation": options["isolation"] or None,
        "securityopt": options["security-opt"] or None,
        "squash": True if options["squash"] else None,
        "ulimits": _json(options["ulimit"]),
    }


def _json(values: list[Any]) -> str | None:
    from naru.client.json_text import dumps

    return dumps(values) if values else None


def _arguments(given: list[str], invocation: Invocation) -> dict[str, str | None]:
    """Return `--build-arg`s; one without a value takes the environment's, if it is there."""
    found: dict[str, str | None] = {}
    for entry in given:
        name, has_value, value = entry.partition("=")
        found[name] = value if has_value else invocation.environ.get(name)
    return found


def _follow(
    invocation: Invocation, records: Iterable[dict[str, Any]], held: StringIO | None
) -> str:
    """Show what the engine tells; return the id of the image. `held` is for a quiet build.

    Raises:
        CommandFailedError: the build failed; a command that did gives its exit code.
    """
    if invocation.options["progress"] == "rawjson":
        return _follow_raw(invocation, records)
    found: list[str] = []
    failures: list[StreamFailure] = []
    last: list[str] = []

    def watched() -> Iterator[dict[str, Any]]:
        for record in records:
            last[:] = [record.get("stream", "")]
            failure = failure_in(record)
            if failure is not None:
                failures.append(failure)
            yield record

    out = held or invocation.stdout
    try:
        show(
            watched(),
            out,
            is_terminal=out.isatty(),
            on_aux=lambda aux: found.append(str(aux.get("ID", ""))),
        )
    except CommandFailedError as error:
        if held is not None:
            invocation.stderr.write(held.getvalue())
        raise CommandFailedError(error.message, failures[-1].code) from error
    if held is None:
        return "".join(found[-1:])
    # A quiet build says its image at the end, and nothing else.
    image_id = "".join(last)
    invocation.stdout.write(image_id)
    return image_id.strip()


def _follow_raw(invocation: Invocation, records: Iterable[dict[str, Any]]) -> str:
    from naru.client.json_text import dumps

    image_id, failure = "", None
    for record in records:
        invocation.print(dumps(record))
        image_id = (record.get("aux") or {}).get("ID", image_id)
        failure = failure_in(record) or failure
    if failure is not None:
        raise CommandFailedError(with_hint(failure.message, failure.hint), failure.code)
    return image_id


def prune_cache(invocation: Invocation) -> int:
    """Remove the cache of builds that nobody uses, after asking."""
    from naru.cli.pruning import agrees, deleted, prune_filters, reclaimed

    options, filters = invocation.options, prune_filters(invocation)
    what = "all" if options["all"] else "all dangling"
    warning = f"WARNING! This will remove {what} build cache. Are you sure you want to continue?"
    if not agrees(invocation, warning):
        return 0
    query = {
        "all": True if options["all"] else None,
        "filters": filters or None,
        "keep-storage": options["keep-storage"] or None,
    }
    answer = invocation.client.post("/build/prune", query)
    invocation.stdout.write(deleted("build cache objects", answer.get("CachesDeleted")))
    invocation.stdout.write(reclaimed(answer))
    return 0
