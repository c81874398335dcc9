"""The login that goes with a pull, out of the user's config.json and its helper programs."""

from __future__ import annotations

from naru.client import credentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from naru.cli.invocation import Invocation


def headers(invocation: Invocation, registry: str) -> dict[str, str]:
    """Return the header that tells the engine who asks; empty for nobody in particular.

    Raises:
        FaultError: a credential helper failed.
    """
    login = credentials.find(invocation.config, registry)
    return {"X-Registry-Auth": credentials.header(login)} if login else {}
