"""What registries have, asked on a client's behalf."""

from __future__ import annotations

import msgspec

from naru.api.auth_request import AuthRequest
from naru.distribution.auth import RegistryAuth
from naru.distribution.login import log_in
from naru.engine.context import EngineContext
from naru.engine.model import Json
from naru.images.remote_inspect import inspect_remote


async def inspect_distribution(ctx: EngineContext, name: str, *, auth: RegistryAuth | None) -> Json:
    """Return digest, size and platforms of an image in its registry.

    Raises:
        InvalidInputError: `name` is no reference.
        NotFoundError, UnauthenticatedError, ForbiddenError: the registry's answer.
        FaultError: the registry cannot be reached.
    """
    found = await inspect_remote(ctx.images, name, auth)
    return {
        "Descriptor": msgspec.to_builtins(found.descriptor),
        "Platforms": msgspec.to_builtins(found.platforms),
    }


async def authenticate(ctx: EngineContext, request: AuthRequest) -> Json:
    """Find out whether a registry takes these credentials; nothing of them is kept.

    Raises:
        InvalidInputError: the server's address is none.
        UnauthenticatedError: the registry refuses them.
        FaultError: it cannot be reached.
    """
    auth = RegistryAuth(
        request.username,
        request.password,
        request.identity_token,
        request.registry_token,
        request.server_address,
    )
    token = await log_in(ctx.images.http, auth, ctx.clock)
    return {"Status": "Login Succeeded", "IdentityToken": token}
