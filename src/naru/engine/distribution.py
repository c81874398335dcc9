"""What registries have, asked on a client's behalf."""

from __future__ import annotations

import msgspec

from naru.distribution.auth import RegistryAuth
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
