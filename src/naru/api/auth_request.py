"""The body of `POST /auth`: who somebody is to which registry.

Spec: Engine API 1.50, SystemAuth, definition AuthConfig.
"""

from __future__ import annotations

from naru.api.wire import Wire


class AuthRequest(Wire):
    """Credentials, and the server that they are for."""

    username: str = ""
    password: str = ""
    server_address: str = ""
    identity_token: str = ""
    registry_token: str = ""
