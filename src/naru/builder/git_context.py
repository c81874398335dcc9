"""A context from a git repository: `URL[#[branch, tag or commit][:folder]]`.

git itself is run, which must be installed; it may fetch by http, https, git and ssh, and neither
read files of this host nor run programs that a repository names.

Spec: docker build, "Git repositories".
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from naru.aio import in_thread, uncancelled
from naru.errors import InvalidInputError, NotSupportedError, ToolFailedError
from naru.linux import fs, process, safe_path, tree_copy

_ENVIRONMENT = {
    "PATH": os.environ.get("PATH", os.defpath),
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ALLOW_PROTOCOL": "http:https:git:ssh",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
_REFERENCE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+@-]*")
_TIMEOUT_S = 900


async def clone(remote: str, folder: Path, proxies: Mapping[str, str]) -> None:
    """Put the files of a repository into an empty folder, through proxies named as curl does.

    Raises:
        InvalidInputError: there is no such repository, reference or folder.
        NotSupportedError: git is not installed.
    """
    git = shutil.which("git")
    if git is None:
        raise NotSupportedError("a context from a git repository needs git, which is not installed")
    address, _, fragment = remote.partition("#")
    reference, _, subfolder = fragment.partition(":")
    if address.startswith("github.com/"):
        address = f"https://{address}"
    if reference and not _REFERENCE.fullmatch(reference):
        raise InvalidInputError(f"invalid git reference: {reference}")
    checkout = folder.with_name("checkout")
    checkout.mkdir()
    try:
        await _fetch(git, address, reference or "HEAD", checkout, proxies)
        await in_thread(fs.remove_tree, checkout / ".git")
        await uncancelled(in_thread(_take, checkout, subfolder, folder))
    finally:
        await in_thread(fs.remove_tree, checkout)


async def _fetch(
    git: str, address: str, reference: str, checkout: Path, proxies: Mapping[str, str]
) -> None:
    environment = {**_ENVIRONMENT, **proxies}

    async def run(*words: str) -> None:
        argv = [git, "-C", os.fspath(checkout), "-c", "core.hooksPath=/dev/null", *words]
        await process.run(argv, env=environment, timeout=_TIMEOUT_S)

    try:
        await run("init", "--quiet")
        await run("remote", "add", "origin", "--", address)
        try:
            await run("fetch", "--quiet", "--depth", "1", "origin", "--", reference)
            wanted = "FETCH_HEAD"
        except ToolFailedError:
            # Plain web servers know no shallow fetch, and few servers fetch a bare commit.
            await run("fetch", "--quiet", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*")
            wanted = await _found(git, checkout, reference)
        await run("checkout", "--quiet", "--force", wanted, "--")
        await run("submodule", "--quiet", "update", "--init", "--recursive", "--depth=1")
    except ToolFailedError as error:
        raise InvalidInputError(
            f"unable to prepare context from {address}: {error.stderr or error.message}"
        ) from error


async def _found(git: str, checkout: Path, reference: str) -> str:
    candidates = [f"refs/remotes/origin/{reference}", f"refs/tags/{reference}", reference]
    if reference == "HEAD":
        candidates = ["refs/remotes/origin/main", "refs/remotes/origin/master"]
    for candidate in candidates:
        argv = [git, "-C", os.fspath(checkout), "rev-parse", "--quiet", "--verify", candidate]
        done = await process.run(argv, env=_ENVIRONMENT, timeout=_TIMEOUT_S, check=False)
        if done.status == 0:
            return candidate
    return reference


def _take(checkout: Path, subfolder: str, folder: Path) -> None:
    """Copy a folder of the repository, which no link in it may lead out of."""
    try:
        found = safe_path.open_beneath(checkout, subfolder or ".", os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise InvalidInputError(f"git context: {subfolder}: {reason}") from error
    try:
        tree_copy.copy_tree(Path(os.readlink(f"/proc/self/fd/{found}")), folder)
    finally:
        os.close(found)
