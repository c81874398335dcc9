"""Options that only our engines heed: refused where another would not even notice them."""

from __future__ import annotations

from naru.cli.failure import CommandFailedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from naru.cli.invocation import Invocation


def require_naru(invocation: Invocation, what: str) -> None:
    """Refuse `what`, an option or its value, when the engine is not one of ours.

    Raises:
        CommandFailedError: it is another's.
    """
    client = invocation.client
    if not client.server_headers:
        client.ping()
    server = client.server_headers.get("server", "")
    if not server.startswith("Naru/"):
        raise CommandFailedError(
            f'"{what}" is for Naru engines, but the engine is {server or "another"}'
        )
