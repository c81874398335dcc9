"""Logins: what config.json holds itself, and what helper programs keep for it.

The only module of the command that starts programs.

Spec: docker/cli, cli/config/credentials; docker/docker-credential-helpers, README.
"""

from __future__ import annotations

import binascii

from naru.client import json_text
from naru.errors import FaultError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Login = dict[str, str]

HUB_KEY = "https://index.docker.io/v1/"
HUB_REGISTRY = "docker.io"
# A helper says so when what it returns is no password but a token.
TOKEN_USER = "<token>"
NOT_FOUND = "credentials not found in native keychain"
_PATIENCE_S = 60


def key_of(registry: str) -> str:
    """Return the name under which a registry's login is kept."""
    return HUB_KEY if registry == HUB_REGISTRY else registry


def find(config: Mapping[str, Any], registry: str) -> Login | None:
    """Return the login for a registry, as `X-Registry-Auth` carries it; None without one.

    `config` is config.json as it stands. A helper named for this registry comes before the one
    for all, and both before the file.

    Raises:
        FaultError: a helper failed.
    """
    key = key_of(registry)
    helper = helper_for(config, key)
    login = _ask(helper, key) if helper else _from_file(config.get("auths") or {}, key)
    return {**login, "serveraddress": key} if login else None


def helper_for(config: Mapping[str, Any], key: str) -> str:
    """Return the helper that keeps the login of `key`, "" where the file itself does."""
    return (config.get("credHelpers") or {}).get(key) or config.get("credsStore") or ""


def find_all(config: Mapping[str, Any]) -> dict[str, Login]:
    """Return every login that config.json names, by the registry's key.

    Raises:
        FaultError: a helper failed.
    """
    keys = [*(config.get("auths") or {}), *(config.get("credHelpers") or {})]
    found = {key: find(config, key) for key in dict.fromkeys(keys)}
    return {key: login for key, login in found.items() if login}


def header(login: Mapping[str, str]) -> str:
    """Return the value of `X-Registry-Auth`: base64 for URLs of the login as JSON."""
    text = json_text.dumps(dict(login)).encode()
    encoded = binascii.b2a_base64(text, newline=False)
    return encoded.translate(bytes.maketrans(b"+/", b"-_")).decode()


def _from_file(auths: Mapping[str, Any], key: str) -> Login | None:
    entry = next(
        (
            auths[name]
            for name in (key, f"https://{key}", f"http://{key}", f"https://{key}/v1/")
            if name in auths
        ),
        None,
    )
    if not isinstance(entry, dict):
        return None
    name, password = _name_and_password(entry)
    if token := entry.get("identitytoken"):
        return {**({"username": name} if name else {}), "identitytoken": str(token)}
    if token := entry.get("registrytoken"):
        return {"registrytoken": str(token)}
    return {"username": name, "password": password} if name else None


def _name_and_password(entry: Mapping[str, Any]) -> tuple[str, str]:
    if entry.get("username"):
        return str(entry["username"]), str(entry.get("password", ""))
    try:
        text = binascii.a2b_base64(str(entry.get("auth", ""))).decode()
    except ValueError:
        return "", ""
    name, colon, password = text.rstrip("\0").partition(":")
    return (name, password) if colon else ("", "")


def run_helper(helper: str, verb: str, text: str) -> tuple[str, str]:
    """Let a helper `get`, `store` or `erase`; return what it says, and why it failed ("": not)."""
    import subprocess

    program = f"docker-credential-{helper}"
    try:
        done = subprocess.run(
            [program, verb],
            input=text.encode(),
            stdout=subprocess.PIPE,
            timeout=_PATIENCE_S,
            check=False,
        )
    except FileNotFoundError:
        return "", f'exec: "{program}": executable file not found in $PATH'
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", str(error)
    out = done.stdout.decode("utf-8", "replace").strip()
    return out, f"exit status {done.returncode}" if done.returncode else ""


def _ask(helper: str, key: str) -> Login | None:
    text, failure = run_helper(helper, "get", key)
    if failure:
        if text == NOT_FOUND:
            return None
        raise FaultError(f"error getting credentials - err: {failure}, out: `{text}`")
    try:
        answer = json_text.loads(text)
        name, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError) as error:
        raise FaultError(
            f"error getting credentials - docker-credential-{helper} did not answer in JSON"
        ) from error
    if name == TOKEN_USER:
        return {"identitytoken": secret}
    return {"username": name, "password": secret}
