"""The key under which the result of a step is found again. Pure.

It is made of all that decides what the step comes to: the image below, the config in force with
the step's own words in it, and checksums of what it reads. Only results of builds of this engine
are found: an image from elsewhere that claims to be one is none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from naru.oci.image_config import RunDefaults
from naru.oci.platform import Platform

# Changes when the same key would mean something else.
_VERSION = 1
_encode = msgspec.json.Encoder(order="deterministic").encode


def cache_key(
    parent_id: str,
    config: RunDefaults,
    platform: Platform,
    *,
    author: str = "",
    inputs: Sequence[str] = (),
) -> str:
    """Return the key of a step on the image `parent_id`; nothing but nothing is below "".

    `config` is that of the step's container, whose command is the step. `inputs` are checksums
    that the command does not tell.
    """
    config = msgspec.structs.replace(config, hostname="", domainname="", image="")
    content = _encode([_VERSION, parent_id, config, str(platform), author, list(inputs)])
    return hashlib.sha256(content).hexdigest()
