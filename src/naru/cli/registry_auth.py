"""The login that goes with a pull, out of the user's config.json.

Only what stands in the file itself; a login that a helper program keeps is not read, and its user
is told so.
"""

from __future__ import annotations

import binascii

from naru.client import json_text
from naru.oci.reference import DEFAULT_REGISTRY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from naru.cli.invocation import Invocation

# Docker Hub's login stands under the address of its first API.
_HUB_KEY = "https://index.docker.io/v1/"


def headers(invocation: Invocation, registry: str) -> dict[str, str]:
    """Return the header that tells the engine who asks; empty for nobody in particular."""
    config = invocation.config
    key = _HUB_KEY if registry == DEFAULT_REGISTRY else registry
    login = _login(config.get("auths") or {}, key)
    if login is None:
        helper = (config.get("credHelpers") or {}).get(key) or config.get("credsStore")
        if helper and key in (config.get("auths") or {}):
            invocation.complain(
                f"WARNING: the login kept by docker-credential-{helper} is not used"
            )
        return {}
    text = json_text.dumps({**login, "serveraddress": key}).encode()
    encoded = binascii.b2a_base64(text, newline=False).translate(bytes.maketrans(b"+/", b"-_"))
    return {"X-Registry-Auth": encoded.decode()}


def _login(auths: dict[str, Any], key: str) -> dict[str, str] | None:
    entry = auths.get(key) or auths.get(f"https://{key}") or auths.get(f"http://{key}") or {}
    if token := entry.get("identitytoken"):
        return {"identitytoken": token}
    if entry.get("username"):
        return {"username": entry["username"], "password": entry.get("password", "")}
    try:
        text = binascii.a2b_base64(entry.get("auth", "")).decode()
    except ValueError:
        return None
    name, colon, password = text.rstrip("\0").partition(":")
    return {"username": name, "password": password} if colon else None
