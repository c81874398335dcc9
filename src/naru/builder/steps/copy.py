"""COPY and ADD: files from the context, a stage, an image, a URL or the Dockerfile, into a layer."""

from __future__ import annotations

import contextlib
import os
import posixpath
from dataclasses import dataclass, field, replace
from pathlib import Path

from naru.aio import in_thread, uncancelled
from naru.builder.build import Build, StageState
from naru.builder.fetching import fetch, is_url
from naru.builder.origins import find_origin
from naru.builder.ownership import parse_chmod, parse_chown
from naru.builder.placing import Owner, Placing, copy_failure
from naru.builder.sources import Selection, Source, Tree, combined_checksum
from naru.builder.unpacking import is_archive, unpack_archive
from naru.dockerfile.ignorefile import IgnoreRules
from naru.dockerfile.instructions import Copy
from naru.errors import InvalidInputError
from naru.images.catalog import Image
from naru.linux import safe_path

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@dataclass(slots=True)
class _Sources:
    """What a step copies, and the open trees that it comes from."""

    stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    found: list[Source] = field(default_factory=list)


async def copy_step(build: Build, stage: StageState, copy: Copy) -> None:
    """Copy files onto the image of the stage, and make an image of that.

    Raises:
        InvalidInputError: a source is not there, or the destination cannot be.
        NotSupportedError: a source that this builder does not take.
    """
    origin = await find_origin(build, stage, copy.origin) if copy.origin else None
    mode = parse_chmod(copy.chmod) if copy.chmod else None
    sources = _Sources()
    try:
        try:
            await _gather(build, copy, origin, sources)
        except InvalidInputError as error:
            raise InvalidInputError(f"{copy.name} failed: {error.message}") from error
        _check(copy, sources.found)
        words = [copy.name + " "]
        words += [f"--chown={copy.chown}"] if copy.chown else []
        words += [f"--chmod={copy.chmod} "] if copy.chmod else []
        words += [f"{combined_checksum(sources.found)} in {copy.destination} "]
        config = stage.comment_config("#(nop) " + "".join(words))
        inputs = [f"links={copy.links}", *(source.name for source in sources.found)]
        if await build.is_cached(stage, config, inputs=inputs):
            return

        def work() -> None:
            with build.open_snapshot(None if copy.links else stage.image) as (key, root):
                owner = _owner(build, stage, copy, root)
                _place_all(copy, stage, sources.found, root, owner, mode)
                build.commit_now(stage, config, snapshot=key, inputs=inputs)

        await build.uncancelled_in_thread(work)
    finally:
        await build.uncancelled_in_thread(sources.stack.close)


async def _gather(build: Build, copy: Copy, origin: Image | None, sources: _Sources) -> None:
    """Find all sources of a step. Threads put trees into `sources`, so they are waited for."""
    urls = [name for name in copy.sources if copy.unpacks and is_url(name)]
    paths = [name for name in copy.sources if name not in urls]
    if copy.checksum and (paths or copy.heredocs or len(urls) != 1):
        raise InvalidInputError("checksum can't be specified for multiple or local sources")
    if copy.keeps_git_dir:
        raise InvalidInputError("--keep-git-dir is for git sources, which are not supported")
    if paths:
        await uncancelled(in_thread(_find, build, copy, paths, origin, sources))
    for url in urls:
        folder = sources.stack.enter_context(build.services.workshop.folder())
        name = await fetch(build.images, url, folder, copy.destination, copy.checksum)
        await uncancelled(in_thread(_find_made, sources, folder, [name]))
    if copy.heredocs:
        folder = sources.stack.enter_context(build.services.workshop.folder())
        for heredoc in copy.heredocs:
            if heredoc.name in ("", ".", "..") or "/" in heredoc.name:
                raise InvalidInputError(f"invalid heredoc name: {heredoc.name}")
            path = folder / heredoc.name
            path.write_text(heredoc.text, encoding="utf-8")
            path.chmod(0o644)
        names = [heredoc.name for heredoc in copy.heredocs]
        await uncancelled(in_thread(_find_made, sources, folder, names))


def _find(
    build: Build, copy: Copy, paths: list[str], origin: Image | None, sources: _Sources
) -> None:
    if copy.origin:
        if origin is None:
            raise InvalidInputError(f"stat {paths[0]}: file does not exist")
        _, root = sources.stack.enter_context(build.open_snapshot(origin))
        tree = Tree(root, is_context=False, keeps_owners=not copy.chown)
    elif build.context is None:
        raise InvalidInputError("missing build context")
    else:
        root = os.open(build.context, _DIRECTORY)
        sources.stack.callback(os.close, root)
        tree = Tree(root)
    selection = Selection(tree, excluded=copy.excluded, keeps_parents=copy.keeps_parents)
    found = selection.find(paths)
    if not found:
        raise InvalidInputError("no source files were specified")
    sources.found += found


def _find_made(sources: _Sources, folder: Path, names: list[str]) -> None:
    """Take files that this build has put into a folder of its own."""
    root = os.open(folder, _DIRECTORY)
    sources.stack.callback(os.close, root)
    sources.found += Selection(Tree(root, is_remote=True), keeps_parents=False).named(names)


def _check(copy: Copy, found: list[Source]) -> None:
    if len(found) > 1 and not copy.destination.endswith("/"):
        raise InvalidInputError(
            f"When using {copy.name} with more than one source file, the destination must be a "
            "directory and end with a /"
        )


def _owner(build: Build, stage: StageState, copy: Copy, root: int) -> Owner | None:
    """Return who gets the copies; None keeps the owners."""
    if not copy.chown:
        return None if copy.origin else (0, 0)
    if copy.links and stage.image is not None:
        with build.open_snapshot(stage.image) as (_, image_root):
            return _parse_owner(copy.chown, image_root)
    return _parse_owner(copy.chown, root)


def _parse_owner(text: str, root: int) -> Owner:
    passwd, group = (_text_at(root, name) for name in ("etc/passwd", "etc/group"))
    return parse_chown(text, passwd, group)


def _text_at(root: int, path: str) -> str:
    try:
        descriptor = safe_path.open_at(root, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return ""
    with open(descriptor, "rb") as file:
        return file.read(1 << 20).decode("utf-8", "replace")


def _place_all(
    copy: Copy,
    stage: StageState,
    found: list[Source],
    root: int,
    owner: Owner | None,
    mode: int | None,
) -> None:
    destination = _destination(stage, copy)
    placing = Placing(root, IgnoreRules(copy.excluded), owner=owner, mode=mode)
    for source in found:
        if copy.unpacks and not source.is_directory and is_archive(source):
            directory = _made(placing, destination)
            try:
                unpack_archive(source, root, directory, owner if copy.chown else None)
            finally:
                os.close(directory)
            continue
        target = destination
        if copy.keeps_parents:
            # The path goes along: what is in front of the last name, and for directories all.
            inner, name = source.name, ""
            if not source.is_directory:
                inner, name = posixpath.split(source.name)
            target = posixpath.join(destination, inner, "")
            source = replace(source, name=name)
        placing.put(source, target)


def _made(placing: Placing, destination: str) -> int:
    try:
        return placing.make_directory(destination)
    except OSError as error:
        raise copy_failure(error, destination) from error


def _destination(stage: StageState, copy: Copy) -> str:
    """Return the absolute destination; a slash at its end, or what amounts to one, stays."""
    text = copy.destination
    path = posixpath.normpath(posixpath.join("/", stage.config.working_dir, text))
    wants_directory = text.endswith(("/", "/.")) or text in (".", "")
    return path.rstrip("/") + "/" if wants_directory else path
