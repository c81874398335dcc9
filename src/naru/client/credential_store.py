"""Logins, kept and forgotten: in config.json, or by the helper that it names.

What config.json holds besides logins stays as it is. The file is replaced in one step, so that
neither a crash nor a full disk costs what was in it.

Spec: docker/cli, cli/config/credentials and cli/config/configfile.
"""

from __future__ import annotations

import binascii
import contextlib
import os

from naru.client import credentials, json_text
from naru.errors import FaultError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Login = dict[str, str]


def keep(path: str, config: dict[str, Any], key: str, login: Login) -> bool:
    """Keep a login under `key`; say whether a password came to stand in the file in the clear.

    `config` is the content of the file at `path`, and follows what is written there.

    Raises:
        FaultError: the helper failed, or the file cannot be written.
    """
    entry: dict[str, str] = {}
    token = login.get("identitytoken", "")
    if helper := credentials.helper_for(config, key):
        name = credentials.TOKEN_USER if token else login["username"]
        secret = token or login["password"]
        text = json_text.dumps({"ServerURL": key, "Username": name, "Secret": secret})
        out, failure = credentials.run_helper(helper, "store", text)
        if failure:
            raise FaultError(f"error storing credentials - err: {failure}, out: `{out}`")
    else:
        pair = f"{login['username']}:{'' if token else login['password']}"
        entry["auth"] = binascii.b2a_base64(pair.encode(), newline=False).decode()
        if token:
            entry["identitytoken"] = token
    auths = config.get("auths") or {}
    if auths.get(key) == entry:
        return False
    config["auths"] = {**auths, key: entry}
    _write(path, config)
    return bool(entry) and not token


def forget(path: str, config: dict[str, Any], key: str) -> None:
    """Forget the login of `key`, where there is one.

    Raises:
        FaultError: the helper failed, or the file cannot be written.
    """
    helper = credentials.helper_for(config, key)
    out, failure = credentials.run_helper(helper, "erase", key) if helper else ("", "")
    auths = config.get("auths") or {}
    if key in auths:
        config["auths"] = {name: entry for name, entry in auths.items() if name != key}
        _write(path, config)
    if failure and out != credentials.NOT_FOUND:
        raise FaultError(f"error erasing credentials - err: {failure}, out: `{out}`")


def _write(path: str, config: dict[str, Any]) -> None:
    import json
    import tempfile

    # A link to the file, as people have who keep their settings elsewhere, stays one.
    path = os.path.realpath(path)
    folder = os.path.dirname(path)
    text = json.dumps(config, indent="\t", ensure_ascii=False)
    temporary = ""
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        # Nobody else may read it from its first byte on.
        number, temporary = tempfile.mkstemp(prefix="config.json", dir=folder)
        with open(number, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        _take_over_owner(path, temporary)
        os.replace(temporary, path)
    except OSError as error:
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        reason = (error.strerror or str(error)).lower()
        raise FaultError(f"open {path}: {reason}") from error


def _take_over_owner(path: str, temporary: str) -> None:
    """Leave a file with who had it, so that sudo does not take it away from its owner."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return
    with contextlib.suppress(PermissionError):
        os.chown(temporary, status.st_uid, status.st_gid)
