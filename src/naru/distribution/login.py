"""Whether a registry takes somebody's credentials, found out by showing them to it.

Spec: Engine API 1.50, SystemAuth; distribution-spec v1.1, end-1.
"""

from __future__ import annotations

from naru.clock import Clock
from naru.distribution.auth import RegistryAuth, registry_of
from naru.distribution.hosts import is_host, shown
from naru.distribution.session import EndpointSession, HttpClient, worth_asking
from naru.errors import FaultError, InvalidInputError, NaruError, UnauthenticatedError


async def log_in(http: HttpClient, auth: RegistryAuth, clock: Clock) -> str:
    """Show the credentials to the registry of `auth.server_address`, Docker Hub without one.

    Mirrors are left out: what is meant for the registry is none of theirs. Return the identity
    token that stands for the credentials from now on, "" where the registry gives none.

    Raises:
        InvalidInputError: the address is none.
        UnauthenticatedError: the registry refuses the credentials.
        FaultError: it does not answer, or is no registry.
    """
    registry = registry_of(auth.server_address)
    if not is_host(registry):
        raise InvalidInputError(f"unable to parse server address: {shown(auth.server_address)!r}")
    failure: NaruError = FaultError(f"no endpoint for {registry}")
    for endpoint in http.hosts.endpoints(registry):
        if endpoint.is_mirror or not worth_asking(endpoint, failure):
            continue
        session = EndpointSession(http, endpoint, auth, clock, for_login=True)
        try:
            await _show(session)
        except UnauthenticatedError:
            # What was refused is not said again over a connection that others can read.
            raise
        except FaultError as error:
            failure = error
            continue
        return session.identity_token
    raise failure


async def _show(session: EndpointSession) -> None:
    url = f"{session.endpoint.base_url}/v2/"
    try:
        async with session.exchange("GET", "", scope="", attempts=1):
            pass
    except UnauthenticatedError as error:
        if error.message.startswith("Get "):
            raise
        raise UnauthenticatedError(
            f"login attempt to {url} failed with status: 401 Unauthorized"
        ) from error
