"""Docker's contexts: named engines in the user's configuration folder. Only their host is read."""

from __future__ import annotations

from naru.cli import config_file
from naru.client import json_text
from naru.errors import InvalidInputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def host_of(name: str, config_option: str, environ: Mapping[str, str]) -> str:
    """Return the host of the context `name`.

    Raises:
        InvalidInputError: there is no such context, or it asks for a TLS configuration.
    """
    from hashlib import sha256

    folder = f"{config_file.folder(config_option, environ)}/contexts/meta/"
    path = f"{folder}{sha256(name.encode()).hexdigest()}/meta.json"
    prefix = f'unable to resolve docker endpoint: context "{name}": '
    try:
        with open(path, "rb") as file:
            meta = json_text.loads(file.read())
        endpoint = meta["Endpoints"]["docker"]
        return str(endpoint["Host"])
    except OSError as error:
        reason = (error.strerror or "").lower()
        raise InvalidInputError(f"{prefix}context not found: open {path}: {reason}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInputError(f"{prefix}no docker endpoint in {path}") from error
