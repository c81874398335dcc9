"""The user's `config.json`: defaults for formats, detach keys and logins.

Only reading; what writes logins lives with them.
"""

from __future__ import annotations

import os

from naru.client import json_text
from naru.client.endpoint import config_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def folder(config_option: str, environ: Mapping[str, str]) -> str:
    """Return the folder of config.json: `--config`, DOCKER_CONFIG, or `~/.docker`."""
    return config_option or config_folder(environ)


def load(config_option: str, environ: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    """Read config.json; return it and a warning ("" when there is nothing to warn of).

    A missing file is an empty configuration. A broken one is too, with a warning: docker goes
    on then as well.
    """
    path = os.path.join(folder(config_option, environ), "config.json")
    try:
        with open(path, "rb") as file:
            text = file.read()
    except FileNotFoundError:
        return {}, ""
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return {}, f"WARNING: Error loading config file: open {path}: {reason}"
    try:
        value = json_text.loads(text)
    except ValueError as error:
        return {}, f"WARNING: Error loading config file: parsing config file ({path}): {error}"
    return (value if isinstance(value, dict) else {}), ""
