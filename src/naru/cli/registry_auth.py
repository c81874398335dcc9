"""The logins that go with a request, out of the user's config.json and its helper programs."""

from __future__ import annotations

from naru.client import credentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from naru.cli.invocation import Invocation


def headers(invocation: Invocation, registry: str, *, always: bool = False) -> dict[str, str]:
    """Return the header that tells the engine who asks; empty for nobody in particular.

    With `always` there is a header for nobody, too: dockerd refuses pushes without one.

    Raises:
        FaultError: a credential helper failed.
    """
    login = credentials.find(invocation.config, registry)
    return {"X-Registry-Auth": credentials.header(login or {})} if login or always else {}


def all_logins(invocation: Invocation) -> str:
    """Return the header value that tells the engine of every login there is.

    Raises:
        FaultError: a credential helper failed.
    """
    import binascii

    from naru.client.json_text import dumps

    text = dumps(credentials.find_all(invocation.config)).encode()
    encoded = binascii.b2a_base64(text, newline=False)
    return encoded.translate(bytes.maketrans(b"+/", b"-_")).decode()
